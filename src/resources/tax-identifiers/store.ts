import type { Knex } from "knex";
import { type Keys, shareRead } from "../../db/shared-reads.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type Page, selectPage } from "../../rpc/lists/paging.js";
import { isOf, type Owner } from "../customers/owner.js";
import { changeWithEvent } from "../events/store.js";

export interface TaxIdentifierColumns {
  readonly id: string;
  readonly customer_id: string | null;
  readonly type: string;
  readonly value: string;
  readonly country: string;
  readonly state: string;
}

export interface TaxIdentifierRow extends TaxIdentifierColumns {
  readonly tenant_id: string;
  /** The customer that it was detached from last; null while it is attached. */
  readonly former_customer_id: string | null;
  readonly state_transitions: readonly { readonly state: string; readonly time: string }[];
  readonly attempts: number;
  readonly next_attempt_time: Date | null;
  readonly version: number;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** A new tax identifier, as it is written at a time. */
export function newTaxIdentifierRow(columns: TaxIdentifierColumns, now: Date) {
  const state_transitions = [{ state: columns.state, time: now }];
  return { ...columns, state_transitions, create_time: now, update_time: now, next_attempt_time: now };
}

/** Inserts a tax identifier that is due for its first verification. Throws a violation if the customer has the type. */
export async function insertTaxIdentifier(
  db: Knex,
  tenantId: string,
  columns: TaxIdentifierColumns,
  event: EventDraft,
): Promise<TaxIdentifierRow> {
  const { state_transitions: transitions, ...given } = newTaxIdentifierRow(columns, event.time);
  // The driver would take a list for an array of Postgres.
  const change = db("tax_identifiers")
    .insert({ tenant_id: tenantId, ...given, state_transitions: JSON.stringify(transitions) })
    .returning("*");
  const [row] = await changeWithEvent<TaxIdentifierRow>(db, tenantId, change, event);
  return row!;
}

const readTaxIdentifier = shareRead(
  defineStatement<TaxIdentifierRow, Keys>((db, { tenantId, keys }) =>
    db("tax_identifiers").where({ tenant_id: tenantId }).whereRaw("id = any(?)", [keys]),
  ),
  ({ id }) => id,
);

export async function findTaxIdentifier(
  db: Knex,
  tenantId: string,
  id: string,
  owner: Owner,
): Promise<TaxIdentifierRow | undefined> {
  const row = await readTaxIdentifier(db, tenantId, id);
  return row !== undefined && isOf(owner, row) ? row : undefined;
}

export async function lockTaxIdentifier(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<TaxIdentifierRow | undefined> {
  return await trx("tax_identifiers").where({ tenant_id: tenantId, id }).forUpdate().first();
}

/** A page of tax identifiers, of one customer unless `customerId` is empty. */
export async function listTaxIdentifiers(
  db: Knex,
  tenantId: string,
  { customerId }: { readonly customerId: string },
  page: Page,
): Promise<TaxIdentifierRow[]> {
  const ofCustomer = customerId !== "" && { customer_id: customerId };
  const query = db("tax_identifiers").where({ tenant_id: tenantId, ...ofCustomer });
  return await selectPage(query, "tax_identifiers", page);
}

/** Finds the tax identifiers that exist, in no order. */
export async function listTaxIdentifiersById(
  db: Knex,
  tenantId: string,
  ids: readonly string[],
): Promise<TaxIdentifierRow[]> {
  return await db("tax_identifiers")
    .where({ tenant_id: tenantId })
    .where(db.raw("id = any(?)", [[...ids]]));
}

/** All tax identifiers of a customer, oldest first. */
export async function listTaxIdentifiersOf(
  db: Knex,
  tenantId: string,
  customerId: string,
): Promise<TaxIdentifierRow[]> {
  const ofCustomer = db("tax_identifiers").where({ tenant_id: tenantId, customer_id: customerId });
  return await ofCustomer.orderBy(["create_time", "id"]);
}

/** Gives a locked tax identifier to a customer, or takes it away. Throws a violation if the customer has the type. */
export async function updateOwner(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  owner: { readonly before: string | null; readonly after: string | null },
  event: EventDraft,
): Promise<TaxIdentifierRow> {
  // A detached identifier remembers its last customer, for the erasure.
  const formerly = owner.after === null ? owner.before : null;
  const change = trx("tax_identifiers")
    .where({ tenant_id: tenantId, id })
    .update({
      customer_id: owner.after,
      former_customer_id: formerly,
      version: trx.raw("version + 1"),
      update_time: event.time,
    })
    .returning("*");
  const customerId = owner.after ?? owner.before ?? undefined;
  const [row] = await changeWithEvent<TaxIdentifierRow>(trx, tenantId, change, event, customerId);
  return row!;
}

export async function deleteTaxIdentifier(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  event: EventDraft,
): Promise<void> {
  const change = trx("tax_identifiers").where({ tenant_id: tenantId, id }).delete().returning("*");
  await changeWithEvent(trx, tenantId, change, event);
}
