import type { Knex } from "knex";
import type { Caller } from "../../rpc/callers/caller.js";
import { hashOfSecret, tenantOfSecret } from "../../rpc/callers/secret.js";
import { createTtlCache } from "../../rpc/ttl-cache.js";
import * as store from "./store.js";

/** Who keys belong to, less than 5 s old. */
export interface Keyring {
  /** The caller behind a key; undefined if the key is malformed, unknown or revoked. */
  authenticate(secret: string): Promise<Caller | undefined>;
  forget(key: string): void;
  clear(): void;
}

/** Notified with the `keyOf` a key that is revoked. */
export const keysChannel = "clientele_keys";

// A stream asks again every 500 ms, and is to end within 5 s of its key.
const freshness = { ttlMs: 4_500, maxSize: 10_000 };

export function createKeyring(db: Knex): Keyring {
  // Keyed by the tenant and the hash, so that no secret stays in memory.
  const cache = createTtlCache(async (key): Promise<Caller | undefined> => {
    const [tenantId = "", hash = ""] = key.split(" ");
    const row = await store.findCredential(db, tenantId, Buffer.from(hash, "hex"));
    return (
      row && {
        kind: row.kind === "secret" ? "secret_key" : "publishable_key",
        tenantId,
        accountId: row.account_id,
        liveMode: row.live_mode,
        actor: row.id,
        pageTokenKey: row.page_token_key,
      }
    );
  }, freshness);

  return {
    async authenticate(secret) {
      const tenantId = tenantOfSecret(secret, ["sk", "pk"]);
      return tenantId === undefined ? undefined : await cache.get(keyOf(tenantId, hashOfSecret(secret)));
    },
    forget: cache.forget,
    clear: cache.clear,
  };
}

/** What a keyring knows a key by: the tenant and the hash of the secret. */
export function keyOf(tenantId: string, secretHash: Buffer): string {
  return `${tenantId} ${secretHash.toString("hex")}`;
}
