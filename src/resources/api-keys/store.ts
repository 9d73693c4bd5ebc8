import type { Knex } from "knex";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";

export interface ApiKeyRow {
  tenant_id: string;
  id: string;
  kind: "secret" | "publishable";
  label: string;
  secret_hash: Buffer;
  last4: string;
  version: number;
  create_time: Date;
  update_time: Date;
  revoke_time: Date | null;
}

export type ApiKeyColumns = Omit<ApiKeyRow, "tenant_id" | "version" | "revoke_time">;

/** A valid key with what its tenant adds. */
export interface CredentialRow {
  id: string;
  kind: "secret" | "publishable";
  account_id: string;
  live_mode: boolean;
  page_token_key: Buffer;
}

export async function insertApiKey(db: Knex, tenantId: string, columns: ApiKeyColumns, event: EventDraft) {
  const change = db("api_keys")
    .insert({ tenant_id: tenantId, ...columns })
    .returning("*");
  const [row] = await changeWithEvent<ApiKeyRow>(db, tenantId, change, event);
  return row!;
}

export async function findApiKey(db: Knex, tenantId: string, id: string): Promise<ApiKeyRow | undefined> {
  return await db("api_keys").where({ tenant_id: tenantId, id }).first();
}

export async function lockApiKey(trx: Knex.Transaction, tenantId: string, id: string): Promise<ApiKeyRow | undefined> {
  return await trx("api_keys").where({ tenant_id: tenantId, id }).forUpdate().first();
}

export async function listApiKeys(db: Knex, tenantId: string, page: Page): Promise<ApiKeyRow[]> {
  return await selectPage(db("api_keys").where({ tenant_id: tenantId }), "api_keys", page);
}

/** All keys of a tenant, newest first: for the command line alone. */
export async function listAllApiKeys(db: Knex, tenantId: string): Promise<ApiKeyRow[]> {
  return await db("api_keys").where({ tenant_id: tenantId }).orderBy("create_time", "desc").orderBy("id", "desc");
}

export async function revokeApiKey(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  event: EventDraft,
): Promise<ApiKeyRow> {
  const change = trx("api_keys")
    .where({ tenant_id: tenantId, id })
    .update({ revoke_time: event.time, update_time: event.time, version: trx.raw("version + 1") })
    .returning("*");
  const [row] = await changeWithEvent<ApiKeyRow>(trx, tenantId, change, event);
  return row!;
}

const selectCredential = defineStatement<CredentialRow, { readonly tenantId: string; readonly hash: Buffer }>(
  (db, { tenantId, hash }) =>
    db("api_keys")
      .join("tenants", "tenants.tenant_id", "api_keys.tenant_id")
      .where({ "api_keys.tenant_id": tenantId, secret_hash: hash, revoke_time: null })
      .select("api_keys.id", "kind", "account_id", "live_mode", "page_token_key"),
);

export async function findCredential(db: Knex, tenantId: string, hash: Buffer): Promise<CredentialRow | undefined> {
  return (await selectCredential(db, { tenantId, hash }))[0];
}
