import type { ChangeCall } from "../../rpc/callers/caller.js";
import type { NewId } from "../../rpc/ids.js";
import { revokeCustomerTokensOf } from "../customer-tokens/store.js";
import { deletePasswordOf, replacePassword } from "./store.js";

/**
 * Writes a hash as the password of a customer, locked or new, and ends all tokens. Answers its id, which the customer
 * must come to show in the same transaction.
 */
export async function writePassword(call: ChangeCall, newId: NewId, customerId: string, hash: string) {
  const { db, tenantId, now } = call;
  const id = newId("pwd");
  await replacePassword(db, tenantId, customerId, { id, hash, create_time: now });
  await endTokens(call, customerId);
  return id;
}

/** Leaves a locked customer without password and tokens; it must not show one any more in the same transaction. */
export async function removeLogin(call: ChangeCall, customerId: string): Promise<void> {
  await deletePasswordOf(call.db, call.tenantId, customerId);
  await endTokens(call, customerId);
}

async function endTokens({ db, tenantId, event }: ChangeCall, customerId: string): Promise<void> {
  await revokeCustomerTokensOf(db, tenantId, customerId, event("customer_token.revoked", ["revoke_time"]));
}
