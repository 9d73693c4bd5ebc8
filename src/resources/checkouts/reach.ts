import type { Call } from "../../rpc/callers/caller.js";
import { hashOfSecret } from "../../rpc/callers/secret.js";
import { notFound } from "../../rpc/errors.js";
import { type RandomBytes, randomToken } from "../../rpc/ids.js";
import { isOf, type Owner, ownerOf } from "../customers/owner.js";

/** Makes the secret of a guest's checkout: 160 random bits. It names no tenant, because the key of a call does. */
export function newCheckoutSecret(randomBytes: RandomBytes): string {
  return `cs_${randomToken(randomBytes)}`;
}

/** The checkouts that a call reaches: those of an owner or, with a secret, the guest's checkout that has it. */
export interface Reach {
  readonly owner: Owner;
  readonly secret?: { readonly hash: Buffer; readonly now: Date };
}

/** The columns that decide whether a checkout is within reach. */
interface Guarded {
  readonly customer_id: string | null;
  readonly secret_hash: Buffer | null;
  readonly expire_time: Date;
}

/**
 * The reach of a call that gives the secret of a checkout, or none. Throws NOT_FOUND, as for an absent checkout, for a
 * publishable key without a secret, and for a customer token with one.
 */
export function reachOf(call: Call, secret: string): Reach {
  const owner = ownerOf(call);
  if (secret === "" && call.kind !== "publishable_key") return { owner };
  if (secret === "" || owner.customer_id !== undefined) throw notFound("checkout");
  return { owner, secret: { hash: hashOfSecret(secret), now: call.now } };
}

/** Whether a checkout is within reach. A secret ends with the checkout's expire_time. */
export function isWithin({ owner, secret }: Reach, row: Guarded): boolean {
  if (!isOf(owner, row)) return false;
  if (secret === undefined) return true;
  return row.customer_id === null && row.secret_hash?.equals(secret.hash) === true && row.expire_time > secret.now;
}
