import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";

export interface EndpointRow {
  tenant_id: string;
  id: string;
  url: string;
  event_types: string[];
  label: string;
  enabled: boolean;
  disable_time: Date | null;
  secret_version: number;
  /** Until when the secret before signs too. */
  previous_secret_until: Date | null;
  version: number;
  create_time: Date;
  update_time: Date;
}

export type EndpointColumns = Pick<EndpointRow, "url" | "event_types" | "label" | "enabled">;

const table = "webhook_endpoints";
const columnNames: readonly (keyof EndpointRow)[] = [
  "tenant_id",
  "id",
  "url",
  "event_types",
  "label",
  "enabled",
  "disable_time",
  "secret_version",
  "previous_secret_until",
  "version",
  "create_time",
  "update_time",
];

/** Inserts an endpoint that gets the events behind the number `cursor`, unless the tenant has `limit` of them: then undefined. */
export async function insertEndpoint(
  trx: Knex.Transaction,
  tenantId: string,
  { id, columns, cursor, limit }: { id: string; columns: EndpointColumns; cursor: number; limit: number },
  event: EventDraft,
): Promise<EndpointRow | undefined> {
  // Callers that create one at the same time take turns.
  await trx.raw("select pg_advisory_xact_lock(hashtextextended(?, 0))", [`webhook_endpoints ${tenantId}`]);
  const row = { tenant_id: tenantId, id, ...columns, cursor, create_time: event.time, update_time: event.time };
  const names = Object.keys(row);
  const change = trx.raw(
    `insert into webhook_endpoints (${names.map(() => "??").join(", ")})
     select ${names.map(() => "??").join(", ")} from jsonb_populate_record(null::webhook_endpoints, ?::jsonb)
     where (select count(*) from webhook_endpoints where tenant_id = ?) < ?
     returning ${columnNames.join(", ")}`,
    [...names, ...names, JSON.stringify(row), tenantId, limit],
  );
  const [inserted] = await changeWithEvent<EndpointRow>(trx, tenantId, change, event);
  return inserted;
}

export async function findEndpoint(db: Knex, tenantId: string, id: string): Promise<EndpointRow | undefined> {
  return await db(table)
    .where({ tenant_id: tenantId, id })
    .first(...columnNames);
}

export async function lockEndpoint(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<EndpointRow | undefined> {
  return await trx(table)
    .where({ tenant_id: tenantId, id })
    .forUpdate()
    .first(...columnNames);
}

export async function listEndpoints(db: Knex, tenantId: string, page: Page): Promise<EndpointRow[]> {
  return await selectPage(db(table).where({ tenant_id: tenantId }).select(columnNames), table, page);
}

/** Changes a locked endpoint. */
export async function updateEndpoint(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  columns: Partial<Omit<EndpointRow, "tenant_id" | "id" | "version" | "create_time" | "update_time">>,
  event: EventDraft,
): Promise<EndpointRow> {
  const change = trx(table)
    .where({ tenant_id: tenantId, id })
    .update({ ...columns, version: trx.raw("version + 1"), update_time: event.time })
    .returning(columnNames as string[]);
  const [row] = await changeWithEvent<EndpointRow>(trx, tenantId, change, event);
  return row!;
}

/** Deletes an endpoint; its deliveries go with it. */
export async function deleteEndpoint(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  event: EventDraft,
): Promise<void> {
  const change = trx(table).where({ tenant_id: tenantId, id }).delete().returning("id");
  await changeWithEvent(trx, tenantId, change, event);
}
