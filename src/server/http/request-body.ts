import { callCancelled } from "../../rpc/calls/deadline.js";
import { bodyTooSlow } from "../unary/body.js";

/**
 * Reads a request body within a time limit, which neither Node nor Connect sets. A call with one request message has `ms`
 * milliseconds for all of it, a stream of messages `ms` between any two pieces. Throws DEADLINE_EXCEEDED, and CANCELLED
 * when the client goes away half-way.
 */
export async function* timedBody(
  body: AsyncIterable<Uint8Array>,
  ms: number,
  isStream: boolean,
): AsyncIterable<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  let until = Date.now() + ms;
  while (true) {
    const piece = await within(pieces.next().catch(clientGone), until - Date.now());
    if (piece.done) return;
    yield piece.value;
    if (isStream) until = Date.now() + ms;
  }
}

// Whatever Node calls it when a connection is lost.
function clientGone(): never {
  throw callCancelled();
}

async function within<T>(pending: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(bodyTooSlow()), Math.max(ms, 0));
  });
  // Once the time is up nobody waits for it any more.
  pending.catch(() => {});
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
  }
}
