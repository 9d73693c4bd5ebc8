import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
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
import { writableFieldsOf } from "../../rpc/requests/plan.js";
import type { AttemptColumns, DeliveryRow } from "./deliveries-store.js";
import type { EndpointColumns, EndpointRow } from "./store.js";

const state = enumColumn<WebhookDeliveryState>(WebhookDeliveryStateSchema);

export const stateToColumn = state.toColumn;

/** The paths that a mask may name. */
export const writableFields = writableFieldsOf(WebhookEndpointSchema);

export function endpointFromRow(row: EndpointRow): WebhookEndpoint {
  return create(WebhookEndpointSchema, {
    id: row.id,
    url: row.url,
    eventTypes: row.event_types,
    ...(row.label !== "" && { label: row.label }),
    enabled: row.enabled,
    ...(row.disable_time && { disableTime: timestampFromDate(row.disable_time) }),
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
  });
}

export function endpointToColumns({ url, eventTypes, label = "", enabled = true }: WebhookEndpoint): EndpointColumns {
  return { url, event_types: eventTypes, label, enabled };
}

export function deliveryFromRow(row: DeliveryRow): WebhookDelivery {
  return create(WebhookDeliverySchema, {
    id: row.id,
    webhookEndpointId: row.endpoint_id,
    eventId: row.event_id,
    eventType: row.event_type,
    state: state.fromColumn(row.state),
    attempts: row.attempts.map(attemptFromColumns),
    ...(row.next_attempt_time && { nextAttemptTime: timestampFromDate(row.next_attempt_time) }),
    createTime: timestampFromDate(row.create_time),
    etag: etagOf(row.version),
  });
}

/** The body of a post: the proto JSON of an event. */
export function payloadOf(event: Event): JsonObject {
  return toJson(EventSchema, event) as JsonObject;
}

/** The body of a ping: an event that stands for no change. */
export function pingOf(
  id: string,
  { endpointId, liveMode, now }: { endpointId: string; liveMode: boolean; now: Date },
): JsonObject {
  const resource = { resourceType: "webhook_endpoint", resourceId: endpointId };
  const createTime = timestampFromDate(now);
  return payloadOf(create(EventSchema, { id, type: "webhook_endpoint.pinged", ...resource, createTime, liveMode }));
}

function attemptFromColumns({ time, status, error = "", duration_ms }: AttemptColumns) {
  const duration = durationFromMs(duration_ms);
  const attemptTime = timestampFromDate(new Date(time));
  return { attemptTime, ...(status !== undefined && { httpStatus: status }), error, duration };
}
