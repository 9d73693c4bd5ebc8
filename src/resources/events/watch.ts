import { ConnectError } from "@connectrpc/connect";
import type { WatchEventsRequest } from "../../../gen/clientele/v1/events_pb.js";
import type { Call } from "../../rpc/callers/caller.js";
import { callCancelled, invalidField, unavailable } from "../../rpc/errors.js";
import { eventFromRow, eventId, firstCursor, numberOfEvent } from "./convert.js";
import type { EventFeed } from "./feed.js";
import { type EventRow, findEvent } from "./log-store.js";
import { cursorInvalid, type Place, type Tail } from "./tail.js";

const eventsOfMessage = 100;
const defaultHeartbeatMs = 15_000;

/**
 * The messages of one watch. Its state is its place: the next events are read when the client has taken the last
 * message, so a slow client costs neither memory nor a connection. It ends by an error only.
 */
export async function* watchEvents(feed: EventFeed, call: Call, req: WatchEventsRequest, signal: AbortSignal) {
  const { tail, leave } = await feed.join(call.tenantId);
  // A generator whose client went away is not resumed, so `finally` may never run.
  signal.addEventListener("abort", leave, { once: true });
  try {
    let place = await startOf(call, req, tail);
    const message = (rows: readonly EventRow[]) => ({
      events: rows.map((row) => eventFromRow(row, call.liveMode)),
      cursor: place.cursor,
    });
    const heartbeatMs = heartbeatOf(req);
    yield message([]);
    let sent = performance.now();
    while (true) {
      requireOpen(feed, signal);
      const { rows, upTo } = await tail.read(place, req, eventsOfMessage);
      place = upTo;
      const left = sent + heartbeatMs - performance.now();
      if (rows.length > 0 || left <= 0) {
        yield message(rows);
        sent = performance.now();
      } else {
        await tail.wait(place.number, left, signal);
      }
    }
  } finally {
    signal.removeEventListener("abort", leave);
    leave();
  }
}

function requireOpen(feed: EventFeed, signal: AbortSignal): void {
  if (signal.aborted) {
    throw signal.reason instanceof ConnectError ? signal.reason : callCancelled();
  }
  if (feed.closed) throw unavailable();
}

async function startOf(
  { db, tenantId }: Call,
  { cursor, fromBeginning }: WatchEventsRequest,
  tail: Tail,
): Promise<Place> {
  const first = { number: 0, cursor: firstCursor(tenantId) };
  if (cursor === "") return fromBeginning ? first : tail.last;
  if (fromBeginning) throw invalidField("from_beginning", "must not be given together with cursor");
  if (cursor === first.cursor) return first;
  const number = numberOfEvent(tenantId, cursor);
  if (number === undefined || number > tail.last.number) throw cursorInvalid();
  const event = await findEvent(db, tenantId, number);
  if (event === undefined || eventId(event) !== cursor) throw cursorInvalid();
  return { number, cursor };
}

function heartbeatOf({ heartbeatInterval }: WatchEventsRequest): number {
  if (heartbeatInterval === undefined) return defaultHeartbeatMs;
  return Number(heartbeatInterval.seconds) * 1000 + heartbeatInterval.nanos / 1_000_000;
}
