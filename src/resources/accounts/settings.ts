import type { Knex } from "knex";
import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { createTtlCache } from "../../rpc/ttl-cache.js";
import { settingsFromRow } from "./convert.js";
import * as store from "./store.js";

/** The settings of a tenant at one version. */
export interface TenantSettings {
  readonly settings: AccountSettings;
  readonly version: number;
}

/** Where services read the settings of a tenant. */
export interface SettingsReader {
  /**
   * The settings. In a transaction they stay as they are until its end: read them before locking anything else. Outside
   * of one they may be 5 s old: what is decided by them must be checked against `version` when it is written.
   */
  read(db: Knex, tenantId: string): Promise<TenantSettings>;
  forget(tenantId: string): void;
  clear(): void;
}

/** Notified with a tenant's id when its settings have changed. */
export const settingsChannel = "clientele_settings";

const freshness = { ttlMs: 5_000, maxSize: 10_000 };

export function createSettingsReader(pool: Knex): SettingsReader {
  const cache = createTtlCache(async (tenantId) => settingsOf(await store.findTenant(pool, tenantId)), freshness);
  return {
    // Never from the pool in a transaction: callers that hold all its connections would wait for one more.
    async read(db, tenantId) {
      return db.isTransaction ? settingsOf(await store.holdTenant(db, tenantId)) : await cache.get(tenantId);
    },
    forget: cache.forget,
    clear: cache.clear,
  };
}

// A caller's tenant exists: its key refers to it.
function settingsOf(row: store.TenantRow | undefined): TenantSettings {
  if (row === undefined) throw new Error("a caller without a tenant");
  return { settings: settingsFromRow(row), version: row.settings_version };
}
