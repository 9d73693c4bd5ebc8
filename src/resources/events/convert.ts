import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ActorKind, ActorKindSchema, type Event, EventSchema } from "../../../gen/clientele/v1/events_pb.js";
import { enumColumn } from "../../db/enums.js";
import type { EventRow } from "./log-store.js";

const digits = 16;
const actorKind = enumColumn<ActorKind>(ActorKindSchema);

/** The cursor before the first event of a tenant. */
export function firstCursor(tenantId: string): string {
  return `${prefixOf(tenantId)}${"0".repeat(digits)}${"0".repeat(8)}`;
}

/**
 * The id of an event, which is also a cursor: the tenant, the number, and a mark of the row. Ids sort by number.
 *
 * After a restore from a backup, numbers are given again, to other events. Their marks differ, so an id never means
 * another event.
 */
export function eventId(row: EventRow): string {
  return `${prefixOf(row.tenant_id)}${String(row.id).padStart(digits, "0")}${markOf(row)}`;
}

/** The number in an id of the tenant; undefined if it has another form. The row decides whether the mark is right. */
export function numberOfEvent(tenantId: string, id: string): number | undefined {
  const prefix = prefixOf(tenantId);
  const [, number] = id.startsWith(prefix) ? (/^(\d{16})[0-9a-v]{8}$/.exec(id.slice(prefix.length)) ?? []) : [];
  return number === undefined ? undefined : Number(number);
}

function prefixOf(tenantId: string): string {
  return `evt_${tenantId.slice(tenantId.indexOf("_") + 1)}`;
}

// 40 bits in base 32. An erasure changes none of these columns.
function markOf({ position, transaction_id, create_time }: EventRow): string {
  const hash = createHash("sha256").update(`${position} ${transaction_id} ${create_time.getTime()}`).digest();
  return hash.readUIntBE(0, 5).toString(32).padStart(8, "0");
}

export function eventFromRow(row: EventRow, liveMode: boolean): Event {
  const isSystem = row.actor_kind === "system";
  return create(EventSchema, {
    id: eventId(row),
    type: row.type,
    resourceType: row.type.slice(0, row.type.indexOf(".")),
    resourceId: row.resource_id,
    customerId: row.customer_id ?? "",
    changedPaths: row.changed_paths,
    actor: { kind: actorKind.fromColumn(row.actor_kind), id: isSystem ? "" : row.actor },
    reason: row.reason ?? "",
    createTime: timestampFromDate(row.create_time),
    liveMode,
  });
}
