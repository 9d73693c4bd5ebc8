import type { Knex } from "knex";
import type { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { inTransaction } from "../../db/transaction.js";
import { systemEvent } from "../../rpc/calls/event-draft.js";
import type { Clock, NewId, RandomBytes } from "../../rpc/ids.js";
import { newApiKey } from "../api-keys/secret.js";
import { insertApiKey } from "../api-keys/store.js";
import { settingsToColumn } from "./convert.js";
import { presetSettings } from "./presets.js";
import * as store from "./store.js";

interface Deps {
  readonly db: Knex;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly randomBytes: RandomBytes;
}

/** A new account: its two tenants and, shown this once, a secret key for each. */
export interface CreatedAccount {
  readonly accountId: string;
  readonly testKey: string;
  readonly liveKey: string;
}

/** Creates an account with its test and live tenants, both with the settings of the preset. For operators alone. */
export async function createAccount(deps: Deps, name: string, preset: SettingsPreset): Promise<CreatedAccount> {
  const { clock, newId, randomBytes } = deps;
  const accountId = newId("acc");
  const now = clock();
  const event = systemEvent(now);
  return await inTransaction(deps.db, async (trx) => {
    const [testKey, liveKey] = [await createTenant(trx, false), await createTenant(trx, true)];
    return { accountId, testKey, liveKey };
  });

  async function createTenant(trx: Knex.Transaction, liveMode: boolean): Promise<string> {
    const tenantId = newId("ten");
    const tenant = {
      tenant_id: tenantId,
      account_id: accountId,
      account_name: name,
      live_mode: liveMode,
      settings: settingsToColumn(presetSettings(preset)),
      settings_update_time: now,
      page_token_key: Buffer.from(randomBytes(32)),
      create_time: now,
    };
    await store.insertTenant(trx, tenantId, tenant, event("account.created"));
    const label = "The first key";
    const { secret, columns } = newApiKey(deps, { tenantId, liveMode, now }, { kind: ApiKeyKind.SECRET, label });
    await insertApiKey(trx, tenantId, columns, event("api_key.created"));
    return secret;
  }
}
