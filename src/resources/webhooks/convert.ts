import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema } from "../../../gen/clientele/v1/events_pb.js";
import {
  type WebhookDelivery,
  WebhookDeliverySchema,
  type WebhookDeliveryState,
  WebhookDeliveryStateSchema,
  type WebhookEndpoint,
  WebhookEndpointSchema,
} from "../../../gen/clientele/v1/webhooks_pb.js";
import { enumColumn } from "../../db/enums.js";
import { etagOf } from "../../rpc/etag.js";
import type { AttemptColumns, DeliveryRow } from "./deliveries-store.js";
import type { EndpointColumns, EndpointRow } from "./store.js";

const state = enumColumn<WebhookDeliveryState>(WebhookDeliveryStateSchema);

export const stateToColumn = state.toColumn;

/** What a mask may name. */
export const writableFields = ["url", "event_types", "label", "enabled"];

export function endpointFromRow(row: EndpointRow): WebhookEndpoint {
  return create(WebhookEndpointSchema, {
    id: row.id,
    url: row.url,
    eventTypes: row.event_types,
    label: row.label,
    enabled: row.enabled,
    ...(row.disable_time && { disableTime: timestampFromDate(row.disable_time) }),
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
  });
}

export function endpointToColumns({ url, eventTypes, label, enabled }: WebhookEndpoint): EndpointColumns {
  return { url, event_types: eventTypes, label, enabled: enabled ?? true };
}

export function deliveryFromRow(row: DeliveryRow): WebhookDelivery {
  return create(WebhookDeliverySchema, {
    id: row.id,
    endpointId: row.endpoint_id,
    eventId: row.event_id,
    eventType: row.event_type,
    state: state.fromColumn(row.state),
    attempts: row.attempts.map(attemptFromColumns),
    ...(row.next_attempt_time && { nextAttemptTime: timestampFromDate(row.next_attempt_time) }),
    createTime: timestampFromDate(row.create_time),
    etag: etagOf(row.version),
  });
}

/** An event as it is sent. */
export function payloadOf(event: Event): JsonObject {
  return toJson(EventSchema, event) as JsonObject;
}

/** What a ping sends: formed like an event, of no change. */
export function pingOf(id: string, endpointId: string, now: Date): JsonObject {
  const resource = { resourceType: "webhook_endpoint", resourceId: endpointId };
  return payloadOf(
    create(EventSchema, { id, type: "webhook_endpoint.pinged", ...resource, createTime: timestampFromDate(now) }),
  );
}

function attemptFromColumns({ time, status, error = "", duration_ms: durationMs }: AttemptColumns) {
  return { time: timestampFromDate(new Date(time)), ...(status !== undefined && { status }), error, durationMs };
}
