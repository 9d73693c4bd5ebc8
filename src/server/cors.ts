import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { cors } from "@connectrpc/connect";

const ownHeaders = ["authorization", "api-key", "x-api-key", "x-customer-token", "idempotency-key"];
const allowedHeaders = [...cors.allowedHeaders, ...ownHeaders, "traceparent", "tracestate"].join(", ");
const exposedHeaders = [...cors.exposedHeaders, "idempotency-replayed"].join(", ");
const preflightSeconds = 7200;

/**
 * The CORS header fields of an answer. `allowed` are exact origins, such as `https://shop.example`; another origin gets
 * none, and its browser keeps the answer from the page. Credentials travel in header fields, so cookies are never allowed.
 */
export function corsHeaders(headers: IncomingHttpHeaders, allowed: ReadonlySet<string>): OutgoingHttpHeaders {
  const { origin } = headers;
  if (allowed.size === 0) return {};
  if (origin === undefined || !allowed.has(origin)) return { vary: "Origin" };
  return {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-expose-headers": exposedHeaders,
    ...(headers["access-control-request-method"] !== undefined && {
      "access-control-allow-methods": cors.allowedMethods.join(", "),
      "access-control-allow-headers": allowedHeaders,
      "access-control-max-age": String(preflightSeconds),
    }),
  };
}
