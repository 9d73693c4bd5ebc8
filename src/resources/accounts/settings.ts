import type { Knex } from "knex";
import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import type { CustomField } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { isTransaction } from "../../db/transaction.js";
import { createTtlCache } from "../../rpc/ttl-cache.js";
import { customFieldFromRow } from "../custom-fields/convert.js";
import { settingsFromRow } from "./convert.js";
import * as store from "./store.js";

/** The settings and custom fields of a tenant, at one version. */
export interface TenantSettings {
  readonly settings: AccountSettings;
  /** The definitions of custom fields, by position; those that are disabled too. */
  readonly customFields: readonly CustomField[];
  readonly version: number;
}

/** Where services read the settings of a tenant. */
export interface SettingsReader {
  /**
   * The settings. In a transaction they stay as they are until its end: read them before locking anything else. Outside
   * of one they may be 5 s old: what is decided by them must be checked against `version` when it is written.
   */
  read(db: Knex, tenantId: string): TenantSettings | Promise<TenantSettings>;
  forget(tenantId: string): void;
  clear(): void;
}

/** Notified with a tenant's id when its settings, or the definitions of its custom fields, have changed. */
export const settingsChannel = "clientele_settings";

const freshness = { ttlMs: 5_000, maxSize: 10_000 };

export function createSettingsReader(pool: Knex): SettingsReader {
  const cache = createTtlCache(async (tenantId) => await loadSettings(pool, tenantId), freshness);
  // The rules that transactions held last. They are current while the held row has their version.
  const held = new Map<string, TenantSettings>();

  return {
    // Never from the pool in a transaction: callers that hold all its connections would wait for one more.
    read: (db, tenantId) => (isTransaction(db) ? readHeld(db, tenantId) : cache.get(tenantId)),
    forget: cache.forget,
    clear: cache.clear,
  };

  async function readHeld(trx: Knex.Transaction, tenantId: string): Promise<TenantSettings> {
    const row = await store.holdTenant(trx, tenantId);
    const heldSettings = held.get(tenantId);
    if (heldSettings !== undefined && heldSettings.version === row?.rules_version) return heldSettings;
    const freshSettings = await loadSettings(trx, tenantId);
    held.delete(tenantId);
    held.set(tenantId, freshSettings);
    // A Map keeps the order of insertion: the first is the oldest.
    for (const oldest of held.keys()) {
      if (held.size <= freshness.maxSize) break;
      held.delete(oldest);
    }
    return freshSettings;
  }
}

/** Reads the present settings and custom fields of a tenant in one statement. */
export async function loadSettings(db: Knex, tenantId: string): Promise<TenantSettings> {
  const rules = await store.findTenantRules(db, tenantId);
  // A caller's tenant exists: its key refers to it.
  if (rules === undefined) throw new Error("a caller without a tenant");
  return {
    settings: settingsFromRow(rules.tenant),
    customFields: rules.fields.map(customFieldFromRow),
    version: rules.tenant.rules_version,
  };
}
