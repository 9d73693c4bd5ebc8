import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { cancel, createCancellation, withDeadline } from "../../db/deadline.js";
import { rpcError } from "../errors.js";

const defaultMs = 10_000;
const maxMs = 60_000;
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 };

/**
 * Gives every call a deadline, 10 s when the client names none and at most 60 s, tells the database of it, and answers
 * DEADLINE_EXCEEDED when it has passed. The work of a call whose client goes away is stopped, and answered CANCELLED to
 * whoever still listens. A stream has a deadline only if the client asks for it.
 */
export const deadlineInterceptor: Interceptor = (next) => async (req) => {
  const asked = timeoutOf(req.header);
  if (req.stream) return await next(req);
  const timeoutMs = Math.min(asked ?? defaultMs, maxMs);
  const cancellation = createCancellation();
  const { promise: passed, end } = timer(timeoutMs, req.signal, () => cancel(cancellation));
  try {
    const answer = withDeadline(Date.now() + timeoutMs, () => next(req), cancellation);
    return await Promise.race([answer, passed]);
  } finally {
    end();
  }
};

// Rejects when the time is over, or when the client has gone. The signal tells of the end of every call, also of those
// that are answered, so it is not listened to any longer than this.
function timer(ms: number, signal: AbortSignal, onGone: () => void) {
  const { promise, reject } = withResolvers();
  const late = () => reject(rpcError("DEADLINE_EXCEEDED", "The deadline of the call has passed."));
  const aborted = () => {
    // Connect keeps the client's deadline too. Postgres knows of it, and needs not be told to stop.
    if (isDeadline(signal.reason)) return late();
    reject(rpcError("CALL_CANCELLED", "The call was cancelled."));
    onGone();
  };
  const timeout = setTimeout(late, ms);
  promise.catch(() => {});
  if (signal.aborted) aborted();
  else signal.addEventListener("abort", aborted, { once: true });
  return {
    promise,
    end: () => {
      clearTimeout(timeout);
      signal.removeEventListener("abort", aborted);
    },
  };
}

function isDeadline(reason: unknown): boolean {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
}

function withResolvers() {
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<never>((_, no) => {
    reject = no;
  });
  return { promise, reject };
}

// What a timer of Node can hold; a longer one would fire at once.
const longestMs = 2 ** 31 - 1;

/** Shortens a timeout that no timer can hold. To be called before anything else reads the header fields. */
export function shortenTimeout(headers: Headers): void {
  if ((timeoutOf(headers) ?? 0) <= longestMs) return;
  if (headers.has("connect-timeout-ms")) headers.set("connect-timeout-ms", String(longestMs));
  if (headers.has("grpc-timeout")) headers.set("grpc-timeout", `${Math.trunc(longestMs / 1000)}S`);
}

/** The time that a client gives a call, in milliseconds: `connect-timeout-ms` or `grpc-timeout`. */
export function timeoutOf(headers: Headers): number | undefined {
  const [, ms] = /^(\d{1,10})$/.exec(headers.get("connect-timeout-ms") ?? "") ?? [];
  if (ms !== undefined) return Number(ms);
  const [, value, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(headers.get("grpc-timeout") ?? "") ?? [];
  return value === undefined ? undefined : Number(value) * (unitMs[unit] ?? 1);
}
