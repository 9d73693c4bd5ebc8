import { ConnectError } from "@connectrpc/connect";
import type { WatchEventsRequest } from "../../../gen/clientele/v1/events_pb.js";
import type { Call } from "../../rpc/callers/caller.js";
import { invalidField, rpcError, unavailable } from "../../rpc/errors.js";
import { eventFromRow, eventId, numberOfEvent } from "./convert.js";
import type { EventFeed } from "./feed.js";
import type { EventRow } from "./log-store.js";
import type { Tail } from "./tail.js";

const eventsOfMessage = 100;
const defaultHeartbeatMs = 15_000;

/**
 * The messages of one watch. It keeps nothing but its place: the next events are read when the client has taken the
 * last, so one that is slow costs neither memory nor a connection. It ends by an error alone.
 */
export async function* watchEvents(feed: EventFeed, call: Call, req: WatchEventsRequest, signal: AbortSignal) {
  const { tenantId } = call;
  const { tail, leave } = await feed.join(tenantId);
  // Whoever went away while a message waited for it is not asked for another one, so nothing below comes to an end.
  signal.addEventListener("abort", leave, { once: true });
  try {
    let at = startOf(call, req, tail);
    const message = (rows: readonly EventRow[]) => ({ events: rows.map(eventFromRow), cursor: eventId(tenantId, at) });
    const heartbeatMs = heartbeatOf(req);
    yield message([]);
    let told = performance.now();
    while (true) {
      if (signal.aborted) throw signal.reason instanceof ConnectError ? signal.reason : cancelled();
      if (feed.closed) throw unavailable();
      const { rows, upTo } = await tail.read(at, req, eventsOfMessage);
      at = upTo;
      const left = told + heartbeatMs - performance.now();
      if (rows.length > 0 || left <= 0) {
        yield message(rows);
        told = performance.now();
      } else {
        await tail.wait(at, left, signal);
      }
    }
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}

function startOf({ tenantId }: Call, { cursor, fromBeginning }: WatchEventsRequest, tail: Tail): number {
  if (cursor === "") return fromBeginning ? 0 : tail.last;
  if (fromBeginning) throw invalidField("from_beginning", "must not be given together with cursor");
  const number = numberOfEvent(tenantId, cursor);
  if (number === undefined || number > tail.last) {
    throw invalidField("cursor", "The cursor is not one of these events.", "CURSOR_INVALID");
  }
  return number;
}

function heartbeatOf({ heartbeatInterval }: WatchEventsRequest): number {
  if (heartbeatInterval === undefined) return defaultHeartbeatMs;
  return Number(heartbeatInterval.seconds) * 1000 + heartbeatInterval.nanos / 1_000_000;
}

function cancelled() {
  return rpcError("CALL_CANCELLED", "The call was cancelled.");
}
