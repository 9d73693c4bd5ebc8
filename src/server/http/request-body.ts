import { callCancelled } from "../../rpc/errors.js";
import { bodyTooSlow } from "../unary/body.js";
import type { BodyCount } from "../unary/body-budget.js";

/**
 * Reads a request body within a time limit, which neither Node nor Connect sets. A call with one request message has `ms`
 * milliseconds for all of it, a stream of messages `ms` between any two pieces. Counts what has arrived. Throws
 * DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, and CANCELLED when the client goes away half-way.
 */
export async function* timedBody(
  body: AsyncIterable<Uint8Array>,
  ms: number,
  isStream: boolean,
  count: BodyCount,
): AsyncIterable<Uint8Array> {
  const pieces = body[Symbol.asyncIterator]();
  let until = Date.now() + ms;
  while (true) {
    const piece = await within(pieces.next().catch(clientGone), until - Date.now(), count);
    if (piece.done) return;
    // Of a stream the pieces before are taken.
    if (!isStream) count.add(piece.value.byteLength);
    if (count.refusal !== undefined) throw count.refusal;
    yield piece.value;
    if (isStream) until = Date.now() + ms;
  }
}

// Whatever Node calls it when a connection is lost.
function clientGone(): never {
  throw callCancelled();
}

async function within<T>(pending: Promise<T>, ms: number, count: BodyCount): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(bodyTooSlow()), Math.max(ms, 0));
    count.onRefusal = reject;
  });
  // Once the time is up nobody waits for it any more.
  pending.catch(() => {});
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
    count.onRefusal = undefined;
  }
}
