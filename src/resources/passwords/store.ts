import type { Knex } from "knex";

export interface PasswordRow {
  tenant_id: string;
  customer_id: string;
  id: string;
  hash: string;
  create_time: Date;
}

export type PasswordColumns = Pick<PasswordRow, "id" | "hash" | "create_time">;

export async function findPassword(db: Knex, tenantId: string, customerId: string): Promise<PasswordRow | undefined> {
  return await db("passwords").where({ tenant_id: tenantId, customer_id: customerId }).first();
}

/** The passwords of the oldest active customers that have an e-mail address, in any case, and a password. */
export async function listPasswordsOfEmail(
  db: Knex,
  tenantId: string,
  email: string,
  limit: number,
): Promise<PasswordRow[]> {
  return await db("customers")
    .join("passwords", { "passwords.tenant_id": "customers.tenant_id", "passwords.customer_id": "customers.id" })
    .where("customers.tenant_id", tenantId)
    .whereRaw("not customers.purged")
    .whereNull("customers.delete_time")
    .whereRaw("lower(customers.email) = lower(btrim(?))", [email])
    .orderBy(["customers.create_time", "customers.id"])
    .limit(limit)
    .select("passwords.*");
}

/** Writes the password of a locked customer, in place of the one before; the customer must come to show its id. */
export async function replacePassword(trx: Knex, tenantId: string, customerId: string, columns: PasswordColumns) {
  await trx("passwords")
    .insert({ tenant_id: tenantId, customer_id: customerId, ...columns })
    .onConflict(["tenant_id", "customer_id"])
    .merge();
}

/** Stores another hash of the same password, unless it has changed meanwhile. */
export async function renewPassword(db: Knex, tenantId: string, { customer_id, id, hash }: PasswordRow): Promise<void> {
  await db("passwords").where({ tenant_id: tenantId, customer_id, id }).update({ hash });
}

/** Removes the password of a customer that shows none any more, by the end of the transaction. */
export async function deletePasswordOf(trx: Knex, tenantId: string, customerId: string): Promise<void> {
  await trx("passwords").where({ tenant_id: tenantId, customer_id: customerId }).delete();
}
