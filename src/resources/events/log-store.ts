import type { Knex } from "knex";
import { inTransaction } from "../../db/transaction.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";

/** A committed event with its number. */
export interface EventRow {
  tenant_id: string;
  /** The number: the place among the events of the tenant, from 1 on and without gaps. */
  id: number;
  position: number;
  transaction_id: string;
  type: string;
  resource_id: string;
  customer_id: string | null;
  changed_paths: string[];
  actor: string;
  actor_kind: string;
  reason: string | null;
  create_time: Date;
}

/** The events of a query. An empty field permits all. */
export interface EventFilter {
  /** Such as `customer.updated`, or `customer.*`. */
  readonly eventTypes: readonly string[];
  readonly resourceId: string;
  readonly customerId: string;
  readonly actorId: string;
}

export const everyEvent: EventFilter = { eventTypes: [], resourceId: "", customerId: "", actorId: "" };

/** A range of time: from `start` on, and before `end`. */
export interface TimeRange {
  readonly start: Date | undefined;
  readonly end: Date | undefined;
}

const columns = [
  "tenant_id",
  "id",
  "position",
  "transaction_id",
  "type",
  "resource_id",
  "customer_id",
  "changed_paths",
  "actor",
  "actor_kind",
  "reason",
  "create_time",
];

const batchSize = 5_000;

/**
 * Gives a number to every event that is committed by now; the migration of events explains why only then. Without such an
 * event it is one statement. Concurrent calls wait for each other.
 */
export async function numberEvents(db: Knex, tenantId: string): Promise<void> {
  const { rows } = await db.raw(`select ${unnumbered} as waiting`, [tenantId]);
  let count = rows[0].waiting ? batchSize : 0;
  // An event that is committed during the last batch is left to the next call.
  while (count === batchSize) count = await inTransaction(db, (trx) => numberSome(trx, tenantId));
}

const unnumbered = "exists (select from events where tenant_id = ? and id is null)";

// The lock and the numbering are two statements: the second must see what was committed when the lock was granted. Both
// sides of its join are read by the index of unnumbered events, so its cost is that of the batch whatever the planner
// assumes.
async function numberSome(trx: Knex.Transaction, tenantId: string): Promise<number> {
  const last = await lockNumbers(trx, tenantId, `, ${numberingSettings}`);
  const numbered = await trx.raw(
    `with waiting as materialized (
       select position, row_number() over (order by position) as place from (
         select position from events where tenant_id = ? and id is null order by position limit ?
       ) first
     ), numbered as (
       update events set id = ? + place from waiting
       where tenant_id = ? and id is null and events.position <= (select max(position) from waiting)
         and events.position = waiting.position
       returning events.id
     )
     update event_logs set last_id = coalesce((select max(id) from numbered), last_id) where tenant_id = ?
     returning last_id`,
    [tenantId, batchSize, last, tenantId, tenantId],
  );
  return numbered.rows[0].last_id - last;
}

// Settings of the transaction that numbers. The statistics may be older than a burst of events: then a nested loop looks
// cheap and compares every event with every other. A number that was shown must outlive a crash of the database.
const numberingSettings = `set_config('enable_nestloop', 'off', true),
  set_config('plan_cache_mode', 'force_custom_plan', true),
  case current_setting('synchronous_commit') when 'off' then set_config('synchronous_commit', 'on', true) end`;

/** Locks the numbers of a tenant until the end of the transaction; answers the last one. A change of events locks first. */
export async function lockNumbers(trx: Knex.Transaction, tenantId: string, settings = ""): Promise<number> {
  const { rows } = await trx.raw(
    `insert into event_logs as log (tenant_id, last_id) values (?, 0)
     on conflict (tenant_id) do update set last_id = log.last_id
     returning last_id${settings}`,
    [tenantId],
  );
  return rows[0].last_id;
}

/** Tenants with events that wait for a number. Looks across tenants: for the job alone. */
export async function listUnnumberedTenants(db: Knex): Promise<string[]> {
  return await db("events").whereNull("id").distinct().pluck("tenant_id");
}

/** The number of the last event with a number, 0 before the first. */
export async function lastNumber(db: Knex, tenantId: string): Promise<number> {
  const log = await db("event_logs").where({ tenant_id: tenantId }).first("last_id");
  return log?.last_id ?? 0;
}

/** The last event with a number; undefined before the first. */
export async function findLastEvent(db: Knex, tenantId: string): Promise<EventRow | undefined> {
  return await db("events")
    .where({ tenant_id: tenantId })
    .whereNotNull("id")
    .orderBy("id", "desc")
    .first(...columns);
}

/** The event with a number; undefined if there is none. */
export async function findEvent(db: Knex, tenantId: string, number: number): Promise<EventRow | undefined> {
  return await db("events")
    .where({ tenant_id: tenantId, id: number })
    .first(...columns);
}

/** The tenants whose last event is not the one that was read. Looks across tenants: for the watched ones. */
export async function listTenantsWithNews(
  db: Knex,
  tails: readonly { readonly tenantId: string; readonly last: number }[],
): Promise<string[]> {
  const { rows } = await db.raw(
    `select tail.tenant_id
     from unnest(?::text[], ?::bigint[]) tail (tenant_id, last)
     where exists (select from event_logs where tenant_id = tail.tenant_id collate "C" and last_id <> tail.last)
       or exists (select from events where tenant_id = tail.tenant_id collate "C" and id is null)`,
    [tails.map(({ tenantId }) => tenantId), tails.map(({ last }) => last)],
  );
  return rows.map((row: { tenant_id: string }) => row.tenant_id);
}

/** A page of the events that were committed before the call. It is one statement, unless an event has no number yet. */
export async function listEvents(
  db: Knex,
  tenantId: string,
  filter: EventFilter,
  range: TimeRange,
  page: Page,
): Promise<EventRow[]> {
  const query = whereMatching(db("events").where({ tenant_id: tenantId }).whereNotNull("id"), filter).select(columns);
  if (range.start !== undefined) query.where("create_time", ">=", range.start);
  if (range.end !== undefined) query.where("create_time", "<", range.end);
  const pageAndState = db
    .select("page.*", "state.waiting")
    .from(db.raw(`(select ${unnumbered} as waiting) state`, [tenantId]))
    .leftJoin(selectPage(query, "events", page).as("page"), db.raw("true"));
  const read = async (): Promise<(EventRow & { waiting: boolean })[]> =>
    await orderPage(pageAndState.clone(), "page", page);
  let rows = await read();
  if (rows[0]?.waiting) {
    await numberEvents(db, tenantId);
    rows = await read();
  }
  return rows.filter(({ id }) => id !== null);
}

/** The first events after one number and up to another, in order. */
export async function listEventsBetween(
  db: Knex,
  tenantId: string,
  filter: EventFilter,
  { after, upTo, limit }: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<EventRow[]> {
  const query = db("events").where({ tenant_id: tenantId }).where("id", ">", after).where("id", "<=", upTo);
  return await whereMatching(query, filter).orderBy("id").limit(limit).select(columns);
}

function whereMatching(query: Knex.QueryBuilder, filter: EventFilter): Knex.QueryBuilder {
  const { eventTypes, resourceId, customerId, actorId } = filter;
  if (resourceId !== "") query.where({ resource_id: resourceId });
  if (customerId !== "") query.where({ customer_id: customerId });
  if (actorId !== "") query.where({ actor: actorId });
  if (eventTypes.length === 0) return query;
  const kinds = eventTypes.filter(isKind).map((type) => type.slice(0, -2));
  const exact = eventTypes.filter((type) => !isKind(type));
  // Whole types alone are answered by an index.
  if (kinds.length === 0) return query.whereRaw("type = any(?)", [exact]);
  return query.whereRaw("(type = any(?) or split_part(type, '.', 1) = any(?))", [exact, kinds]);
}

/** Whether a filter permits an event, as `whereMatching` decides in SQL. */
export function matches(row: EventRow, { eventTypes, resourceId, customerId, actorId }: EventFilter): boolean {
  if (resourceId !== "" && row.resource_id !== resourceId) return false;
  if (customerId !== "" && row.customer_id !== customerId) return false;
  if (actorId !== "" && row.actor !== actorId) return false;
  const kind = `${row.type.slice(0, row.type.indexOf("."))}.*`;
  return eventTypes.length === 0 || eventTypes.includes(row.type) || eventTypes.includes(kind);
}

function isKind(type: string): boolean {
  return type.endsWith(".*");
}
