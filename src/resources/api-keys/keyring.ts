import type { Knex } from "knex";
import type { Caller } from "../../rpc/callers/caller.js";
import { createSecretNames, partsOfName } from "../../rpc/callers/secret.js";
import { createLookupTurns, onBehalfOf } from "../../rpc/calls/fair-queue.js";
import { createTtlCache } from "../../rpc/ttl-cache.js";
import * as store from "./store.js";

/** The callers of keys, less than 5 s old. */
export interface Keyring {
  /** The caller behind a key, called from a network address; undefined if the key is malformed, unknown or revoked. */
  authenticate(secret: string, address: string): Caller | undefined | Promise<Caller | undefined>;
  /** Forgets a key by its `secretName`. */
  forget(name: string): void;
  clear(): void;
}

/** Notified with the `secretName` of a key that is revoked. */
export const keysChannel = "clientele_keys";

// A stream asks again every 500 ms, and is to end within 5 s of its key.
const freshness = { ttlMs: 4_500, maxSize: 10_000, missTtlMs: 4_500 };

export function createKeyring(db: Knex): Keyring {
  const nameOf = createSecretNames(["sk", "pk"]);
  const inTurn = createLookupTurns();
  const cache = createTtlCache<Caller | undefined>(async (name, last) => {
    const { tenantId, secretHash } = partsOfName(name);
    const find = () => store.findCredential(db, tenantId, secretHash);
    const row = last === undefined ? await inTurn(find) : await find();
    return (
      row && {
        kind: row.kind === "secret" ? "secret_key" : "publishable_key",
        tenantId,
        accountId: row.account_id,
        liveMode: row.live_mode,
        actor: row.id,
        tenantKey: row.page_token_key,
      }
    );
  }, freshness);

  return {
    authenticate(secret, address) {
      const name = nameOf(secret);
      if (name === undefined) return undefined;
      return cache.peek(name) ?? onBehalfOf(address, () => cache.get(name));
    },
    forget: cache.forget,
    clear: cache.clear,
  };
}
