import type { UnaryResponse } from "@connectrpc/connect";
import { cancel, createCancellation, withDeadline } from "../../db/deadline.js";
import { deadlinePassed, reasonOf, rpcError } from "../errors.js";
import type { UnaryCall } from "./unary-call.js";

const defaultMs = 10_000;
const maxMs = 60_000;
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/**
 * Gives a unary call a deadline, 10 s when the client names none and at most 60 s, tells the database of it, and rejects
 * with DEADLINE_EXCEEDED when it has passed. The work of a call whose client goes away is stopped, and rejects with
 * CALL_CANCELLED.
 */
export async function withinDeadline(
  call: UnaryCall,
  run: (call: UnaryCall) => Promise<UnaryResponse>,
): Promise<UnaryResponse> {
  if (call.aborted !== undefined) throw call.aborted;
  const timeoutMs = Math.min(timeoutOf(call.header) ?? defaultMs, maxMs);
  call.until = Date.now() + timeoutMs;
  const cancellation = createCancellation();
  const timer = setTimeout(() => call.abort(deadlinePassed()), timeoutMs);
  const ended = new Promise<never>((_, reject) => {
    call.onAbort = (reason) => {
      reject(reason);
      // Postgres knows the deadline itself.
      if (reasonOf(reason) !== "DEADLINE_EXCEEDED") cancel(cancellation);
    };
  });
  try {
    return await Promise.race([withDeadline(call.until, () => run(call), cancellation), ended]);
  } finally {
    clearTimeout(timer);
    call.onAbort = undefined;
  }
}

// The longest time of a Node timer; a longer one would fire at once.
const longestMs = 2 ** 31 - 1;

/** Shortens a timeout that no timer can hold. To be called before anything else reads the header fields. */
export function shortenTimeout(headers: Headers): void {
  if ((timeoutIn(headers) ?? 0) <= longestMs) return;
  if (headers.has("connect-timeout-ms")) headers.set("connect-timeout-ms", String(longestMs));
  if (headers.has("grpc-timeout")) headers.set("grpc-timeout", `${Math.trunc(longestMs / 1000)}S`);
}

/** The time that a client gives a call, in milliseconds; undefined if it gives none. Throws INVALID_ARGUMENT for another text. */
function timeoutOf(headers: Headers): number | undefined {
  const timeout = timeoutIn(headers);
  const given = headers.get("connect-timeout-ms") ?? headers.get("grpc-timeout");
  if (timeout === undefined && given !== null)
    throw rpcError("REQUEST_MALFORMED", "The timeout is not valid: send connect-timeout-ms or grpc-timeout.");
  return timeout;
}

function timeoutIn(headers: Headers): number | undefined {
  const ms = headers.get("connect-timeout-ms");
  if (ms !== null) return /^\d{1,10}$/.test(ms) ? Number(ms) : undefined;
  const [, value, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(headers.get("grpc-timeout") ?? "") ?? [];
  return value === undefined ? undefined : Number(value) * (unitMs[unit] ?? 1);
}
