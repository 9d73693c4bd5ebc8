import { createHash } from "node:crypto";
import { type RandomBytes, randomToken } from "../ids.js";

/** The kind of a credential: a secret key, a publishable key, or a customer token. */
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

/** The stored hash of a secret. A secret is random enough that a plain hash cannot be searched. */
export function hashOfSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

/** The tenant and the hash by which a keyring finds a secret; undefined for a text of another form. */
export type NameOfSecret = (secret: string) => string | undefined;

const mostNames = 10_000;

/** Names secrets of these kinds. It remembers the last ones, so that a key that calls again is not hashed again. */
export function createSecretNames(prefixes: readonly SecretPrefix[]): NameOfSecret {
  const names = new Map<string, string>();
  return (secret) => {
    const cachedName = names.get(secret);
    if (cachedName !== undefined) return cachedName;
    const tenantId = tenantOfSecret(secret, prefixes);
    if (tenantId === undefined) return undefined;
    const name = secretName(tenantId, hashOfSecret(secret));
    if (names.size >= mostNames) names.clear();
    names.set(secret, name);
    return name;
  };
}

/** The name of a secret by its hash. */
export function secretName(tenantId: string, secretHash: Buffer): string {
  return `${tenantId} ${secretHash.toString("hex")}`;
}

/** The tenant and the hash in a name. */
export function partsOfName(name: string): { readonly tenantId: string; readonly secretHash: Buffer } {
  const [tenantId = "", hash = ""] = name.split(" ");
  return { tenantId, secretHash: Buffer.from(hash, "hex") };
}
