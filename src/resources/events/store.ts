import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";

// The column of a resource's table that holds the id of its customer.
const customerColumns: Readonly<Record<string, string>> = {
  customer: "id",
  customer_identity: "customer_id",
  address: "customer_id",
  payment_method: "customer_id",
  photo: "customer_id",
  customer_token: "customer_id",
  checkout: "customer_id",
  order: "customer_id",
  tax_identifier: "customer_id",
  tax_certificate: "customer_id",
  erasure: "customer_id",
};

/**
 * Runs a change and writes an event for each changed row, in one statement. `change` must return its rows; they are the
 * result. `customerId` names their customer where the change itself clears that column.
 */
export async function changeWithEvent<Row>(
  db: Knex,
  tenantId: string,
  change: Knex.QueryBuilder | Knex.Raw,
  event: EventDraft,
  customerId?: string,
): Promise<Row[]> {
  const resource = event.type.slice(0, event.type.indexOf("."));
  const customer = customerId === undefined ? db.raw(customerColumns[resource] ?? "null") : db.raw("?", [customerId]);
  const rows: unknown = await withEvent(db, tenantId, change, customer, valuesOf(event));
  return rows as Row[];
}

/** The values of an event, for a statement that writes it. */
export interface EventValues {
  readonly type: string;
  readonly changedPaths: readonly string[];
  readonly actor: string;
  readonly actorKind: string;
  readonly reason: string | null;
  readonly time: Date;
}

/** The values of an event, as a statement is given them. */
export function valuesOf(event: EventDraft): EventValues {
  const { type, changedPaths, actor, time } = event;
  return { type, changedPaths, actor, actorKind: event.actorKind ?? "system", reason: event.reason ?? null, time };
}

/**
 * A change of customers with their events, as `changeWithEvent` runs it, to be built once: the tenant and the values of
 * the event may be places.
 */
export function customersWithEvent(
  db: Knex,
  tenantId: string,
  change: Knex.QueryBuilder | Knex.Raw,
  event: EventValues,
): Knex.QueryBuilder {
  return withEvent(db, tenantId, change, db.raw("id"), event);
}

function withEvent(
  db: Knex,
  tenantId: string,
  change: Knex.QueryBuilder | Knex.Raw,
  customer: Knex.Raw,
  { type, changedPaths, actor, actorKind, reason, time }: EventValues,
): Knex.QueryBuilder {
  return db
    .with("changed", change as Knex.QueryBuilder)
    .with(
      "event",
      db.raw(
        `insert into events
           (tenant_id, type, resource_id, customer_id, changed_paths, actor, actor_kind, reason, create_time)
         select ?, ?, id, ?, ?, ?, ?, ?, ? from changed`,
        [tenantId, type, customer, changedPaths as string[], actor, actorKind, reason as string, time],
      ),
    )
    .select("*")
    .from("changed");
}

/** One event of many, of a customer or of a resource that belongs to it. */
export interface ManyEventsRow {
  readonly type: string;
  readonly resource_id: string;
  readonly customer_id: string;
  readonly changed_paths: readonly string[];
}

/**
 * A part of a statement that writes events in the order of `rows`, for the customers whose `id` the part `changed`
 * returns.
 */
export function manyEvents(
  trx: Knex.Transaction,
  tenantId: string,
  rows: readonly ManyEventsRow[],
  event: Omit<EventDraft, "type" | "changedPaths">,
): Knex.Raw {
  return trx.raw(
    `insert into events
       (tenant_id, type, resource_id, customer_id, changed_paths, actor, actor_kind, reason, create_time)
     select ?, given.type, given.resource_id, given.customer_id, given.changed_paths, ?, ?, ?, ?
     from jsonb_populate_recordset(null::events, ?::jsonb) with ordinality given
       join changed on changed.id = given.customer_id
     order by given.ordinality`,
    [tenantId, ...originOf(event), event.time, JSON.stringify(rows)],
  );
}

function originOf({ actor, actorKind, reason }: Omit<EventDraft, "type" | "changedPaths">) {
  return [actor, actorKind ?? "system", reason ?? null];
}
