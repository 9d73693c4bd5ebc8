import type { Knex } from "knex";
import { type ExternalReferenceColumns, type ShownCustomerRow, selectShown, shownRow } from "./store.js";

/** Those of the customers that there are, in no order. */
export async function findCustomers(db: Knex, tenantId: string, ids: readonly string[]): Promise<ShownCustomerRow[]> {
  const rows: ShownCustomerRow[] = await selectShown(db, tenantId).where(db.raw("customers.id = any(?)", [[...ids]]));
  return rows.map(shownRow);
}

/** The oldest active customer with that address, trimmed and in any case. */
export async function findCustomerByEmail(db: Knex, tenantId: string, email: string) {
  const query = selectShown(db, tenantId)
    .whereNull("customers.delete_time")
    .whereRaw("lower(customers.email) = lower(btrim(?))", [email]);
  return shownRow(await query.orderBy(["customers.create_time", "customers.id"]).first());
}

/** The active customer that has an id elsewhere. */
export async function findCustomerByReference(db: Knex, tenantId: string, { name, id }: ExternalReferenceColumns) {
  const owner = db("external_references").where({ tenant_id: tenantId, name, external_id: id }).select("customer_id");
  return shownRow(
    await selectShown(db, tenantId).whereNull("customers.delete_time").whereIn("customers.id", owner).first(),
  );
}

/** Makes callers that look for the same thing take turns until their transactions end. */
export async function lockLookup(trx: Knex, tenantId: string, key: string): Promise<void> {
  await trx.raw("select pg_advisory_xact_lock(hashtextextended(?, 0))", [`${tenantId} ${key}`]);
}
