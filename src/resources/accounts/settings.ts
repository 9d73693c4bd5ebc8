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
  /** The settings, at most 5 s old. What is decided by them must be checked against `version` when it is written. */
  current(tenantId: string): Promise<TenantSettings>;
  /** The settings as they stay until the end of the transaction. Hold them before locking anything else. */
  hold(trx: Knex, tenantId: string): Promise<AccountSettings>;
  forget(tenantId: string): void;
  clear(): void;
}

/** Notified with a tenant's id when its settings have changed. */
export const settingsChannel = "clientele_settings";

const freshness = { ttlMs: 5_000, maxSize: 10_000 };

export function createSettingsReader(db: Knex): SettingsReader {
  const cache = createTtlCache(async (tenantId) => {
    const row = existing(await store.findTenant(db, tenantId));
    return { settings: settingsFromRow(row), version: row.settings_version };
  }, freshness);
  return {
    current: (tenantId) => cache.get(tenantId),
    hold: async (trx, tenantId) => settingsFromRow(existing(await store.holdTenant(trx, tenantId))),
    forget: cache.forget,
    clear: cache.clear,
  };
}

// A caller's tenant exists: its key refers to it.
function existing(row: store.TenantRow | undefined): store.TenantRow {
  if (row === undefined) throw new Error("a caller without a tenant");
  return row;
}
