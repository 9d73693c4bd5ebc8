import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type CustomFieldRow, definitionsOfTenant, rowsFromJson } from "../custom-fields/store.js";
import { changeWithEvent } from "../events/store.js";

/** One tenant: an account's test half or its live half. */
export interface TenantRow {
  tenant_id: string;
  account_id: string;
  account_name: string;
  live_mode: boolean;
  settings: JsonObject;
  settings_version: number;
  custom_fields_version: number;
  /** Rises with each of the two before. */
  rules_version: number;
  settings_update_time: Date;
  page_token_key: Buffer;
  version: number;
  create_time: Date;
}

export async function insertTenant(
  trx: Knex.Transaction,
  tenantId: string,
  tenant: Omit<TenantRow, "settings_version" | "custom_fields_version" | "rules_version" | "version">,
  event: EventDraft,
) {
  const change = trx("tenants").insert(tenant).returning(["*", "account_id as id"]);
  await changeWithEvent(trx, tenantId, change, event);
}

export async function findTenant(db: Knex, tenantId: string): Promise<TenantRow | undefined> {
  return await db("tenants").where({ tenant_id: tenantId }).first();
}

const selectTenantRules = defineStatement<TenantRow & { fields: CustomFieldRow[] }, { readonly tenantId: string }>(
  (db, { tenantId }) =>
    db("tenants")
      .where({ tenant_id: tenantId })
      .select("tenants.*", db.raw(`${definitionsOfTenant} as fields`)),
);

/** The tenant with the definitions of its custom fields, by position. One statement. */
export async function findTenantRules(db: Knex, tenantId: string) {
  const [row] = await selectTenantRules(db, { tenantId });
  return row && { tenant: row, fields: rowsFromJson(row.fields) };
}

/** Tells that the definitions of a locked tenant's custom fields have changed. */
export async function raiseCustomFieldsVersion(trx: Knex.Transaction, tenantId: string): Promise<void> {
  await trx("tenants")
    .where({ tenant_id: tenantId })
    .update({ custom_fields_version: trx.raw("custom_fields_version + 1") });
}

/** Any number that no other advisory lock uses. */
const accountsLock = 7_236_002;

/** Makes processes that create accounts take turns until their transactions end. */
export async function lockAccounts(trx: Knex.Transaction): Promise<void> {
  await trx.raw("select pg_advisory_xact_lock(?)", [accountsLock]);
}

/** All tenants, by account. Looks across tenants: for the command line alone. */
export async function listTenants(db: Knex): Promise<TenantRow[]> {
  return await db("tenants").orderBy(["create_time", "account_id", "live_mode"]);
}

// Postgres lets those who share a row go before one who waits to change it, for ever if they keep coming; an advisory lock
// is a queue. It is taken before the row, in the same statement.
const queue = (mode: "" | "_shared") =>
  `(select pg_advisory_xact_lock${mode}(hashtextextended('settings ' || ?::text, 0))) as queue, tenants`;

/** The tenant as it stays until the end of the transaction: nobody changes its settings meanwhile. */
export async function holdTenant(trx: Knex.Transaction, tenantId: string): Promise<TenantRow | undefined> {
  return await queued(trx, tenantId, "_shared").forShare("tenants").first("tenants.*");
}

/**
 * Selects the tenant for a statement that writes only while the settings have a version, and holds them until then as
 * `holdTenant` does. Both may be places.
 */
export function selectHeldTenant(db: Knex, tenantId: string, rulesVersion: number): Knex.Raw {
  return db.raw(
    `select tenants.tenant_id from ${queue("_shared")}
     where tenants.tenant_id = ? and rules_version = ? for share of tenants`,
    [tenantId, tenantId, rulesVersion],
  );
}

/** The tenant, once every transaction that holds it has ended; those that come meanwhile wait. */
export async function lockTenant(trx: Knex.Transaction, tenantId: string): Promise<TenantRow | undefined> {
  // Not for update: the foreign key of an idempotency key holds the row already, and may hold it for several callers.
  return await queued(trx, tenantId, "").forNoKeyUpdate("tenants").first("tenants.*");
}

function queued(trx: Knex.Transaction, tenantId: string, mode: "" | "_shared"): Knex.QueryBuilder {
  return trx.from(trx.raw(queue(mode), [tenantId])).where("tenants.tenant_id", tenantId);
}

export async function updateSettings(trx: Knex.Transaction, tenantId: string, settings: JsonObject, event: EventDraft) {
  const change = trx("tenants")
    .where({ tenant_id: tenantId })
    .update({
      settings,
      settings_version: trx.raw("settings_version + 1"),
      settings_update_time: event.time,
    })
    .returning(["*", "tenant_id as id"]);
  const [row] = await changeWithEvent<TenantRow>(trx, tenantId, change, event);
  return row!;
}
