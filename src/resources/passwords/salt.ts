import { createHmac } from "node:crypto";
import type { Call } from "../../rpc/callers/caller.js";

const saltBytes = 16;

/**
 * The salt of a password, shared by the customers of a tenant who share an e-mail address. One hash then tells which of
 * them a password belongs to, however many they are. Undefined without an address: such a password has a salt of its own.
 */
export function saltOf({ tenantKey }: Pick<Call, "tenantKey">, email: string | null | undefined) {
  const address = (email ?? "").trim().toLowerCase();
  if (address === "") return undefined;
  const mac = createHmac("sha256", tenantKey).update(JSON.stringify(["password salt", address]));
  return mac.digest().subarray(0, saltBytes);
}
