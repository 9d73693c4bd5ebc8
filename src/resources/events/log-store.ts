import type { Knex } from "knex";
import { inTransaction } from "../../db/transaction.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";

/** A committed event with its number. */
export interface EventRow {
  tenant_id: string;
  /** Its place among the events of the tenant, from 1 on and without gaps. */
  id: number;
  type: string;
  resource_id: string;
  customer_id: string | null;
  changed_paths: string[];
  actor: string;
  actor_kind: string;
  reason: string | null;
  create_time: Date;
}

/** Which events are meant; what is empty or absent leaves none out. */
export interface EventFilter {
  /** Such as `customer.updated`, or `customer.*`. */
  readonly types: readonly string[];
  readonly resourceId: string;
  readonly customerId: string;
  readonly actorId: string;
}

export const everyEvent: EventFilter = { types: [], resourceId: "", customerId: "", actorId: "" };

/** The times that events must lie between: from the first on, before the second. */
export interface TimeRange {
  readonly start: Date | undefined;
  readonly end: Date | undefined;
}

const columns = [
  "tenant_id",
  "id",
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
 * Gives every event that is committed by now its number; see the migration for why only then. Where there is none to
 * number it is one statement, and whoever meets another one at it waits for that one.
 */
export async function numberEvents(db: Knex, tenantId: string): Promise<void> {
  const { rows } = await db.raw(`select ${unnumbered} as waiting`, [tenantId]);
  let count = rows[0].waiting ? batchSize : 0;
  // What is committed while the last of them are numbered is left to the next one.
  while (count === batchSize) count = await inTransaction(db, (trx) => numberSome(trx, tenantId));
}

const unnumbered = "exists (select from events where tenant_id = ? and id is null)";

// Two statements, because the second must see what was committed when the row became ours, not when we began to wait. It
// is planned anew each time: a plan kept from when the table was small would compare every row with every other. And a
// number that was told to anybody must outlive a crash, also where the database does not wait for its disk otherwise.
async function numberSome(trx: Knex, tenantId: string): Promise<number> {
  const last = await holdNumbers(trx, tenantId);
  const numbered = await trx.raw(
    `with waiting as (
       select position, row_number() over (order by position) as place from (
         select position from events where tenant_id = ? and id is null order by position limit ?
       ) first
     ), numbered as (
       update events set id = ? + place from waiting
       where tenant_id = ? and events.position = waiting.position
       returning events.id
     )
     update event_logs set last_id = coalesce((select max(id) from numbered), last_id) where tenant_id = ?
     returning last_id`,
    [tenantId, batchSize, last, tenantId, tenantId],
  );
  return numbered.rows[0].last_id - last;
}

/** Lets nobody number events until the end of the transaction; answers the last number. Comes before a change of them. */
export async function holdNumbers(trx: Knex, tenantId: string): Promise<number> {
  const held = await trx.raw(
    `insert into event_logs as log (tenant_id, last_id) values (?, 0)
     on conflict (tenant_id) do update set last_id = log.last_id
     returning last_id, set_config('plan_cache_mode', 'force_custom_plan', true),
       case current_setting('synchronous_commit') when 'off' then set_config('synchronous_commit', 'on', true) end`,
    [tenantId],
  );
  return held.rows[0].last_id;
}

/** Tenants with events that wait for a number. Looks across tenants: for the job alone. */
export async function listUnnumberedTenants(db: Knex): Promise<string[]> {
  return await db("events").whereNull("id").distinct().pluck("tenant_id");
}

/** The number of the last event that has one, 0 before the first. */
export async function lastNumber(db: Knex, tenantId: string): Promise<number> {
  const log = await db("event_logs").where({ tenant_id: tenantId }).first("last_id");
  return log?.last_id ?? 0;
}

/** Those of the tenants that have events behind the last one that is known. Looks across tenants, of those that are watched. */
export async function listTenantsWithNews(
  db: Knex,
  known: readonly { readonly tenantId: string; readonly last: number }[],
): Promise<string[]> {
  const found = await db.raw(
    `select known.tenant_id
     from unnest(?::text[], ?::bigint[]) known (tenant_id, last)
     where exists (select from event_logs where tenant_id = known.tenant_id collate "C" and last_id > known.last)
       or exists (select from events where tenant_id = known.tenant_id collate "C" and id is null)`,
    [known.map(({ tenantId }) => tenantId), known.map(({ last }) => last)],
  );
  return found.rows.map((row: { tenant_id: string }) => row.tenant_id);
}

/** A page of events, all that were committed before the call; one statement unless some have no number yet. */
export async function listEvents(
  db: Knex,
  tenantId: string,
  filter: EventFilter,
  range: TimeRange,
  page: Page,
): Promise<EventRow[]> {
  const query = whereMeant(db("events").where({ tenant_id: tenantId }).whereNotNull("id"), filter).select(columns);
  if (range.start !== undefined) query.where("create_time", ">=", range.start);
  if (range.end !== undefined) query.where("create_time", "<", range.end);
  const beside = db
    .select("page.*", "state.waiting")
    .from(db.raw(`(select ${unnumbered} as waiting) state`, [tenantId]))
    .leftJoin(selectPage(query, "events", page).as("page"), db.raw("true"));
  const found = async (): Promise<(EventRow & { waiting: boolean })[]> => await orderPage(beside.clone(), "page", page);
  let rows = await found();
  if (rows[0]?.waiting) {
    await numberEvents(db, tenantId);
    rows = await found();
  }
  return rows.filter(({ id }) => id !== null);
}

/** The first events behind a number and up to another one, in order. */
export async function listEventsBetween(
  db: Knex,
  tenantId: string,
  filter: EventFilter,
  { after, upTo, limit }: { readonly after: number; readonly upTo: number; readonly limit: number },
): Promise<EventRow[]> {
  const query = db("events").where({ tenant_id: tenantId }).where("id", ">", after).where("id", "<=", upTo);
  return await whereMeant(query, filter).orderBy("id").limit(limit).select(columns);
}

function whereMeant(query: Knex.QueryBuilder, filter: EventFilter): Knex.QueryBuilder {
  const { types, resourceId, customerId, actorId } = filter;
  if (resourceId !== "") query.where({ resource_id: resourceId });
  if (customerId !== "") query.where({ customer_id: customerId });
  if (actorId !== "") query.where({ actor: actorId });
  if (types.length === 0) return query;
  const kinds = types.filter(isKind).map((type) => type.slice(0, -2));
  const exact = types.filter((type) => !isKind(type));
  // Written so that an index answers where only whole types are asked for.
  if (kinds.length === 0) return query.whereRaw("type = any(?)", [exact]);
  return query.whereRaw("(type = any(?) or split_part(type, '.', 1) = any(?))", [exact, kinds]);
}

/** What `whereMeant` leaves, of an event that is at hand. */
export function isMeant(row: EventRow, { types, resourceId, customerId, actorId }: EventFilter): boolean {
  if (resourceId !== "" && row.resource_id !== resourceId) return false;
  if (customerId !== "" && row.customer_id !== customerId) return false;
  if (actorId !== "" && row.actor !== actorId) return false;
  const kind = `${row.type.slice(0, row.type.indexOf("."))}.*`;
  return types.length === 0 || types.includes(row.type) || types.includes(kind);
}

function isKind(type: string): boolean {
  return type.endsWith(".*");
}
