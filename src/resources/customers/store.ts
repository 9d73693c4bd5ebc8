import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/event-draft.js";
import { type Page, selectPage } from "../../rpc/paging.js";
import { changeWithEvent } from "../events/store.js";

export interface CustomerRow {
  tenant_id: string;
  id: string;
  email: string | null;
  email_key: Buffer | null;
  name: string | null;
  first_name: string | null;
  last_name: string | null;
  display_name: string | null;
  phone: string | null;
  country: string | null;
  locale: string | null;
  type: string | null;
  enabled: boolean;
  metadata: JsonObject;
  default_address_id: string | null;
  default_payment_method_id: string | null;
  version: number;
  create_time: Date;
  update_time: Date;
  delete_time: Date | null;
  purge_time: Date | null;
  purged: boolean;
}

/** What a client decides of a customer. */
export type CustomerColumns = Pick<
  CustomerRow,
  | "email"
  | "name"
  | "first_name"
  | "last_name"
  | "display_name"
  | "phone"
  | "country"
  | "locale"
  | "type"
  | "enabled"
  | "metadata"
  | "default_address_id"
  | "default_payment_method_id"
>;

// What makes an address its owner's own; null asks for no such thing.
const emailKey = "sha256(convert_to(lower(btrim(?::text)), 'UTF8'))";

interface NewCustomer {
  readonly id: string;
  readonly columns: CustomerColumns;
  readonly uniqueEmail: boolean;
  /** The version of the settings that the customer was checked against. */
  readonly settingsVersion: number;
}

/** Inserts a customer, unless the settings have changed since: then undefined. One statement. */
export async function insertCustomer(db: Knex, tenantId: string, customer: NewCustomer, event: EventDraft) {
  const { id, columns, uniqueEmail, settingsVersion } = customer;
  const row = { id, ...columns, create_time: event.time, update_time: event.time };
  const names = Object.keys(row);
  const change = db.raw(
    `insert into customers (tenant_id, email_key, ${names.map(() => "??").join(", ")})
     select tenant.tenant_id, ${emailKey}, ${names.map(() => "??").join(", ")}
     from (select tenant_id from tenants where tenant_id = ? and settings_version = ? for key share) tenant,
       jsonb_populate_record(null::customers, ?::jsonb) given
     returning *`,
    [
      ...names,
      uniqueEmail ? columns.email : null,
      ...names.map((name) => `given.${name}`),
      tenantId,
      settingsVersion,
      JSON.stringify(row),
    ],
  );
  const [inserted] = await changeWithEvent<CustomerRow>(db, tenantId, change, event);
  return inserted;
}

export async function findCustomer(db: Knex, tenantId: string, id: string): Promise<CustomerRow | undefined> {
  return await db("customers").where({ tenant_id: tenantId, id, purged: false }).first();
}

/** A customer that nobody else changes until the end of the transaction. */
export async function lockCustomer(trx: Knex, tenantId: string, id: string): Promise<CustomerRow | undefined> {
  return await trx("customers").where({ tenant_id: tenantId, id, purged: false }).forUpdate().first();
}

export async function listCustomers(
  db: Knex,
  tenantId: string,
  { showDeleted }: { readonly showDeleted: boolean },
  page: Page,
): Promise<CustomerRow[]> {
  const query = db("customers").where({ tenant_id: tenantId }).whereRaw("not purged");
  if (!showDeleted) query.whereNull("delete_time");
  return await selectPage(query, "customers", page);
}

/** Changes a locked customer. `uniqueEmail` says whether its address must be its own. */
export async function updateCustomer(
  trx: Knex,
  tenantId: string,
  id: string,
  columns: Partial<CustomerColumns>,
  event: EventDraft,
  uniqueEmail?: boolean,
): Promise<CustomerRow> {
  const email_key = uniqueEmail ? trx.raw(emailKey, [columns.email ?? null]) : null;
  return await change(trx, tenantId, id, { ...columns, ...(uniqueEmail !== undefined && { email_key }) }, event);
}

interface Deletion {
  readonly purgeTime: Date | null;
  readonly freesEmail: boolean;
}

/** Deletes a locked customer softly. */
export async function softDeleteCustomer(
  trx: Knex,
  tenantId: string,
  id: string,
  { purgeTime, freesEmail }: Deletion,
  event: EventDraft,
): Promise<CustomerRow> {
  const times = { delete_time: event.time, purge_time: purgeTime };
  return await change(trx, tenantId, id, { ...times, ...(freesEmail && { email_key: null }) }, event);
}

/** Leaves nothing of a locked customer but its id; with `freesEmail` its address can be used again. */
export async function purgeCustomer(
  trx: Knex,
  tenantId: string,
  id: string,
  { freesEmail }: Pick<Deletion, "freesEmail">,
  event: EventDraft,
): Promise<CustomerRow> {
  const cleared: Record<keyof CustomerColumns, unknown> = {
    email: null,
    name: null,
    first_name: null,
    last_name: null,
    display_name: null,
    phone: null,
    country: null,
    locale: null,
    type: null,
    enabled: false,
    metadata: {},
    default_address_id: null,
    default_payment_method_id: null,
  };
  const deletion = { purged: true, purge_time: null, delete_time: trx.raw("coalesce(delete_time, ?)", [event.time]) };
  return await change(trx, tenantId, id, { ...cleared, ...deletion, ...(freesEmail && { email_key: null }) }, event);
}

async function change(trx: Knex, tenantId: string, id: string, columns: object, event: EventDraft) {
  const update = trx("customers")
    .where({ tenant_id: tenantId, id })
    .update({ ...columns, version: trx.raw("version + 1"), update_time: event.time })
    .returning("*");
  const [row] = await changeWithEvent<CustomerRow>(trx, tenantId, update, event);
  return row!;
}
