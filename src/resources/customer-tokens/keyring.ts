import type { Knex } from "knex";
import type { Caller } from "../../rpc/callers/caller.js";
import { hashOfSecret, tenantOfSecret } from "../../rpc/callers/secret.js";
import type { Clock } from "../../rpc/ids.js";
import { createTtlCache } from "../../rpc/ttl-cache.js";
import { findTokenCredential, holderOf } from "./store.js";

/** Whose tokens are, at most 5 s old; that one has expired is known at once. */
export interface TokenKeyring {
  /** The caller behind a token; undefined if it is malformed, unknown, revoked or expired. */
  authenticate(secret: string): Promise<Caller | undefined>;
  /** Forgets all tokens of a `holderOf`. */
  forget(owner: string): void;
  clear(): void;
}

interface Known {
  readonly caller: Caller;
  readonly owner: string;
  readonly expireTime: Date;
  /** What it was loaded after. */
  readonly loadTime: number;
}

const freshness = { ttlMs: 5_000, maxSize: 10_000 };

export function createTokenKeyring(db: Knex, clock: Clock): TokenKeyring {
  // Keyed by the tenant and the hash, so that no secret stays in memory.
  const cache = createTtlCache(load, freshness);
  // When the tokens of an owner were forgotten: what was loaded before is not believed. Oldest first.
  const forgotten = new Map<string, number>();

  return {
    async authenticate(secret) {
      const tenantId = tenantOfSecret(secret, ["ct"]);
      if (tenantId === undefined) return undefined;
      const key = `${tenantId} ${hashOfSecret(secret).toString("hex")}`;
      let known = await cache.get(key);
      if (known !== undefined && known.loadTime <= (forgotten.get(known.owner) ?? Number.NEGATIVE_INFINITY)) {
        cache.forget(key);
        known = await cache.get(key);
      }
      return known !== undefined && clock() < known.expireTime ? known.caller : undefined;
    },
    forget(owner) {
      const now = performance.now();
      forgotten.delete(owner);
      forgotten.set(owner, now);
      for (const [oldest, time] of forgotten) {
        // Nothing in the cache is that old; a load takes a deadline at most.
        if (time > now - 15 * freshness.ttlMs) break;
        forgotten.delete(oldest);
      }
    },
    clear: () => cache.clear(),
  };

  async function load(key: string): Promise<Known | undefined> {
    const loadTime = performance.now();
    const [tenantId = "", hash = ""] = key.split(" ");
    const row = await findTokenCredential(db, tenantId, Buffer.from(hash, "hex"));
    if (row === undefined) return undefined;
    const caller: Caller = {
      kind: "customer_token",
      tenantId,
      accountId: row.account_id,
      liveMode: row.live_mode,
      actor: row.id,
      customerId: row.customer_id,
      pageTokenKey: row.page_token_key,
    };
    return { caller, owner: holderOf(tenantId, row.customer_id), expireTime: row.expire_time, loadTime };
  }
}
