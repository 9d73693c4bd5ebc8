import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ActorKind, ActorKindSchema, type Event, EventSchema } from "../../../gen/clientele/v1/events_pb.js";
import { enumColumn } from "../../db/enums.js";
import type { EventRow } from "./log-store.js";

const digits = 16;
const actorKind = enumColumn<ActorKind>(ActorKindSchema);

/** What clients know an event by, and go on from: the tenant's own characters and the number, so that it sorts. */
export function eventId(tenantId: string, number: number): string {
  return `evt_${ownPart(tenantId)}${String(number).padStart(digits, "0")}`;
}

/** The number in an id of the tenant's; undefined if it is no such id. Before the first event it is 0. */
export function numberOfEvent(tenantId: string, id: string): number | undefined {
  const prefix = `evt_${ownPart(tenantId)}`;
  const rest = id.slice(prefix.length);
  return id.startsWith(prefix) && rest.length === digits && /^\d+$/.test(rest) ? Number(rest) : undefined;
}

function ownPart(tenantId: string): string {
  return tenantId.slice(tenantId.indexOf("_") + 1);
}

export function eventFromRow(row: EventRow): Event {
  const isSystem = row.actor_kind === "system";
  return create(EventSchema, {
    id: eventId(row.tenant_id, row.id),
    type: row.type,
    resourceType: row.type.slice(0, row.type.indexOf(".")),
    resourceId: row.resource_id,
    customerId: row.customer_id ?? "",
    changedPaths: row.changed_paths,
    actor: { kind: actorKind.fromColumn(row.actor_kind), id: isSystem ? "" : row.actor },
    reason: row.reason ?? "",
    createTime: timestampFromDate(row.create_time),
  });
}
