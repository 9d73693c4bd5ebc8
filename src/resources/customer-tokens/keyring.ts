import type { Knex } from "knex";
import type { Caller } from "../../rpc/callers/caller.js";
import { createSecretNames, partsOfName } from "../../rpc/callers/secret.js";
import { createLookupTurns, onBehalfOf } from "../../rpc/calls/fair-queue.js";
import type { Clock } from "../../rpc/ids.js";
import { createTtlCache } from "../../rpc/ttl-cache.js";
import { findTokenCredential, holderOf } from "./store.js";

/** Finds the caller behind a token. Answers may be 5 s old; the expiry of a token is exact. */
export interface TokenKeyring {
  /** The caller behind a token, used from a network address; undefined if it is malformed, unknown, revoked or expired. */
  authenticate(secret: string, address: string): Caller | undefined | Promise<Caller | undefined>;
  /** Forgets all tokens of a `holderOf`. */
  forget(owner: string): void;
  clear(): void;
}

interface CachedToken {
  readonly caller: Caller;
  readonly owner: string;
  readonly expireTime: Date;
  /** The time before the load began. */
  readonly loadTime: number;
}

const freshness = { ttlMs: 5_000, maxSize: 10_000, missTtlMs: 5_000 };

export function createTokenKeyring(db: Knex, clock: Clock): TokenKeyring {
  const nameOf = createSecretNames(["ct"]);
  const inTurn = createLookupTurns();
  const cache = createTtlCache<CachedToken | undefined>(load, freshness);
  // When the tokens of an owner were forgotten: what was loaded before is not believed. Oldest first.
  const forgotten = new Map<string, number>();
  const isCurrent = ({ owner, loadTime }: CachedToken) => loadTime > (forgotten.get(owner) ?? Number.NEGATIVE_INFINITY);
  const callerIn = (token: CachedToken | undefined) =>
    token !== undefined && clock() < token.expireTime ? token.caller : undefined;

  return {
    authenticate(secret, address) {
      const name = nameOf(secret);
      if (name === undefined) return undefined;
      const cachedToken = cache.peek(name);
      if (cachedToken !== undefined && isCurrent(cachedToken)) return callerIn(cachedToken);
      return onBehalfOf(address, async () => {
        const freshToken = await cache.get(name);
        if (freshToken === undefined || isCurrent(freshToken)) return callerIn(freshToken);
        cache.forget(name);
        return callerIn(await cache.get(name));
      });
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

  async function load(name: string, last: CachedToken | undefined): Promise<CachedToken | undefined> {
    const loadTime = performance.now();
    const { tenantId, secretHash } = partsOfName(name);
    const find = () => findTokenCredential(db, tenantId, secretHash);
    const row = last === undefined ? await inTurn(find) : await find();
    if (row === undefined) return undefined;
    const caller: Caller = {
      kind: "customer_token",
      tenantId,
      accountId: row.account_id,
      liveMode: row.live_mode,
      actor: row.id,
      subjectId: row.customer_id,
      tenantKey: row.page_token_key,
    };
    return { caller, owner: holderOf(tenantId, row.customer_id), expireTime: row.expire_time, loadTime };
  }
}
