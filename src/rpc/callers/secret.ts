import { createHash } from "node:crypto";
import { type RandomBytes, randomToken } from "../ids.js";

/** What a credential is: a secret key, a publishable key, or a customer token. */
export type SecretPrefix = "sk" | "pk" | "ct";

/**
 * Makes a secret: its prefix, `test` or `live`, the tenant's 26 characters, so that the secret finds its tenant without a
 * look across tenants, and 32 random ones: 160 bits.
 */
export function createSecret(
  prefix: SecretPrefix,
  { tenantId, liveMode }: { readonly tenantId: string; readonly liveMode: boolean },
  randomBytes: RandomBytes,
): string {
  const mode = liveMode ? "live" : "test";
  return `${prefix}_${mode}_${tenantId.slice(tenantId.indexOf("_") + 1)}${randomToken(randomBytes)}`;
}

/** The tenant that a secret names; undefined if it is not formed like one of these prefixes. */
export function tenantOfSecret(secret: string, prefixes: readonly SecretPrefix[]): string | undefined {
  const [, prefix, suffix] = /^([a-z]{2})_(?:test|live)_([0-9a-z]{26})[0-9a-z]{32}$/.exec(secret) ?? [];
  return prefixes.some((one) => one === prefix) ? `ten_${suffix}` : undefined;
}

/** What is stored of a secret. It holds enough randomness that a plain hash cannot be searched. */
export function hashOfSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
