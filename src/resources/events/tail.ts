import type { Knex } from "knex";
import { withDeadline } from "../../db/deadline.js";
import type { InTurn } from "../../rpc/calls/fair-queue.js";
import { invalidField } from "../../rpc/errors.js";
import { eventId, firstCursor } from "./convert.js";
import {
  type EventFilter,
  type EventRow,
  everyEvent,
  findEvent,
  findLastEvent,
  listEventsBetween,
  matches,
  numberEvents,
} from "./log-store.js";
import { shareRuns } from "./share-runs.js";
import { createWaiters } from "./waiters.js";

/**
 * The end of a tenant's event log. One tail serves all watches of the tenant in a process:
 *
 *  1. A change commits. Its event has a position, and no number yet.
 *  2. The feed calls `refresh`: after a change of this process, a notification of another, or once a second.
 *  3. `refresh` numbers the committed events in the order of their positions.
 *  4. It checks that the last event it read is still stored; a restored database lacks it, and the tail is broken.
 *  5. It reads the new events, keeps the latest 1,000 in memory, moves `last`, and wakes the watches that wait.
 *  6. A watch calls `read` with its place. It is answered from memory if its place is among those events.
 *  7. A watch further behind reads the database itself, in a short queue.
 *  8. The client takes the message, and the watch continues from the place after it.
 *  9. A watch without new events calls `wait`, and is woken by `refresh` or by its heartbeat.
 * 10. Every watch of a broken tail ends with CURSOR_INVALID.
 */
export interface Tail {
  /** The place of the last event that was read. */
  readonly last: Place;
  /** Whether the events that were read are no longer stored. */
  readonly broken: boolean;
  /** Reads every event that is committed by now. */
  refresh(): Promise<void>;
  /** The first matching events after a place, at most `limit`; no other matching event lies up to `upTo`. */
  read(after: Place, filter: EventFilter, limit: number): Promise<ReadEvents>;
  /** Waits for an event after a number, for `wake`, for the signal, or for so long. */
  wait(after: number, ms: number, signal: AbortSignal): Promise<void>;
  /** Resumes every watch that waits. */
  wake(): void;
  /** Drops the events from memory that were read before the last call. */
  trim(): void;
}

/** The place after an event: its number, and its id as the cursor. */
export interface Place {
  readonly number: number;
  readonly cursor: string;
}

interface ReadEvents {
  readonly rows: readonly EventRow[];
  readonly upTo: Place;
}

const eventsInMemory = 1_000;
const pageSize = 500;
/** The most events that one read of the database looks at, so that a filter that matches little is answered too. */
const spanOfRead = 50_000;
const readMs = 10_000;
/** Changes that come faster than this are read together. */
const pauseMs = 20;

interface State {
  /** The last events, oldest first. */
  recent: EventRow[];
  last: Place;
  broken: boolean;
}

/** Opens the tail of a tenant at the last event that is committed by now. */
export async function openTail(db: Knex, tenantId: string, inTurn: InTurn): Promise<Tail> {
  const state: State = { recent: [], last: await inTime(() => findEnd(db, tenantId)), broken: false };
  let trimmed = state.last.number;
  const { wait, wake } = createWaiters();
  const refresh = shareRuns(() => inTime(() => advance(db, tenantId, state, wake)), pauseMs);

  return {
    get last() {
      return state.last;
    },
    get broken() {
      return state.broken;
    },
    refresh,
    async read(after, filter, limit) {
      const { recent, last, broken } = state;
      if (broken) throw cursorInvalid();
      const first = last.number - recent.length;
      if (after.number >= first) return readRecent(recent.slice(after.number - first), last, filter, limit);
      const upTo = Math.min(last.number, after.number + spanOfRead);
      return await inTurn(() => inTime(() => readStored(db, tenantId, { after, upTo, limit, filter })));
    },
    async wait(after, ms, signal) {
      if (state.last.number <= after && !state.broken) await wait(ms, signal);
    },
    wake,
    trim() {
      state.recent = state.recent.filter(({ id }) => id > trimmed);
      trimmed = state.last.number;
    },
  };
}

// Numbers the events that are committed, and reads them page by page.
async function advance(db: Knex, tenantId: string, state: State, wake: () => void): Promise<void> {
  await numberEvents(db, tenantId);
  let rows: EventRow[];
  do {
    rows = await listNext(db, tenantId, state.last).catch((error: unknown) => {
      state.broken ||= error instanceof LogReplaced;
      if (state.broken) wake();
      throw error;
    });
    if (rows.length === 0) return;
    state.recent = [...state.recent, ...rows].slice(-eventsInMemory);
    state.last = placeAfter(rows.at(-1)!);
    wake();
  } while (rows.length === pageSize);
}

/** The error of a cursor whose event is not stored, or not of the tenant. */
export function cursorInvalid() {
  return invalidField("cursor", "There is no event of this cursor.", "CURSOR_INVALID");
}

/** The log does not hold the event that was its last: the database was restored from a backup. */
class LogReplaced extends Error {}

function placeAfter(row: EventRow): Place {
  return { number: row.id, cursor: eventId(row) };
}

async function findEnd(db: Knex, tenantId: string): Promise<Place> {
  await numberEvents(db, tenantId);
  const event = await findLastEvent(db, tenantId);
  return event === undefined ? { number: 0, cursor: firstCursor(tenantId) } : placeAfter(event);
}

// The last event is read once more with those after it: its id must be the cursor.
async function listNext(db: Knex, tenantId: string, last: Place): Promise<EventRow[]> {
  const isFirst = last.number === 0;
  const range = { after: isFirst ? 0 : last.number - 1, upTo: Number.MAX_SAFE_INTEGER, limit: pageSize + 1 };
  const rows = await listEventsBetween(db, tenantId, everyEvent, range);
  if (isFirst) return rows.slice(0, pageSize);
  const [lastRow, ...next] = rows;
  if (lastRow === undefined || eventId(lastRow) !== last.cursor) throw new LogReplaced("the event log was replaced");
  return next;
}

function readRecent(rows: readonly EventRow[], last: Place, filter: EventFilter, limit: number): ReadEvents {
  const matching: EventRow[] = [];
  for (const row of rows) {
    if (!matches(row, filter)) continue;
    matching.push(row);
    if (matching.length === limit) return { rows: matching, upTo: placeAfter(row) };
  }
  return { rows: matching, upTo: last };
}

async function readStored(
  db: Knex,
  tenantId: string,
  query: { readonly after: Place; readonly upTo: number; readonly limit: number; readonly filter: EventFilter },
): Promise<ReadEvents> {
  const range = { after: query.after.number, upTo: query.upTo, limit: query.limit };
  const rows = await listEventsBetween(db, tenantId, query.filter, range);
  const isFull = rows.length === query.limit;
  const end = isFull ? rows.at(-1) : await findEvent(db, tenantId, query.upTo);
  if (end === undefined) throw cursorInvalid();
  return { rows, upTo: placeAfter(end) };
}

function inTime<T>(read: () => Promise<T>): Promise<T> {
  return withDeadline(Date.now() + readMs, read);
}
