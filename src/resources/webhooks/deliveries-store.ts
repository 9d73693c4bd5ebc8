import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";
import type { EndpointRow } from "./store.js";

/** One try, as it is stored. */
export interface AttemptColumns {
  /** As ISO 8601. */
  readonly time: string;
  readonly status?: number;
  readonly error?: string;
  readonly duration_ms: number;
}

export interface DeliveryRow {
  tenant_id: string;
  id: string;
  endpoint_id: string;
  event_id: string;
  event_type: string;
  /** The proto JSON of the event, as it is sent. */
  payload: JsonObject;
  state: "pending" | "succeeded" | "failed";
  attempts: AttemptColumns[];
  next_attempt_time: Date | null;
  version: number;
  create_time: Date;
}

export type NewDelivery = Pick<DeliveryRow, "id" | "event_id" | "event_type" | "payload">;

/** A delivery that is to be tried now, with what its endpoint adds. */
export type DueDelivery = DeliveryRow & Pick<EndpointRow, "url" | "secret_version" | "previous_secret_until">;

/** Who has as many deliveries under way as may be at a time. */
interface Busy {
  readonly endpoints: readonly string[];
  readonly tenants: readonly string[];
}

const table = "webhook_deliveries";

/** Enabled endpoints that events wait for. Looks across tenants: for the dispatcher alone. */
export async function listWaitingEndpoints(db: Knex): Promise<{ tenant_id: string; id: string }[]> {
  const { rows } = await db.raw(
    `select endpoint.tenant_id, endpoint.id
     from webhook_endpoints endpoint left join event_logs log on log.tenant_id = endpoint.tenant_id
     where endpoint.enabled and (log.last_id > endpoint.cursor or exists (
       select 1 from events where events.tenant_id = endpoint.tenant_id and events.id is null))`,
  );
  return rows;
}

/** The cursor of an enabled endpoint that nobody else works on until the end of the transaction; else undefined. */
export async function claimCursor(
  trx: Knex,
  tenantId: string,
  id: string,
): Promise<{ cursor: number; event_types: string[] } | undefined> {
  return await trx("webhook_endpoints")
    .where({ tenant_id: tenantId, id, enabled: true })
    .forUpdate()
    .skipLocked()
    .first("cursor", "event_types");
}

/** Writes down what is to be delivered to a claimed endpoint, and how far its events are. No change that a client sees. */
export async function insertDeliveries(
  trx: Knex,
  tenantId: string,
  endpointId: string,
  deliveries: readonly NewDelivery[],
  { cursor, now }: { cursor: number; now: Date },
): Promise<void> {
  const rows = deliveries.map((delivery) => newRow(tenantId, endpointId, delivery, now));
  if (rows.length > 0) await trx(table).insert(rows);
  await trx("webhook_endpoints").where({ tenant_id: tenantId, id: endpointId }).update({ cursor });
}

/** Makes a delivery by hand; undefined if there is no such endpoint. */
export async function insertByHand(
  db: Knex,
  tenantId: string,
  endpointId: string,
  { id, event_id, event_type, payload }: NewDelivery,
  event: EventDraft,
): Promise<DeliveryRow | undefined> {
  const change = db.raw(
    `insert into webhook_deliveries
       (tenant_id, id, endpoint_id, event_id, event_type, payload, state, next_attempt_time, by_hand, create_time)
     select tenant_id, ?, id, ?, ?, ?::jsonb, 'pending', ?, true, ?
     from webhook_endpoints where tenant_id = ? and id = ?
     returning *`,
    [id, event_id, event_type, JSON.stringify(payload), event.time, event.time, tenantId, endpointId],
  );
  const [row] = await changeWithEvent<DeliveryRow>(db, tenantId, change, event);
  return row;
}

/** Repeats a delivery by hand: it is sent to a disabled endpoint too. */
export async function insertRedelivery(
  db: Knex,
  tenantId: string,
  { endpointId, of, id }: { endpointId: string; of: string; id: string },
  event: EventDraft,
): Promise<DeliveryRow | undefined> {
  const change = db.raw(
    `insert into webhook_deliveries
       (tenant_id, id, endpoint_id, event_id, event_type, payload, state, next_attempt_time, by_hand, create_time)
     select tenant_id, ?, endpoint_id, event_id, event_type, payload, 'pending', ?, true, ?
     from webhook_deliveries where tenant_id = ? and endpoint_id = ? and id = ?
     returning *`,
    [id, event.time, event.time, tenantId, endpointId, of],
  );
  const [row] = await changeWithEvent<DeliveryRow>(db, tenantId, change, event);
  return row;
}

/** A page of an endpoint's deliveries; undefined if there is no such endpoint. One statement. */
export async function listDeliveries(
  db: Knex,
  tenantId: string,
  { endpointId, state }: { endpointId: string; state: string | null },
  page: Page,
): Promise<DeliveryRow[] | undefined> {
  const ofEndpoint = db(table).where({ tenant_id: tenantId, endpoint_id: endpointId });
  if (state !== null) ofEndpoint.where({ state });
  const query = db("webhook_endpoints")
    .leftJoin(selectPage(ofEndpoint, table, page).as("page"), "page.endpoint_id", "webhook_endpoints.id")
    .where({ "webhook_endpoints.tenant_id": tenantId, "webhook_endpoints.id": endpointId })
    .select("page.*");
  const rows: DeliveryRow[] = await orderPage(query, "page", page);
  return rows.length === 0 ? undefined : rows.filter((row) => row.id !== null);
}

/**
 * Takes the delivery that is longest due, for a while: who takes it sends it once, and if it cannot say what became of
 * it, another takes it when `until` has come. None of those who are busy. Looks across tenants: for the dispatcher alone.
 */
export async function claimDelivery(
  db: Knex,
  { now, until, busy }: { now: Date; until: Date; busy: Busy },
): Promise<DueDelivery | undefined> {
  const { rows } = await db.raw(
    `update webhook_deliveries claimed set next_attempt_time = ?
     from (
       select tenant_id, id from webhook_deliveries due
       where due.state = 'pending' and due.next_attempt_time <= ?
         and due.endpoint_id <> all (?) and due.tenant_id <> all (?)
         and (due.by_hand or exists (
           select 1 from webhook_endpoints endpoint
           where endpoint.tenant_id = due.tenant_id and endpoint.id = due.endpoint_id and endpoint.enabled))
       order by due.next_attempt_time limit 1 for update skip locked
     ) due, webhook_endpoints endpoint
     where claimed.tenant_id = due.tenant_id and claimed.id = due.id
       and endpoint.tenant_id = claimed.tenant_id and endpoint.id = claimed.endpoint_id
     returning claimed.*, endpoint.url, endpoint.secret_version, endpoint.previous_secret_until`,
    [until, now, [...busy.endpoints], [...busy.tenants]],
  );
  return rows[0];
}

/** Writes down what became of an attempt. Says nothing if the delivery is gone. */
export async function recordAttempt(
  db: Knex,
  tenantId: string,
  id: string,
  attempt: AttemptColumns,
  { state, nextAttemptTime }: { state: DeliveryRow["state"]; nextAttemptTime: Date | null },
): Promise<void> {
  await db(table)
    .where({ tenant_id: tenantId, id })
    .update({
      state,
      next_attempt_time: nextAttemptTime,
      attempts: db.raw("attempts || ?::jsonb", [JSON.stringify([attempt])]),
      complete_time: state === "pending" ? null : new Date(attempt.time),
      version: db.raw("version + 1"),
    });
}

/** Whether an endpoint accepted anything since a time. */
export async function acceptedSince(db: Knex, tenantId: string, endpointId: string, since: Date): Promise<boolean> {
  const found = await db(table)
    .where({ tenant_id: tenantId, endpoint_id: endpointId, state: "succeeded" })
    .where("complete_time", ">=", since)
    .first("id");
  return found !== undefined;
}

/**
 * Deletes the deliveries that were made before a time, also those that wait for a disabled endpoint; says how many. Looks
 * across tenants: for the job.
 */
export async function deleteOldDeliveries(db: Knex, before: Date): Promise<number> {
  return await db(table).where("create_time", "<", before).delete();
}

function newRow(tenantId: string, endpointId: string, delivery: NewDelivery, now: Date) {
  return {
    tenant_id: tenantId,
    endpoint_id: endpointId,
    ...delivery,
    state: "pending",
    next_attempt_time: now,
    create_time: now,
  };
}
