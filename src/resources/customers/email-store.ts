import type { Knex } from "knex";

// An e-mail address that must be its owner's own is held by the hash of its trimmed, lower-cased form, in a unique
// column. Rows written while duplicates were allowed have none, and they are not given one when addresses have to be
// unique from then on: that would write every row anew. They cannot become more then, and a query finds them.

/** What makes an address, bound to the first place, its owner's own; null asks for no such thing. */
export const emailKey = "sha256(convert_to(lower(btrim(?::text)), 'UTF8'))";

/**
 * The key of a customer whose address becomes that of the first and the second place: one that stays the same stays as it
 * is held, or not held, so that who shared it before is not refused.
 */
export const changedEmailKey = `case when lower(btrim(email)) = lower(btrim(?::text)) then email_key else ${emailKey} end`;

/**
 * Selects a row if an active customer has an address that must be unique now, and holds no key of it. Bound to the tenant,
 * the address, and the id of the customer that wants it.
 */
export const ownerWithoutKey = `
  select from customers owner
  where owner.tenant_id = ? and lower(owner.email) = lower(btrim(?::text)) and owner.id <> ?
    and owner.email_key is null and owner.delete_time is null and not owner.purged`;

interface Claim {
  readonly id: string;
  readonly email: string | null;
  /** The version of the settings that ask for unique addresses; absent while they are held. */
  readonly settingsVersion?: number;
}

/**
 * Whether a customer, new or not, may not take an address because an owner without a key has it. One that has the
 * address already may keep it.
 */
export async function isRefusedByOwner(db: Knex, tenantId: string, claim: Claim): Promise<boolean> {
  const { id, email, settingsVersion = null } = claim;
  const refused = await db.raw(
    `select from tenants where tenant_id = ? and rules_version = coalesce(?, rules_version)
     and exists (${ownerWithoutKey})
     and not exists (select from customers where tenant_id = ? and id = ? and delete_time is null
       and lower(email) = lower(btrim(?::text)))`,
    [tenantId, settingsVersion, tenantId, email, id, tenantId, id, email],
  );
  return refused.rows.length > 0;
}

/** Gives an active, locked customer the key of its address, unless somebody has it. */
export async function claimEmailKey(trx: Knex, tenantId: string, id: string): Promise<void> {
  const key = emailKey.replace("?", "customers.email");
  await trx("customers")
    .where({ tenant_id: tenantId, id, email_key: null, delete_time: null })
    .whereRaw(`not exists (select from customers o where o.tenant_id = ? and o.email_key = ${key})`, [tenantId])
    .update({ email_key: trx.raw(key) });
}
