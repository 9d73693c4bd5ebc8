import type { JsonValue } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";

/** The columns of a definition that a client decides. */
export interface CustomFieldColumns {
  slug: string;
  name: string;
  description: string | null;
  type: string;
  rules: JsonValue[];
  required: boolean;
  default_value: JsonValue;
  enabled: boolean;
  position: number;
  writable_by_customer: boolean;
}

export interface CustomFieldRow extends CustomFieldColumns {
  tenant_id: string;
  id: string;
  version: number;
  create_time: Date;
  update_time: Date;
}

// The first free place of the hundred; none if there are a hundred definitions.
const freeSlot = `
  select min(place) as slot from generate_series(1, 100) place
  where not exists (select from custom_fields taken where taken.tenant_id = ? and taken.slot = place)`;

/** Inserts a definition while the tenant is locked; undefined if there are a hundred. */
export async function insertCustomField(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  columns: CustomFieldColumns,
  event: EventDraft,
): Promise<CustomFieldRow | undefined> {
  const row = { id, ...columns, create_time: event.time, update_time: event.time };
  const names = Object.keys(row);
  const change = trx.raw(
    `insert into custom_fields (tenant_id, slot, ${names.map(() => "??").join(", ")})
     select ?, free.slot, ${names.map(() => "??").join(", ")}
     from (${freeSlot}) free, jsonb_populate_record(null::custom_fields, ?::jsonb) given
     where free.slot is not null
     returning *`,
    [...names, tenantId, ...names.map((name) => `given.${name}`), tenantId, JSON.stringify(row)],
  );
  const [inserted] = await changeWithEvent<CustomFieldRow>(trx, tenantId, change, event);
  return inserted;
}

/** The id of a deleted definition of that slug and type that can still come back, the last one deleted. */
export async function findRestorable(
  trx: Knex.Transaction,
  tenantId: string,
  { slug, type }: Pick<CustomFieldColumns, "slug" | "type">,
  now: Date,
): Promise<string | undefined> {
  const deleted = trx("custom_fields").where({ tenant_id: tenantId, slug, type }).where("purge_time", ">", now);
  const row = await deleted.orderBy("delete_time", "desc").forUpdate().first("id");
  return row?.id;
}

/** Brings a deleted definition back while the tenant is locked; undefined if there are a hundred others. */
export async function restoreCustomField(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  columns: CustomFieldColumns,
  event: EventDraft,
): Promise<CustomFieldRow | undefined> {
  const change = trx("custom_fields")
    .where({ tenant_id: tenantId, id })
    .whereRaw(`exists (select from (${freeSlot}) free where free.slot is not null)`, [tenantId])
    .update({
      ...written(columns),
      delete_time: null,
      purge_time: null,
      slot: trx.raw(`(${freeSlot})`, [tenantId]),
      version: trx.raw("version + 1"),
      update_time: event.time,
    })
    .returning("*");
  const [row] = await changeWithEvent<CustomFieldRow>(trx, tenantId, change, event);
  return row;
}

export async function findCustomField(db: Knex, tenantId: string, id: string): Promise<CustomFieldRow | undefined> {
  return await db("custom_fields").where({ tenant_id: tenantId, id, delete_time: null }).first();
}

export async function lockCustomField(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<CustomFieldRow | undefined> {
  return await trx("custom_fields").where({ tenant_id: tenantId, id, delete_time: null }).forUpdate().first();
}

export async function listCustomFields(db: Knex, tenantId: string, page: Page): Promise<CustomFieldRow[]> {
  const all = db("custom_fields").where({ tenant_id: tenantId, delete_time: null });
  return await selectPage(all, "custom_fields", page);
}

export async function updateCustomField(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  columns: CustomFieldColumns,
  event: EventDraft,
): Promise<CustomFieldRow> {
  const change = trx("custom_fields")
    .where({ tenant_id: tenantId, id })
    .update({ ...written(columns), version: trx.raw("version + 1"), update_time: event.time })
    .returning("*");
  const [row] = await changeWithEvent<CustomFieldRow>(trx, tenantId, change, event);
  return row!;
}

/** Deletes a locked definition, which can come back until `purgeTime`. */
export async function deleteCustomField(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  purgeTime: Date,
  event: EventDraft,
) {
  const change = trx("custom_fields")
    .where({ tenant_id: tenantId, id })
    .update({
      delete_time: event.time,
      purge_time: purgeTime,
      slot: null,
      version: trx.raw("version + 1"),
      update_time: event.time,
    })
    .returning("*");
  await changeWithEvent(trx, tenantId, change, event);
}

/**
 * The definitions whose values are to be erased, which cannot come back from now on: those whose time has come, and those
 * that were begun before. Looks across tenants: for the job alone.
 */
export async function beginPurges(db: Knex, now: Date): Promise<Pick<CustomFieldRow, "tenant_id" | "id">[]> {
  await db("custom_fields").where("purge_time", "<=", now).update({ purge_time: null });
  return await db("custom_fields").whereNotNull("delete_time").whereNull("purge_time").select("tenant_id", "id");
}

/** Erases the values of a definition from the next customers by id; answers the last one's, undefined if there is none. */
export async function eraseValues(
  db: Knex,
  tenantId: string,
  id: string,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<string | undefined> {
  const erased = await db.raw<{ rows: { last: string | null }[] }>(
    `with batch as (
       select id from customers where tenant_id = ? and id > ? and custom_fields <> '{}' order by id limit ?),
     erased as (
       update customers set custom_fields = custom_fields - ?::text
       where tenant_id = ? and id in (select id from batch) and jsonb_exists(custom_fields, ?))
     select max(id) as last from batch`,
    [tenantId, after, limit, id, tenantId, id],
  );
  return erased.rows[0]?.last ?? undefined;
}

/** Removes a definition that was deleted, and whose values are erased. */
export async function purgeCustomField(db: Knex, tenantId: string, id: string): Promise<void> {
  await db("custom_fields").where({ tenant_id: tenantId, id }).whereNotNull("delete_time").delete();
}

/** SQL of the definitions of the row of `tenants` beside it, by position, as a JSON list for `rowsFromJson`. */
export const definitionsOfTenant = `
  (select coalesce(jsonb_agg(to_jsonb(field) order by field.position, field.id), '[]') from custom_fields field
   where field.tenant_id = tenants.tenant_id and field.delete_time is null)`;

/** Definitions that come out of JSON, where times are text. */
export function rowsFromJson(rows: readonly CustomFieldRow[]): CustomFieldRow[] {
  return rows.map((row) => {
    return { ...row, create_time: new Date(row.create_time), update_time: new Date(row.update_time) };
  });
}

// The driver would take a list for an array of Postgres, and a text for JSON.
function written({ rules, default_value, ...columns }: CustomFieldColumns) {
  return {
    ...columns,
    rules: JSON.stringify(rules),
    default_value: default_value === null ? null : JSON.stringify(default_value),
  };
}
