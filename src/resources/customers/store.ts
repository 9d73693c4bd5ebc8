import type { Knex } from "knex";
import { type Keys, shareRead } from "../../db/shared-reads.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { selectHeldTenant } from "../accounts/store.js";
import type { AddressRow } from "../addresses/store.js";
import { changeWithEvent, customersWithEvent, type EventValues, valuesOf } from "../events/store.js";
import { shownTaxIdentifiers, taxIdentifierRows } from "../tax-identifiers/json-store.js";
import { changedKeyOfEmail, type EmailKey, keyOfEmail, ownerWithoutKey } from "./email-store.js";
import {
  type CustomerColumns,
  type CustomerRow,
  clearedColumns,
  clientColumns,
  columnNames,
  type ExternalReferenceColumns,
} from "./fields.js";

/** A customer with the default address that it shows. */
export interface ShownCustomerRow extends CustomerRow {
  shipping: AddressRow | null;
}

/** The columns that an update writes: with the password and the wish to be forgotten, which have steps of their own. */
export type ChangedColumns = CustomerColumns &
  Partial<Pick<CustomerRow, "password_id" | "photo_token" | "request_to_be_forgotten">>;

const qualifiedNames = columnNames.map((name) => `customers.${name}`);

interface NewCustomer {
  readonly id: string;
  readonly columns: CustomerColumns & { readonly password_id: string | null };
  readonly emailKey: EmailKey;
  /** The version of the settings that the customer was checked against. */
  readonly rulesVersion: number;
}

const insertedColumns = ["id", ...clientColumns, "password_id", "create_time", "update_time"];

interface InsertValues extends EventValues {
  readonly tenantId: string;
  readonly rulesVersion: number;
  /** The address that gets a key, or null. */
  readonly claimed: string | null;
  readonly id: string;
  /** The columns as JSON. */
  readonly row: string;
}

const insertRow = defineStatement<CustomerRow, InsertValues>((db, values) => {
  const { tenantId, rulesVersion, claimed, id, row } = values;
  const change = db.raw(
    `insert into customers (tenant_id, email_key, ${insertedColumns.join(", ")})
     select tenant.tenant_id, ${keyOfEmail}, ${insertedColumns.map((name) => `given.${name}`).join(", ")}
     from (?) tenant,
       jsonb_populate_record(null::customers, ?::jsonb) given
     where not exists (${ownerWithoutKey})
     returning ${columnNames.join(", ")}`,
    [claimed as string, selectHeldTenant(db, tenantId, rulesVersion), row, tenantId, claimed as string, id],
  );
  return customersWithEvent(db, tenantId, change, values);
});

/** Inserts a customer; undefined if the settings have changed since, or an owner without a key has its address. */
export async function insert(db: Knex, tenantId: string, customer: NewCustomer, event: EventDraft) {
  const { id, columns, rulesVersion } = customer;
  const row = JSON.stringify({ id, ...columns, create_time: event.time, update_time: event.time });
  const claimed = customer.emailKey === "claim" ? columns.email : null;
  const [inserted] = await insertRow(db, { ...valuesOf(event), tenantId, rulesVersion, claimed, id, row });
  return inserted;
}

const selectByIds = defineStatement<ShownCustomerRow, Keys>((db, { tenantId, keys }) =>
  selectShown(db, tenantId).whereRaw("customers.id = any(?)", [keys]),
);
const readCustomer = shareRead(selectByIds, ({ id }) => id);

/** A customer with its default address; undefined if there is none of that id, or it was purged. */
export async function findCustomer(db: Knex, tenantId: string, id: string): Promise<ShownCustomerRow | undefined> {
  return shownRow(await readCustomer(db, tenantId, id));
}

/** Lets a customer name a default address that is inserted after it, in the same transaction. */
export async function deferDefaultAddress(trx: Knex.Transaction): Promise<void> {
  await trx.raw("set constraints customers_default_address_fkey deferred");
}

/** Lets a customer name a default payment method that is attached later in the transaction. */
export async function deferDefaultPaymentMethod(trx: Knex.Transaction): Promise<void> {
  await trx.raw("set constraints customers_default_payment_method_fkey deferred");
}

/** A customer that nobody else changes until the end of the transaction. */
export async function lockCustomer(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<CustomerRow | undefined> {
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

/** Replaces the ids of a customer in other systems. Throws a violation if another customer has one. */
export async function replaceExternalReferences(
  trx: Knex.Transaction,
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

/** Changes a locked customer. With `claim`, an address that stays the same keeps its key or the lack of one. */
export async function update(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  columns: Partial<ChangedColumns>,
  event: EventDraft,
  emailKey: EmailKey = "keep",
): Promise<CustomerRow> {
  const email = columns.email ?? null;
  // The driver would take a list for an array of Postgres.
  const references = columns.external_references && {
    external_references: JSON.stringify(columns.external_references),
  };
  const key = keyColumn(emailKey, () => trx.raw(changedKeyOfEmail, [email, email]));
  return await write(trx, tenantId, id, { ...columns, ...references, ...key }, event);
}

/** The columns that an update of a customer alone may change: those that nothing else has to follow. */
export const ownColumns = clientColumns.filter((name) => !/^(email|custom_fields|external_references)$/.test(name));

interface UpdateValues extends EventValues {
  readonly tenantId: string;
  readonly rulesVersion: number;
  readonly id: string;
  readonly version: number;
  readonly releases: boolean;
  /** The columns as JSON. */
  readonly row: string;
}

const updateRow = defineStatement<CustomerRow, UpdateValues>((db, values) => {
  const { tenantId, rulesVersion, id, version, releases, row, time } = values;
  const change = db.raw(
    `update customers set ${ownColumns.map((name) => `${name} = given.${name}`).join(", ")},
       email_key = case when ? then null else customers.email_key end,
       version = customers.version + 1, update_time = ?
     from (?) tenant,
       jsonb_populate_record(null::customers, ?::jsonb) given
     where customers.tenant_id = tenant.tenant_id and customers.id = ? and customers.version = ?
       and customers.delete_time is null and not customers.purged
     returning ${qualifiedNames.join(", ")}, ?`,
    [releases, time, selectHeldTenant(db, tenantId, rulesVersion), row, id, version, shownTaxIdentifiers(db)],
  );
  return customersWithEvent(db, tenantId, change, values);
});

/** The versions that an update was computed from. */
export interface ReadVersions {
  readonly id: string;
  readonly version: number;
  readonly rulesVersion: number;
}

/** Changes a customer's own columns; undefined, and nothing is written, if it or the settings have changed since. */
export async function updateIfCurrent(
  db: Knex,
  tenantId: string,
  read: ReadVersions,
  columns: ChangedColumns,
  emailKey: EmailKey,
  event: EventDraft,
): Promise<CustomerRow | undefined> {
  const row = JSON.stringify(Object.fromEntries(ownColumns.map((name) => [name, columns[name]])));
  const values = { ...valuesOf(event), ...read, tenantId, releases: emailKey === "release", row };
  const [updated] = await updateRow(db, values);
  return updated && { ...updated, tax_identifiers: taxIdentifierRows(updated.tax_identifiers ?? null) };
}

/** Deletes a locked customer softly. */
export async function softDelete(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  { purgeTime, emailKey }: { readonly purgeTime: Date | null; readonly emailKey: "release" | "keep" },
  event: EventDraft,
): Promise<CustomerRow> {
  const columns = { delete_time: event.time, purge_time: purgeTime, password_id: null };
  return await write(trx, tenantId, id, { ...columns, ...keyColumn(emailKey) }, event);
}

/** Leaves nothing of a locked customer but its id and, with `keep`, the key of its address. */
export async function purge(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  emailKey: "release" | "keep",
  event: EventDraft,
): Promise<CustomerRow> {
  const cleared = Object.fromEntries(clearedColumns.map(({ column, value }) => [column, trx.raw(value)]));
  const deletion = { purged: true, purge_time: null, delete_time: trx.raw("coalesce(delete_time, ?)", [event.time]) };
  return await write(trx, tenantId, id, { ...cleared, ...deletion, ...keyColumn(emailKey) }, event);
}

/** Brings back a locked, softly deleted customer. */
export async function undelete(
  trx: Knex.Transaction,
  tenantId: string,
  { id, email }: CustomerRow,
  emailKey: EmailKey,
  event: EventDraft,
): Promise<CustomerRow> {
  const key = keyColumn(emailKey, () => trx.raw(keyOfEmail, [email]));
  return await write(trx, tenantId, id, { delete_time: null, purge_time: null, ...key }, event);
}

function keyColumn(emailKey: EmailKey, claim?: () => Knex.Raw) {
  if (emailKey === "keep") return {};
  return { email_key: emailKey === "claim" && claim ? claim() : null };
}

async function write(trx: Knex.Transaction, tenantId: string, id: string, columns: object, event: EventDraft) {
  const change = trx("customers")
    .where({ tenant_id: tenantId, id })
    .update({ ...columns, version: trx.raw("version + 1"), update_time: event.time })
    .returning([...columnNames, shownTaxIdentifiers(trx)] as string[]);
  const [row] = await changeWithEvent<CustomerRow>(trx, tenantId, change, event);
  return { ...row!, tax_identifiers: taxIdentifierRows(row!.tax_identifiers ?? null) };
}
