import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";
import type { EndpointRow } from "./store.js";

/** One attempt, as it is stored. */
export interface AttemptColumns {
  /** When it began, as ISO 8601. */
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
  /** The proto JSON of the event: the body of every attempt. */
  payload: JsonObject;
  state: "pending" | "succeeded" | "failed";
  attempts: AttemptColumns[];
  next_attempt_time: Date | null;
  version: number;
  create_time: Date;
}

export type NewDelivery = Pick<DeliveryRow, "id" | "event_id" | "event_type" | "payload">;

/** A leased delivery, with the columns of its endpoint that a post needs. */
export type DueDelivery = DeliveryRow &
  Pick<EndpointRow, "url" | "secret_version" | "previous_secret_until"> & {
    /** Whether the last post to the endpoint ran into the time limit. */
    readonly stalled: boolean;
  };

/** How many posts one process has under way at most. */
export interface Places {
  readonly all: number;
  /** Places for stalled endpoints together; each of them has one. */
  readonly stalled: number;
  readonly perTenant: number;
  readonly perEndpoint: number;
}

const table = "webhook_deliveries";

/** Enabled endpoints with events that no delivery was made of. Looks across tenants: for the dispatcher alone. */
export async function listWaitingEndpoints(db: Knex): Promise<{ tenant_id: string; id: string; live_mode: boolean }[]> {
  const { rows } = await db.raw(
    `select endpoint.tenant_id, endpoint.id, tenants.live_mode
     from webhook_endpoints endpoint join tenants using (tenant_id) left join event_logs log on log.tenant_id = endpoint.tenant_id
     where endpoint.enabled and (log.last_id > endpoint.cursor or exists (
       select 1 from events where events.tenant_id = endpoint.tenant_id and events.id is null))`,
  );
  return rows;
}

/** Locks an enabled endpoint and answers its cursor; undefined if another process holds the lock. */
export async function claimCursor(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<{ cursor: number; event_types: string[] } | undefined> {
  return await trx("webhook_endpoints")
    .where({ tenant_id: tenantId, id, enabled: true })
    .forUpdate()
    .skipLocked()
    .first("cursor", "event_types");
}

/** Inserts deliveries to a claimed endpoint and moves its cursor. Clients do not see the cursor, so there is no event. */
export async function insertDeliveries(
  trx: Knex.Transaction,
  tenantId: string,
  endpointId: string,
  deliveries: readonly NewDelivery[],
  { cursor, now }: { cursor: number; now: Date },
): Promise<void> {
  const rows = deliveries.map((delivery) => newRow(tenantId, endpointId, delivery, now));
  if (rows.length > 0) await trx(table).insert(rows);
  await trx("webhook_endpoints").where({ tenant_id: tenantId, id: endpointId }).update({ cursor });
}

/** Inserts a delivery that a client requested; undefined if there is no such endpoint. */
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

/** Inserts a copy of a delivery, requested by a client; undefined if there is no such delivery. */
export async function insertRedelivery(
  trx: Knex.Transaction,
  tenantId: string,
  { endpointId, of, id }: { endpointId: string; of: string; id: string },
  event: EventDraft,
): Promise<DeliveryRow | undefined> {
  const change = trx.raw(
    `insert into webhook_deliveries
       (tenant_id, id, endpoint_id, event_id, event_type, payload, state, next_attempt_time, by_hand, create_time)
     select tenant_id, ?, endpoint_id, event_id, event_type, payload, 'pending', ?, true, ?
     from webhook_deliveries where tenant_id = ? and endpoint_id = ? and id = ?
     returning *`,
    [id, event.time, event.time, tenantId, endpointId, of],
  );
  const [row] = await changeWithEvent<DeliveryRow>(trx, tenantId, change, event);
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
 * Leases due deliveries, the longest due first, at most one of each endpoint in a call. A lease ends at `until`: then
 * another sender may take the delivery. Looks across tenants: for the sender alone.
 */
export async function claimDeliveries(
  db: Knex,
  { now, until, places, flights }: { now: Date; until: Date; places: Places; flights: readonly DueDelivery[] },
): Promise<DueDelivery[]> {
  const stalled = flights.filter((flight) => flight.stalled).length;
  const { rows } = await db.raw(claimStatement, {
    now,
    until,
    tenants: flights.map(({ tenant_id }) => tenant_id),
    endpoints: flights.map(({ endpoint_id }) => endpoint_id),
    ...places,
    free: Math.max(0, places.all - flights.length),
    freeForStalled: Math.max(0, places.stalled - stalled),
  });
  return rows;
}

// `queue` walks from the head of one queue to the head of the next, so its cost is the number of queues, however long
// they are. `flight` holds a row for each delivery that this process is posting.
const claimStatement = `
  with recursive queue as (
    (select tenant_id, endpoint_id, by_hand, next_attempt_time from webhook_deliveries where state = 'pending'
     order by tenant_id, endpoint_id, by_hand, next_attempt_time limit 1)
    union all
    select head.* from queue cross join lateral (
      select tenant_id, endpoint_id, by_hand, next_attempt_time from webhook_deliveries
      where state = 'pending'
        and (tenant_id, endpoint_id, by_hand) > (queue.tenant_id, queue.endpoint_id, queue.by_hand)
      order by tenant_id, endpoint_id, by_hand, next_attempt_time limit 1) head
  ), flight as (
    select * from unnest(cast(:tenants as text[]), cast(:endpoints as text[])) flight (tenant_id, endpoint_id)
  ), due as (
    select distinct on (queue.tenant_id, queue.endpoint_id)
      queue.*, endpoint.url, endpoint.secret_version, endpoint.previous_secret_until, endpoint.stalled
    from queue join webhook_endpoints endpoint
      on endpoint.tenant_id = queue.tenant_id and endpoint.id = queue.endpoint_id
    where queue.next_attempt_time <= :now and (queue.by_hand or endpoint.enabled)
      and (select count(*) from flight where flight.endpoint_id = queue.endpoint_id)
        < case when endpoint.stalled then 1 else :perEndpoint end
    order by queue.tenant_id, queue.endpoint_id, queue.next_attempt_time
  ), ranked as (
    select due.*,
      (select count(*) from flight where flight.tenant_id = due.tenant_id)
        + row_number() over (partition by tenant_id order by next_attempt_time) as place_of_tenant,
      row_number() over (partition by stalled order by next_attempt_time) as place_of_kind
    from due
  ), chosen as (
    select * from ranked
    where place_of_tenant <= :perTenant and (not stalled or place_of_kind <= :freeForStalled)
    order by next_attempt_time limit :free
  ), leased as (
    select chosen.*, delivery.id from chosen cross join lateral (
      select id from webhook_deliveries
      where tenant_id = chosen.tenant_id and endpoint_id = chosen.endpoint_id and by_hand = chosen.by_hand
        and state = 'pending' and next_attempt_time <= :now
      order by next_attempt_time limit 1 for update skip locked) delivery
  )
  update webhook_deliveries claimed set next_attempt_time = :until
  from leased
  where claimed.tenant_id = leased.tenant_id and claimed.id = leased.id
  returning claimed.*, leased.url, leased.secret_version, leased.previous_secret_until, leased.stalled`;

/** Stores whether the last post to an endpoint ran into the time limit. Clients do not see it. */
export async function markStalled(
  trx: Knex.Transaction,
  tenantId: string,
  endpointId: string,
  stalled: boolean,
): Promise<void> {
  await trx("webhook_endpoints").where({ tenant_id: tenantId, id: endpointId, stalled: !stalled }).update({ stalled });
}

/** Stores an attempt and the state after it. A delivery that was deleted meanwhile stays deleted. */
export async function recordAttempt(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  attempt: AttemptColumns,
  { state, nextAttemptTime }: { state: DeliveryRow["state"]; nextAttemptTime: Date | null },
): Promise<void> {
  await trx(table)
    .where({ tenant_id: tenantId, id })
    .update({
      state,
      next_attempt_time: nextAttemptTime,
      attempts: trx.raw("attempts || ?::jsonb", [JSON.stringify([attempt])]),
      complete_time: state === "pending" ? null : new Date(attempt.time),
      version: trx.raw("version + 1"),
    });
}

/** Whether an endpoint accepted a delivery since a time. */
export async function acceptedSince(
  trx: Knex.Transaction,
  tenantId: string,
  endpointId: string,
  since: Date,
): Promise<boolean> {
  const delivery = await trx(table)
    .where({ tenant_id: tenantId, endpoint_id: endpointId, state: "succeeded" })
    .where("complete_time", ">=", since)
    .first("id");
  return delivery !== undefined;
}

/** Deletes the deliveries that were created before a time, pending ones too. Looks across tenants: for the job alone. */
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
