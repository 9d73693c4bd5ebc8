import type { Deps } from "../../deps.js";
import type { Call } from "../../rpc/callers/caller.js";
import { createSecret, hashOfSecret } from "../../rpc/callers/secret.js";
import { type CustomerTokenRow, insertCustomerToken } from "./store.js";

const lifetimeMs = 24 * 60 * 60 * 1000;

/** A customer who was recognised, and how. */
export interface Recognised {
  readonly customerId: string;
  readonly method: CustomerTokenRow["method"];
  /** The password that was checked; no token is made if it is another one meanwhile. */
  readonly passwordId?: string;
}

/** Makes a token; undefined if there is no such active customer, or the password has changed since. */
export async function issueToken(
  { newId, randomBytes }: Pick<Deps, "newId" | "randomBytes">,
  call: Call,
  { customerId, method, passwordId }: Recognised,
): Promise<{ row: CustomerTokenRow; secret: string } | undefined> {
  const { db, tenantId, now, event } = call;
  const secret = createSecret("ct", call, randomBytes);
  const columns = {
    id: newId("tok"),
    customer_id: customerId,
    method,
    secret_hash: hashOfSecret(secret),
    last4: secret.slice(-4),
    create_time: now,
    update_time: now,
    expire_time: new Date(now.getTime() + lifetimeMs),
  };
  const row = await insertCustomerToken(db, tenantId, columns, passwordId, event("customer_token.created"));
  return row && { row, secret };
}
