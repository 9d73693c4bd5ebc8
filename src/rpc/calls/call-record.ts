import { createContextKey } from "@connectrpc/connect";

/**
 * The entry of one call in the access log and the metrics. The listener makes it; interceptors complete it.
 * It never holds personal data, credentials or anything a client typed freely.
 */
export interface CallRecord {
  /** Such as `clientele.v1.ThingService/GetThing`; `unknown` when no such method exists. */
  method: string;
  /** `connect`, `grpc` or `grpc-web`; `http` for what is no call. */
  protocol: string;
  /** The status as gRPC spells it, such as `OK` or `NOT_FOUND`; set once known. */
  code?: string;
  /** The ErrorInfo reason of a failed call. */
  reason?: string;
  tenantId?: string;
  /** The caller, such as a key's id. */
  actor?: string;
  /** The W3C trace id, taken from `traceparent` or made anew: 32 hex digits. */
  traceId: string;
}

/** The record of the call that a handler or an interceptor serves; undefined outside a listener. */
export const recordKey = createContextKey<CallRecord | undefined>(undefined);
