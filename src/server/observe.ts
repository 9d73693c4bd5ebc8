import { randomUUID } from "node:crypto";
import {
  context,
  isSpanContextValid,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Logger } from "pino";
import { collectDefaultMetrics, Gauge, Histogram, type Registry } from "prom-client";
import type { CallRecord } from "../rpc/calls/call-record.js";

/** Sees every call from outside its handler, also those that no interceptor reaches. */
export interface Observer {
  /** Opens the record of a call. `method` is a name the listener serves, or `unknown`, so that metric labels are few. */
  begin(method: string, protocol: string, traceparent?: string): CallRecord;
  /** Runs a call's handler inside its span, if an OpenTelemetry SDK is registered. */
  run<T>(record: CallRecord, handler: () => T): T;
  /** Writes the access log line and the metrics. Without a code in the record, the HTTP status tells it. */
  end(record: CallRecord, durationMs: number, httpStatus?: number): void;
}

export interface ObserverOptions {
  readonly logger: Logger;
  readonly registry: Registry;
}

// Called every few seconds by probes and tools: not worth a line each.
const quiet = /^grpc\.(health|reflection)\./;
const serverFaults = new Set(["UNKNOWN", "INTERNAL", "DATA_LOSS"]);
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Makes the observer and its metrics, those of the Node process too. One per registry. */
export function createObserver({ logger, registry }: ObserverOptions): Observer {
  collectDefaultMetrics({ register: registry });
  const duration = new Histogram({
    name: "rpc_server_call_duration_seconds",
    help: "Duration of calls, from their header to the end of the answer.",
    labelNames: ["rpc_method", "rpc_system", "rpc_response_status_code"] as const,
    buckets,
    registers: [registry],
  });
  const active = new Gauge({
    name: "rpc_server_active_calls",
    help: "Calls in flight.",
    labelNames: ["rpc_system"] as const,
    registers: [registry],
  });
  const spans = new WeakMap<CallRecord, Span>();
  // Without an SDK a span records nothing, and is not kept.
  const tracer = trace.getTracer("clientele");
  return {
    begin(method, protocol, traceparent) {
      const parent = parseTraceparent(traceparent);
      const span = startSpan(tracer, method, protocol, parent);
      const own = span.spanContext();
      const traceId = isSpanContextValid(own) ? own.traceId : (parent?.traceId ?? randomUUID().replaceAll("-", ""));
      const record: CallRecord = { method, protocol, traceId };
      if (span.isRecording()) spans.set(record, span);
      active.inc({ rpc_system: protocol });
      return record;
    },
    run(record, handler) {
      const span = spans.get(record);
      return span !== undefined ? context.with(trace.setSpan(context.active(), span), handler) : handler();
    },
    end(record, durationMs, httpStatus) {
      record.code ??= codeOfHttpStatus(httpStatus);
      const { method, protocol, code, reason, tenantId, actor, traceId } = record;
      active.dec({ rpc_system: protocol });
      duration.observe({ rpc_method: method, rpc_system: protocol, rpc_response_status_code: code }, durationMs / 1000);
      const level = quiet.test(method) ? "debug" : serverFaults.has(code) ? "error" : "info";
      const durationText = Math.round(durationMs * 1000) / 1000;
      logger[level]({ method, protocol, code, reason, tenantId, actor, traceId, durationMs: durationText }, "call");
      endSpan(spans.get(record), code, serverFaults.has(code));
    },
  };
}

// https://www.w3.org/TR/trace-context/#traceparent-header
function parseTraceparent(header: string | undefined): SpanContext | undefined {
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/.exec(header ?? "");
  if (match === null) return undefined;
  const [, traceId = "", spanId = "", flags = ""] = match;
  const parent = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(parent) ? parent : undefined;
}

// Without an SDK this gives back the parent, or a span that records nothing.
function startSpan(tracer: Tracer, method: string, protocol: string, parent: SpanContext | undefined): Span {
  const attributes = { "rpc.system.name": protocol, "rpc.method": method };
  const from = parent === undefined ? context.active() : trace.setSpanContext(context.active(), parent);
  return tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, from);
}

function endSpan(span: Span | undefined, code: string, isFault: boolean): void {
  span?.setAttribute("rpc.response.status_code", code);
  if (isFault) span?.setStatus({ code: SpanStatusCode.ERROR });
  span?.end();
}

// As a gRPC client reads it: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
function codeOfHttpStatus(status: number | undefined): string {
  if (status === undefined) return "CANCELLED";
  if (status < 400) return "OK";
  if (status === 404) return "UNIMPLEMENTED";
  return status < 500 ? "INVALID_ARGUMENT" : "UNAVAILABLE";
}
