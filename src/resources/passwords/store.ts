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
  return await passwordsOfEmail(db, tenantId, email).limit(limit).select("passwords.*");
}

/** The oldest password of an e-mail address that is stored as this hash. */
export async function findPasswordByHash(
  db: Knex,
  tenantId: string,
  email: string,
  hash: string,
): Promise<PasswordRow | undefined> {
  return await passwordsOfEmail(db, tenantId, email).where({ hash }).first("passwords.*");
}

/**
 * Up to `limit` passwords of an e-mail address whose hash does not begin with a prefix: the window of that number, from 0
 * on, and after the last window the first one again.
 */
export async function listOtherPasswords(
  db: Knex,
  tenantId: string,
  email: string,
  { prefix, window, limit }: { readonly prefix: string; readonly window: number; readonly limit: number },
): Promise<PasswordRow[]> {
  const others = () => passwordsOfEmail(db, tenantId, email).whereRaw("not starts_with(hash, ?)", [prefix]);
  const counted = await others().clearOrder().count("* as count").first();
  const windows = Math.ceil(Number(counted?.count ?? 0) / limit);
  if (windows === 0) return [];
  return await others()
    .offset((window % windows) * limit)
    .limit(limit)
    .select("passwords.*");
}

function passwordsOfEmail(db: Knex, tenantId: string, email: string): Knex.QueryBuilder {
  return db("customers")
    .join("passwords", { "passwords.tenant_id": "customers.tenant_id", "passwords.customer_id": "customers.id" })
    .where("customers.tenant_id", tenantId)
    .whereRaw("not customers.purged")
    .whereNull("customers.delete_time")
    .whereRaw("lower(customers.email) = lower(btrim(?))", [email])
    .orderBy(["customers.create_time", "customers.id"]);
}

/** Writes the password of a locked customer, in place of the one before; the customer must come to show its id. */
export async function replacePassword(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  columns: PasswordColumns,
) {
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
export async function deletePasswordOf(trx: Knex.Transaction, tenantId: string, customerId: string): Promise<void> {
  await trx("passwords").where({ tenant_id: tenantId, customer_id: customerId }).delete();
}
