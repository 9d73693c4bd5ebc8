import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { cors } from "@connectrpc/connect";

const ownHeaders = ["authorization", "api-key", "x-api-key", "x-customer-token", "idempotency-key", "x-reason"];
const allowedHeaders = [...cors.allowedHeaders, ...ownHeaders, "traceparent", "tracestate"].join(", ");
const exposedHeaders = [...cors.exposedHeaders, "idempotency-replayed"].join(", ");
const preflightSeconds = 7200;

/**
 * The CORS header fields of a preflight. It carries no credential, so nobody knows yet whose list of origins decides:
 * every page may send what it asks for. That tells it nothing, and gives it nothing, because credentials travel in header
 * fields that the page must know; cookies are never allowed.
 */
export function preflightHeaders({ origin }: IncomingHttpHeaders): OutgoingHttpHeaders {
  if (origin === undefined) return {};
  return {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-allow-methods": cors.allowedMethods.join(", "),
    "access-control-allow-headers": allowedHeaders,
    "access-control-max-age": String(preflightSeconds),
  };
}

/**
 * The CORS header fields of an answer to a call. Every page may read it until it is known whose it is: what fails
 * earlier, such as a token that has expired, holds nothing of anybody, and a page must be able to tell. An origin that is
 * refused later loses what `readableBy` names.
 */
export function callHeaders({ origin }: IncomingHttpHeaders): OutgoingHttpHeaders {
  if (origin === undefined) return { vary: "Origin" };
  return { vary: "Origin", [readableBy]: origin, "access-control-expose-headers": exposedHeaders };
}

/** The header field without which a browser keeps an answer from its page. */
export const readableBy = "access-control-allow-origin";

/** The CORS header fields of what is no call, such as `/readyz`: for the origins of the deployment alone. */
export function pageHeaders({ origin }: IncomingHttpHeaders, allowed: ReadonlySet<string>): OutgoingHttpHeaders {
  if (allowed.size === 0) return {};
  return { vary: "Origin", ...(origin !== undefined && allowed.has(origin) && { [readableBy]: origin }) };
}
