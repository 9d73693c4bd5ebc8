import type { Knex } from "knex";
import type { CustomerRow, ExternalReferenceColumns } from "./fields.js";
import { type ShownCustomerRow, selectShown, shownRow } from "./store.js";

/** Finds the customers that exist, in no order. */
export async function listCustomersById(
  db: Knex,
  tenantId: string,
  ids: readonly string[],
): Promise<ShownCustomerRow[]> {
  const rows: ShownCustomerRow[] = await selectShown(db, tenantId).where(db.raw("customers.id = any(?)", [[...ids]]));
  return rows.map(shownRow);
}

/** The oldest active customer with that address, trimmed and in any case; held as it is, if asked for. */
export async function findCustomerByEmail(trx: Knex.Transaction, tenantId: string, email: string, hold: boolean) {
  const query = selectHeld(trx, tenantId, hold)
    .whereNull("customers.delete_time")
    .whereRaw("lower(customers.email) = lower(btrim(?))", [email]);
  return shownRow(await query.orderBy(["customers.create_time", "customers.id"]).first());
}

/** The active customer that has an id elsewhere; held as it is, if asked for. */
export async function findCustomerByReference(
  trx: Knex.Transaction,
  tenantId: string,
  { name, id }: ExternalReferenceColumns,
  hold: boolean,
) {
  const owner = trx("external_references").where({ tenant_id: tenantId, name, external_id: id }).select("customer_id");
  return shownRow(
    await selectHeld(trx, tenantId, hold).whereNull("customers.delete_time").whereIn("customers.id", owner).first(),
  );
}

// Held, so that what is remembered of a customer is not written after it is erased.
function selectHeld(trx: Knex.Transaction, tenantId: string, hold: boolean): Knex.QueryBuilder {
  const query = selectShown(trx, tenantId);
  return hold ? query.forShare("customers") : query;
}

/** Makes callers that look for the same thing take turns until their transactions end. */
export async function lockLookup(trx: Knex.Transaction, tenantId: string, key: string): Promise<void> {
  await trx.raw("select pg_advisory_xact_lock(hashtextextended(?, 0))", [`${tenantId} ${key}`]);
}

/**
 * Customers whose time to be purged has come, the longest due first, without the first `skipped`. Looks across tenants:
 * for the job alone.
 */
export async function listDueCustomers(
  db: Knex,
  now: Date,
  limit: number,
  skipped: number,
): Promise<Pick<CustomerRow, "tenant_id" | "id">[]> {
  const due = db("customers").whereRaw("not purged").where("purge_time", "<=", now).offset(skipped);
  return await due.orderBy(["purge_time", "tenant_id", "id"]).limit(limit).select("tenant_id", "id");
}
