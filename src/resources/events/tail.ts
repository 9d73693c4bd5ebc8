import { setTimeout as sleep } from "node:timers/promises";
import type { Knex } from "knex";
import { withDeadline } from "../../db/deadline.js";
import {
  type EventFilter,
  type EventRow,
  everyEvent,
  isMeant,
  lastNumber,
  listEventsBetween,
  numberEvents,
} from "./log-store.js";

/** The end of a tenant's events, read once however many watch it. */
export interface Tail {
  /** The number of the last event that was read. */
  readonly last: number;
  /** Reads all that is committed by now. */
  refresh(): Promise<void>;
  /** The first events behind a number, at most so many, and how far they reach: all before that is said with them. */
  read(after: number, filter: EventFilter, limit: number): Promise<{ rows: EventRow[]; upTo: number }>;
  /** Waits for events behind a number, for `wake`, for the signal, or so long. */
  wait(after: number, ms: number, signal: AbortSignal): Promise<void>;
  /** Ends what waits. */
  wake(): void;
  /** Keeps no longer at hand what was read before the last call of it. */
  trim(): void;
}

/** Runs what reads the database for one watcher, a few at a time. */
export type InTurn = <T>(read: () => Promise<T>) => Promise<T>;

/** So many of the last events at most are kept at hand. Who is further behind reads the database itself. */
const keptEvents = 1_000;
const pageSize = 500;
/** What one read may look at, so that a filter that leaves next to nothing is answered too. */
const spanOfRead = 50_000;
const readMs = 10_000;
/** Changes that come faster than this are read together. */
const gapMs = 20;

/** The tail of a tenant, as it is now. Nobody moves it but `refresh`. */
export async function openTail(db: Knex, tenantId: string, inTurn: InTurn): Promise<Tail> {
  const inTime = <T>(read: () => Promise<T>) => withDeadline(Date.now() + readMs, read);
  let kept: EventRow[] = [];
  let last = await inTime(async () => {
    await numberEvents(db, tenantId);
    return await lastNumber(db, tenantId);
  });
  let trimmed = last;
  const waiting = new Set<() => void>();
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  return {
    get last() {
      return last;
    },
    // One that is under way may have looked already: then the next one counts, for all who come meanwhile.
    async refresh() {
      if (running === undefined) return await run();
      next ??= running
        .catch(() => {})
        .then(() => sleep(gapMs))
        .then(() => {
          next = undefined;
          return running ?? run();
        });
      await next;
    },
    async read(after, filter, limit) {
      const first = last - kept.length;
      if (after >= first) return ofKept(kept.slice(after - first), last, filter, limit);
      const upTo = Math.min(last, after + spanOfRead);
      const range = { after, upTo, limit };
      const rows = await inTurn(() => inTime(() => listEventsBetween(db, tenantId, filter, range)));
      return { rows, upTo: rows.length < limit ? upTo : rows.at(-1)!.id };
    },
    wait,
    wake,
    trim() {
      kept = kept.filter(({ id }) => id > trimmed);
      trimmed = last;
    },
  };

  function run(): Promise<void> {
    running = inTime(advance).finally(() => {
      running = undefined;
    });
    return running;
  }

  async function advance(): Promise<void> {
    await numberEvents(db, tenantId);
    let rows: EventRow[];
    do {
      const range = { after: last, upTo: Number.MAX_SAFE_INTEGER, limit: pageSize };
      rows = await listEventsBetween(db, tenantId, everyEvent, range);
      if (rows.length === 0) return;
      kept = [...kept, ...rows].slice(-keptEvents);
      last = rows.at(-1)!.id;
      wake();
    } while (rows.length === pageSize);
  }

  function wake(): void {
    for (const resume of [...waiting]) resume();
  }

  async function wait(after: number, ms: number, signal: AbortSignal): Promise<void> {
    if (last > after || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resume, ms);
      waiting.add(resume);
      signal.addEventListener("abort", resume, { once: true });
      function resume() {
        clearTimeout(timer);
        waiting.delete(resume);
        signal.removeEventListener("abort", resume);
        resolve();
      }
    });
  }
}

function ofKept(rows: readonly EventRow[], last: number, filter: EventFilter, limit: number) {
  const meant: EventRow[] = [];
  for (const row of rows) {
    if (!isMeant(row, filter)) continue;
    meant.push(row);
    if (meant.length === limit) return { rows: meant, upTo: row.id };
  }
  return { rows: meant, upTo: last };
}
