import { SettingsPreset } from "../gen/clientele/v1/accounts_pb.js";
import type { ApiKey, ApiKeyKind } from "../gen/clientele/v1/api_keys_pb.js";
import { notify } from "./db/notifications.js";
import { inTransaction } from "./db/transaction.js";
import type { Deps } from "./deps.js";
import { holdsCardNumber } from "./formats/card-numbers.js";
import { type CreatedAccount, createAccount } from "./resources/accounts/create.js";
import { listTenants, lockAccounts, type TenantRow } from "./resources/accounts/store.js";
import { apiKeyFromRow } from "./resources/api-keys/convert.js";
import { keysChannel } from "./resources/api-keys/keyring.js";
import { newApiKey } from "./resources/api-keys/secret.js";
import { insertApiKey, listAllApiKeys, lockApiKey, revokeApiKey } from "./resources/api-keys/store.js";
import { secretName } from "./rpc/callers/secret.js";
import { systemEvent } from "./rpc/calls/event-draft.js";
import { transact } from "./rpc/calls/transaction.js";

// The command line's operations on keys: those of ApiKeyService, authorized by access to the database.

/** The dependencies of an operation. */
export type OperatorDeps = Pick<Deps, "db" | "clock" | "newId" | "randomBytes">;

/** The choice of a tenant. The account may be absent where there is only one. */
export interface TenantChoice {
  /** The account's id or name. */
  readonly account?: string | undefined;
  readonly liveMode: boolean;
}

/**
 * The account of a first start, in a database that has none; else undefined. Under a lock, so that two processes that
 * start in one folder make one.
 */
export async function createDemo(deps: OperatorDeps): Promise<CreatedAccount | undefined> {
  return await transact(deps, async (inside) => {
    await lockAccounts(inside.db);
    if ((await listTenants(inside.db)).length > 0) return undefined;
    return await createAccount(inside, "Demo", SettingsPreset.OPEN);
  });
}

/** Refuses a text that is to be stored. Throws an Error that does not repeat it. */
export function requireNoCardNumber(text: string, what: string): void {
  if (holdsCardNumber(text)) throw new Error(`The ${what} must not hold the number of a payment card.`);
}

/** Makes a key. Throws an Error that says what to do if the account is not found, or not the only one of its name. */
export async function createKey(deps: OperatorDeps, choice: TenantChoice, kind: ApiKeyKind, label: string) {
  requireNoCardNumber(label, "label");
  const { tenant_id: tenantId, live_mode: liveMode } = await findTenant(deps, choice);
  const now = deps.clock();
  const { secret, columns } = newApiKey(deps, { tenantId, liveMode, now }, { kind, label });
  const event = systemEvent(now)("api_key.created");
  const row = await insertApiKey(deps.db, tenantId, columns, event);
  return { apiKey: apiKeyFromRow(row, liveMode), secret };
}

/** The keys of a tenant, newest first, revoked ones included. */
export async function listKeys(deps: OperatorDeps, choice: TenantChoice): Promise<ApiKey[]> {
  const { tenant_id: tenantId, live_mode: liveMode } = await findTenant(deps, choice);
  return (await listAllApiKeys(deps.db, tenantId)).map((row) => apiKeyFromRow(row, liveMode));
}

/** Ends a key for ever. Throws an Error if there is no such key, or it has ended already. */
export async function revokeKey(deps: OperatorDeps, choice: TenantChoice, id: string): Promise<ApiKey> {
  const { tenant_id: tenantId, live_mode: liveMode } = await findTenant(deps, choice);
  return await inTransaction(deps.db, async (trx) => {
    const row = await lockApiKey(trx, tenantId, id);
    if (row === undefined) throw new Error(`There is no key ${id} in the ${modeOf(liveMode)} tenant.`);
    if (row.revoke_time !== null) throw new Error(`The key ${id} is revoked already.`);
    await notify(trx, keysChannel, secretName(tenantId, row.secret_hash));
    const event = systemEvent(deps.clock())("api_key.revoked", ["revoke_time"]);
    return apiKeyFromRow(await revokeApiKey(trx, tenantId, id, event), liveMode);
  });
}

/** Finds the chosen tenant. Throws an Error that says what to do if there is none, or more than one of that name. */
export async function findTenant(
  { db }: Pick<OperatorDeps, "db">,
  { account, liveMode }: TenantChoice,
): Promise<TenantRow> {
  const tenants = (await listTenants(db)).filter((tenant) => tenant.live_mode === liveMode);
  const chosen = tenants.filter(
    (tenant) => account === undefined || tenant.account_id === account || tenant.account_name === account,
  );
  const [only] = chosen;
  if (only !== undefined && chosen.length === 1) return only;
  const names = (chosen.length > 0 ? chosen : tenants).map(
    (tenant) => `  ${tenant.account_id}  ${tenant.account_name}`,
  );
  if (names.length === 0) throw new Error("There is no account yet: clientele account create --name NAME");
  throw new Error(`Say which account, with --account and its id:\n${names.join("\n")}`);
}

function modeOf(liveMode: boolean): string {
  return liveMode ? "live" : "test";
}
