import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import { type Keys, shareRead } from "../../db/shared-reads.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import type { AddressRow } from "../addresses/store.js";
import { changeWithEvent } from "../events/store.js";
import { shownTaxIdentifiers, taxIdentifierRows } from "../tax-identifiers/shown-store.js";
import type { TaxIdentifierRow } from "../tax-identifiers/store.js";
import { changedEmailKey, emailKey, ownerWithoutKey } from "./email-store.js";

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
  /** By the ids of their definitions. */
  custom_fields: JsonObject;
  external_references: { name: string; id: string }[];
  default_address_id: string | null;
  default_payment_method_id: string | null;
  photo_token: string | null;
  password_id: string | null;
  request_to_be_forgotten: boolean;
  version: number;
  create_time: Date;
  update_time: Date;
  delete_time: Date | null;
  purge_time: Date | null;
  purged: boolean;
  /** The tax identifiers that it shows; null for none, absent where they were not read. */
  tax_identifiers?: TaxIdentifierRow[] | null;
}

/** A customer with the default address that it shows. */
export interface ShownCustomerRow extends CustomerRow {
  shipping: AddressRow | null;
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
  | "custom_fields"
  | "external_references"
  | "default_address_id"
  | "default_payment_method_id"
>;

/** With the password, which is written apart, and the wish, which is followed apart. */
export type ChangedColumns = CustomerColumns & Partial<Pick<CustomerRow, "password_id" | "request_to_be_forgotten">>;

// All but what only searches read.
const columnNames: readonly (keyof CustomerRow)[] = [
  "tenant_id",
  "id",
  "email",
  "email_key",
  "name",
  "first_name",
  "last_name",
  "display_name",
  "phone",
  "country",
  "locale",
  "type",
  "enabled",
  "metadata",
  "custom_fields",
  "external_references",
  "default_address_id",
  "default_payment_method_id",
  "photo_token",
  "password_id",
  "request_to_be_forgotten",
  "version",
  "create_time",
  "update_time",
  "delete_time",
  "purge_time",
  "purged",
];
const qualifiedNames = columnNames.map((name) => `customers.${name}`);

/** The id of a customer in another system. */
export interface ExternalReferenceColumns {
  readonly name: string;
  readonly id: string;
}

interface NewCustomer {
  readonly id: string;
  readonly columns: CustomerColumns & { readonly password_id: string | null };
  readonly uniqueEmail: boolean;
  /** The version of the settings that the customer was checked against. */
  readonly settingsVersion: number;
}

/** Inserts a customer, unless the settings have changed since, or an owner without a key has its address: then undefined. */
export async function insertCustomer(db: Knex, tenantId: string, customer: NewCustomer, event: EventDraft) {
  const { id, columns, uniqueEmail, settingsVersion } = customer;
  const row = { id, ...columns, create_time: event.time, update_time: event.time };
  const claimed = uniqueEmail ? columns.email : null;
  const names = Object.keys(row);
  const change = db.raw(
    `insert into customers (tenant_id, email_key, ${names.map(() => "??").join(", ")})
     select tenant.tenant_id, ${emailKey}, ${names.map(() => "??").join(", ")}
     from (select tenant_id from tenants where tenant_id = ? and rules_version = ? for share) tenant,
       jsonb_populate_record(null::customers, ?::jsonb) given
     where not exists (${ownerWithoutKey})
     returning ${columnNames.join(", ")}`,
    [
      ...names,
      claimed,
      ...names.map((name) => `given.${name}`),
      tenantId,
      settingsVersion,
      JSON.stringify(row),
      ...[tenantId, claimed, id],
    ],
  );
  const [inserted] = await changeWithEvent<CustomerRow>(db, tenantId, change, event);
  return inserted;
}

const selectByIds = defineStatement<ShownCustomerRow, Keys>((db, { tenantId, keys }) =>
  selectShown(db, tenantId).whereRaw("customers.id = any(?)", [keys as string[]]),
);
const readCustomer = shareRead(selectByIds, ({ id }) => id);

/** A customer with its default address; undefined if there is none of that id, or it was purged. */
export async function findCustomer(db: Knex, tenantId: string, id: string): Promise<ShownCustomerRow | undefined> {
  return shownRow(await readCustomer(db, tenantId, id));
}

/** Lets a customer name a default address that is inserted after it, in the same transaction. */
export async function deferDefaultAddress(trx: Knex): Promise<void> {
  await trx.raw("set constraints customers_default_address_fkey deferred");
}

/** A customer that nobody else changes until the end of the transaction. */
export async function lockCustomer(trx: Knex, tenantId: string, id: string): Promise<CustomerRow | undefined> {
  return await trx("customers")
    .where({ tenant_id: tenantId, id, purged: false })
    .forUpdate()
    .first(...columnNames);
}

/** The customers of a tenant that are not purged, with their default addresses; shown by `shownRow`. */
export function selectShown(db: Knex, tenantId: string): Knex.QueryBuilder {
  return db("customers")
    .leftJoin("addresses as shipping", {
      "shipping.tenant_id": "customers.tenant_id",
      "shipping.customer_id": "customers.id",
      "shipping.id": "customers.default_address_id",
    })
    .where("customers.tenant_id", tenantId)
    .whereRaw("not customers.purged")
    .select(qualifiedNames)
    .select(db.raw("to_jsonb(shipping) as shipping"))
    .select(shownTaxIdentifiers(db));
}

/** A row of `selectShown` as it is used: times come as text out of JSON. */
export function shownRow<Row extends ShownCustomerRow | undefined>(row: Row): Row {
  if (row?.shipping) {
    row.shipping.create_time = new Date(row.shipping.create_time);
    row.shipping.update_time = new Date(row.shipping.update_time);
  }
  if (row?.tax_identifiers) row.tax_identifiers = taxIdentifierRows(row.tax_identifiers);
  return row;
}

/** Writes down whose the ids elsewhere are, in place of those before. Throws a violation if one is another's. */
export async function replaceExternalReferences(
  trx: Knex,
  tenantId: string,
  customerId: string,
  references: readonly ExternalReferenceColumns[],
): Promise<void> {
  await trx("external_references").where({ tenant_id: tenantId, customer_id: customerId }).delete();
  const rows = references.map(({ name, id }) => {
    return { tenant_id: tenantId, name, external_id: id, customer_id: customerId };
  });
  if (rows.length > 0) await trx("external_references").insert(rows);
}

/** Changes a locked customer. `uniqueEmail` says whether its address must be its own, unless it stays the same. */
export async function updateCustomer(
  trx: Knex,
  tenantId: string,
  id: string,
  columns: Partial<ChangedColumns & Pick<CustomerRow, "photo_token">>,
  event: EventDraft,
  uniqueEmail?: boolean,
): Promise<CustomerRow> {
  const email = columns.email ?? null;
  const email_key = uniqueEmail ? trx.raw(changedEmailKey, [email, email]) : null;
  // The driver would take a list for an array of Postgres.
  const references = columns.external_references && {
    external_references: JSON.stringify(columns.external_references),
  };
  const changes = { ...columns, ...references, ...(uniqueEmail !== undefined && { email_key }) };
  return await change(trx, tenantId, id, changes, event);
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
  const columns = { delete_time: event.time, purge_time: purgeTime, password_id: null };
  return await change(trx, tenantId, id, { ...columns, ...(freesEmail && { email_key: null }) }, event);
}

/** Leaves nothing of a locked customer but its id; with `freesEmail` its address can be used again. */
export async function purgeCustomer(
  trx: Knex,
  tenantId: string,
  id: string,
  { freesEmail }: Pick<Deletion, "freesEmail">,
  event: EventDraft,
): Promise<CustomerRow> {
  const cleared: Record<keyof CustomerColumns | "photo_token" | "password_id", unknown> = {
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
    custom_fields: {},
    external_references: "[]",
    default_address_id: null,
    default_payment_method_id: null,
    photo_token: null,
    password_id: null,
  };
  const deletion = { purged: true, purge_time: null, delete_time: trx.raw("coalesce(delete_time, ?)", [event.time]) };
  return await change(trx, tenantId, id, { ...cleared, ...deletion, ...(freesEmail && { email_key: null }) }, event);
}

/** Brings back a locked, softly deleted customer. */
export async function undeleteCustomer(
  trx: Knex,
  tenantId: string,
  row: CustomerRow,
  uniqueEmail: boolean,
  event: EventDraft,
): Promise<CustomerRow> {
  const email_key = uniqueEmail ? trx.raw(emailKey, [row.email]) : null;
  return await change(trx, tenantId, row.id, { delete_time: null, purge_time: null, email_key }, event);
}

async function change(trx: Knex, tenantId: string, id: string, columns: object, event: EventDraft) {
  const update = trx("customers")
    .where({ tenant_id: tenantId, id })
    .update({ ...columns, version: trx.raw("version + 1"), update_time: event.time })
    .returning([...columnNames, shownTaxIdentifiers(trx)] as string[]);
  const [row] = await changeWithEvent<CustomerRow>(trx, tenantId, update, event);
  return { ...row!, tax_identifiers: taxIdentifierRows(row!.tax_identifiers ?? null) };
}
