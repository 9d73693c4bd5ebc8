import type { Knex } from "knex";
import type { AddressColumns } from "../resources/addresses/store.js";
import { keyOfEmail } from "../resources/customers/email-store.js";
import type { CustomerColumns, ExternalReferenceColumns } from "../resources/customers/fields.js";
import { type ManyEventsRow, manyEvents } from "../resources/events/store.js";
import type { PasswordColumns } from "../resources/passwords/store.js";
import { newTaxIdentifierRow, type TaxIdentifierColumns } from "../resources/tax-identifiers/store.js";
import { systemOrigin } from "../rpc/calls/event-draft.js";

/** How far a file is imported. */
export interface ImportRow {
  tenant_id: string;
  id: string;
  source: string;
  file_size: number | null;
  line: number;
  file_offset: number;
  batches: number;
  imported: number;
  rejected: number;
  create_time: Date;
  update_time: Date;
  finish_time: Date | null;
}

/** A customer to import with what belongs to it. */
export interface ImportedCustomer {
  readonly columns: CustomerColumns & ImportedTimes & { readonly id: string; readonly password_id: string | null };
  readonly password: PasswordColumns | undefined;
  readonly addresses: readonly ImportedAddress[];
  readonly taxIdentifiers: readonly TaxIdentifierColumns[];
  /** The erasure that the customer asked for, if it did. */
  readonly erasure: ImportedErasure | undefined;
  /** The ids elsewhere that must be its own. */
  readonly references: readonly ExternalReferenceColumns[];
  readonly events: readonly ManyEventsRow[];
}

/** An erasure that waits for its time. */
interface ImportedErasure {
  readonly id: string;
  readonly state: "scheduled";
  readonly create_time: Date;
  readonly due_time: Date;
}

export type ImportedAddress = AddressColumns & { readonly id: string; readonly create_time: Date };

interface ImportedTimes {
  readonly request_to_be_forgotten: boolean;
  readonly create_time: Date;
  readonly delete_time: Date | null;
  readonly purge_time: Date | null;
}

/** Which addresses must be their owners' own. */
export interface EmailRule {
  readonly unique: boolean;
  /** Whether that of a deleted customer must not. */
  readonly freeAfterDelete: boolean;
}

/** Locks an import's row. Waits for a batch that another process is committing. */
export async function lockImport(trx: Knex.Transaction, tenantId: string, id: string): Promise<ImportRow | undefined> {
  return await trx("imports").where({ tenant_id: tenantId, id }).forUpdate().first();
}

/** Begins an import at the first line, also one that was begun before. */
export async function beginImport(
  db: Knex,
  tenantId: string,
  file: Pick<ImportRow, "id" | "source" | "file_size">,
  now: Date,
): Promise<ImportRow> {
  const start = { line: 0, file_offset: 0, batches: 0, imported: 0, rejected: 0, finish_time: null };
  const times = { create_time: now, update_time: now };
  const begun = db("imports").insert({ tenant_id: tenantId, ...file, ...start, ...times });
  const [row] = await begun.onConflict(["tenant_id", "id"]).merge().returning("*");
  return row;
}

/** Notes that the lines up to `line` are done; false if another process was faster. */
export async function advanceImport(
  trx: Knex.Transaction,
  before: Pick<ImportRow, "tenant_id" | "id" | "line">,
  done: Pick<ImportRow, "line" | "file_offset" | "imported" | "rejected" | "update_time">,
): Promise<boolean> {
  const { tenant_id, id, line } = before;
  const count = await trx("imports")
    .where({ tenant_id, id, line, finish_time: null })
    .update({ ...done, batches: trx.raw("batches + 1") });
  return count === 1;
}

export async function finishImport(db: Knex, tenantId: string, id: string, now: Date): Promise<void> {
  await db("imports").where({ tenant_id: tenantId, id }).update({ finish_time: now, update_time: now });
}

/**
 * Tells Postgres how large the tables are. The plans that check foreign keys are kept by the session: made while a table
 * is empty, they would read all of a tenant's rows for each check when it no longer is.
 */
export async function renewStatistics(db: Knex): Promise<void> {
  await db.raw("analyze customers, addresses, external_references, tax_identifiers");
}

/**
 * Inserts customers with what belongs to them and their events, in one statement and in their order; no two may have
 * the same id or reference. Answers the ids of those that were inserted: the others have an id or an e-mail address
 * that is taken. A reference that is taken violates its key.
 */
export async function insertCustomers(
  trx: Knex.Transaction,
  tenantId: string,
  customers: readonly ImportedCustomer[],
  email: EmailRule,
  now: Date,
): Promise<Set<string>> {
  const times = { update_time: now };
  const rows = customers.map(({ columns }) => ({ ...columns, ...times }));
  const addresses = customers.flatMap(({ columns, addresses: own }) =>
    own.map((address) => ({ customer_id: columns.id, ...address, ...times })),
  );
  const references = customers.flatMap(({ columns, references: own }) =>
    own.map(({ name, id }) => ({ customer_id: columns.id, name, external_id: id })),
  );
  const passwords = customers.flatMap(({ columns, password }) =>
    password === undefined ? [] : [{ customer_id: columns.id, ...password }],
  );
  const erasures = customers.flatMap(({ columns, erasure }) =>
    erasure === undefined ? [] : [{ customer_id: columns.id, ...erasure }],
  );
  const taxIdentifiers = customers.flatMap((customer) =>
    customer.taxIdentifiers.map((columns) => newTaxIdentifierRow(columns, now)),
  );
  const names = Object.keys(rows[0] ?? {});
  const insertion = trx.raw(
    `insert into customers (tenant_id, email_key, ${names.map(() => "??").join(", ")})
     select ?, case when ? and (given.delete_time is null or not ?) then ${keyOfEmail.replace("?", "given.email")} end,
       ${names.map(() => "??").join(", ")}
     from jsonb_populate_recordset(null::customers, ?::jsonb) with ordinality given
     order by given.ordinality
     on conflict do nothing
     returning id`,
    [
      ...names,
      tenantId,
      email.unique,
      email.freeAfterDelete,
      ...names.map((name) => `given.${name}`),
      JSON.stringify(rows),
    ],
  );
  const query = trx.with("changed", insertion);
  if (addresses.length > 0) query.with("address", insertOwned(trx, tenantId, "addresses", addresses));
  if (taxIdentifiers.length > 0)
    query.with("tax_identifier", insertOwned(trx, tenantId, "tax_identifiers", taxIdentifiers));
  if (passwords.length > 0) query.with("password", insertOwned(trx, tenantId, "passwords", passwords));
  if (erasures.length > 0) query.with("erasure", insertOwned(trx, tenantId, "erasures", erasures));
  if (references.length > 0) query.with("reference", insertOwned(trx, tenantId, "external_references", references));
  const events = customers.flatMap((customer) => customer.events);
  query.with("event", manyEvents(trx, tenantId, events, systemOrigin(now)));
  const inserts: { id: string }[] = await query.select("id").from("changed");
  return new Set(inserts.map(({ id }) => id));
}

/** Finds which of the ids customers have or had. */
export async function listTakenIds(
  trx: Knex.Transaction,
  tenantId: string,
  ids: readonly string[],
): Promise<Set<string>> {
  const takenIds: string[] = await trx("customers")
    .where({ tenant_id: tenantId })
    .where(trx.raw("id = any(?)", [[...ids]]))
    .pluck("id");
  return new Set(takenIds);
}

/** Finds which of the references customers have. */
export async function listTakenReferences(
  trx: Knex.Transaction,
  tenantId: string,
  references: readonly ExternalReferenceColumns[],
): Promise<ExternalReferenceColumns[]> {
  const names = references.map(({ name, id }) => ({ name, external_id: id }));
  const pairs = trx.raw(
    "(select name, external_id from jsonb_populate_recordset(null::external_references, ?::jsonb))",
    [JSON.stringify(names)],
  );
  return await trx("external_references")
    .where({ tenant_id: tenantId })
    .whereRaw("(name, external_id) in ?", [pairs])
    .select("name", "external_id as id");
}

/**
 * The positions of the addresses that an active customer has without an e-mail key, from before addresses had to be unique.
 * An index answers first whether there is any such customer.
 */
export async function listPlacesOfSharedEmails(
  trx: Knex.Transaction,
  tenantId: string,
  emails: readonly string[],
): Promise<Set<number>> {
  const result = await trx.raw(
    `select given.place - 1 as place
     from unnest(?::text[]) with ordinality given (email, place)
       join customers owner on owner.tenant_id = ? and lower(owner.email) = lower(btrim(given.email))
     where owner.email_key is null and owner.delete_time is null and not owner.purged
       and exists (select from customers where tenant_id = ? and email_key is null and email is not null
         and delete_time is null and not purged)`,
    [[...emails], tenantId, tenantId],
  );
  return new Set(result.rows.map(({ place }: { place: number }) => place));
}

// Rows of those customers that were inserted.
function insertOwned(trx: Knex.Transaction, tenantId: string, table: string, rows: readonly object[]): Knex.Raw {
  const names = Object.keys(rows[0] ?? {});
  return trx.raw(
    `insert into ?? (tenant_id, ${names.map(() => "??").join(", ")})
     select ?, ${names.map(() => "??").join(", ")}
     from jsonb_populate_recordset(null::??, ?::jsonb) given join changed on changed.id = given.customer_id`,
    [table, ...names, tenantId, ...names.map((name) => `given.${name}`), table, JSON.stringify(rows)],
  );
}
