import type { Knex } from "knex";

// A unique column holds the key of an address that no other customer may have: the hash of its trimmed, lower-cased form.
// Rows written while duplicates were allowed have no key. They get none when the settings start to require unique
// addresses, because that would rewrite every row. No more such rows are written then, and a query finds the others.

/**
 * The key of an address after a write: `claim` makes the address its owner's own, `release` lets others take it, and
 * `keep` leaves the key as it is.
 */
export type EmailKey = "claim" | "release" | "keep";

/** The key of the address bound to the first place; null for no address. */
export const keyOfEmail = "sha256(convert_to(lower(btrim(?::text)), 'UTF8'))";

/**
 * The key of a customer whose address becomes that of the first and the second place. An address that stays the same
 * keeps its key or the lack of one, so that a customer who shared it before is not refused.
 */
export const changedKeyOfEmail = `case when lower(btrim(email)) = lower(btrim(?::text)) then email_key else ${keyOfEmail} end`;

/**
 * Selects a row if an active customer has an address that must be unique now, without a key. Bound to the tenant, the
 * address, and the id of the customer that is to get the address.
 */
export const ownerWithoutKey = `
  select from customers owner
  where owner.tenant_id = ? and lower(owner.email) = lower(btrim(?::text)) and owner.id <> ?
    and owner.email_key is null and owner.delete_time is null and not owner.purged`;

interface Claim {
  readonly id: string;
  readonly email: string | null;
  /** The version of the settings that require unique addresses; absent while the settings are locked. */
  readonly rulesVersion?: number;
}

/**
 * Whether an owner without a key keeps a customer, new or not, from taking an address. A customer that has the address
 * already may keep it.
 */
export async function isRefusedByOwner(db: Knex, tenantId: string, claim: Claim): Promise<boolean> {
  const { id, email, rulesVersion = null } = claim;
  const refused = await db.raw(
    `select from tenants where tenant_id = ? and rules_version = coalesce(?, rules_version)
     and exists (${ownerWithoutKey})
     and not exists (select from customers where tenant_id = ? and id = ? and delete_time is null
       and lower(email) = lower(btrim(?::text)))`,
    [tenantId, rulesVersion, tenantId, email, id, tenantId, id, email],
  );
  return refused.rows.length > 0;
}

/** Gives an active, locked customer the key of its address, unless another customer has it. */
export async function claimEmailKey(trx: Knex.Transaction, tenantId: string, id: string): Promise<void> {
  const key = keyOfEmail.replace("?", "customers.email");
  await trx("customers")
    .where({ tenant_id: tenantId, id, email_key: null, delete_time: null })
    .whereRaw(`not exists (select from customers o where o.tenant_id = ? and o.email_key = ${key})`, [tenantId])
    .update({ email_key: trx.raw(key) });
}
