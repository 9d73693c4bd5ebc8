import type { Knex } from "knex";
import { withoutDeadline } from "../../db/deadline.js";
import { notifyAll } from "../../db/notifications.js";
import { createTurns } from "../../rpc/calls/fair-queue.js";
import { queueFull, unavailable, watchesExhausted } from "../../rpc/errors.js";
import { listTenantsWithNews } from "./log-store.js";
import { openTail, type Tail } from "./tail.js";

/** The watches of a process, and the messages by which processes tell each other of changes. */
export interface EventFeed {
  /** The tail of a tenant, with every event that is committed by now, until `leave`. Throws UNAVAILABLE once closed. */
  join(tenantId: string): Promise<{ readonly tail: Tail; leave(): void }>;
  /** Tells the watches that this process committed a change of a tenant. */
  announce(tenantId: string): void;
  /** Takes the notification of another process. */
  onNotify(payload: string): void;
  /** Looks for new events of every watched tenant. */
  lookAround(): void;
  /** True from `close` on. */
  readonly closed: boolean;
  /** Ends every watch. */
  close(): void;
}

export interface FeedOptions {
  readonly db: Knex;
  /** The name of this process, in its notifications. */
  readonly self: string;
  /** The most watches of one tenant. */
  readonly watchesPerTenant: number;
}

/** The payload of a notification is a process and the id of a tenant that it has changed. */
export const eventsChannel = "clientele_events";

/** An event that nobody announces, such as one of a job, is seen within this time. */
const lookAroundMs = 1_000;
const announceMs = 50;
/** Connections that watches with a backlog share, so that calls keep the rest. */
const readers = 3;

interface WatchedTenant {
  readonly tail: Promise<Tail>;
  watches: number;
}

/**
 * The feed of a process. It notifies other processes at most once in 50 ms, outside of the transactions that change,
 * because Postgres commits transactions with a NOTIFY one after the other. A lost notification costs a second of delay.
 */
export function createEventFeed({ db, self, watchesPerTenant }: FeedOptions): EventFeed {
  const watched = createWatchedTenants(db, watchesPerTenant);
  const announce = createAnnouncer(db, self);
  let looking = false;
  let closed = false;
  const timer = setInterval(lookAround, lookAroundMs);
  timer.unref();

  return {
    get closed() {
      return closed;
    },
    async join(tenantId) {
      if (closed) throw unavailable();
      return await watched.join(tenantId);
    },
    announce(tenantId) {
      look(tenantId);
      announce.add(tenantId);
    },
    onNotify(payload) {
      const [from, tenantId = ""] = payload.split(" ");
      if (from !== self) look(tenantId);
    },
    lookAround,
    close() {
      closed = true;
      clearInterval(timer);
      announce.stop();
      watched.wake();
    },
  };

  // A failure is logged by the pool, and the next look comes soon.
  function look(tenantId: string): void {
    if (!closed) watched.refresh(tenantId).catch(ignore);
  }

  function lookAround(): void {
    if (closed || looking) return;
    looking = true;
    watched
      .withNews()
      .then((tenantIds) => tenantIds.forEach(look))
      .catch(ignore)
      .finally(() => {
        looking = false;
      });
  }
}

// The tails that are watched, one for each tenant.
function createWatchedTenants(db: Knex, watchesPerTenant: number) {
  const entries = new Map<string, WatchedTenant>();
  const inTurn = createTurns({ places: readers, queue: Number.POSITIVE_INFINITY, full: queueFull });

  return {
    async join(tenantId: string) {
      const entry = entries.get(tenantId) ?? open(tenantId);
      if (entry.watches >= watchesPerTenant) throw watchesExhausted(watchesPerTenant);
      entry.watches += 1;
      const leave = leaveOnce(tenantId, entry);
      try {
        const tail = await entry.tail;
        await refreshTail(tenantId, entry, tail);
        return { tail, leave };
      } catch (error) {
        leave();
        throw error;
      }
    },
    async refresh(tenantId: string) {
      const entry = entries.get(tenantId);
      if (entry !== undefined) await refreshTail(tenantId, entry, await entry.tail);
    },
    /** The tenants with events that were not read. */
    async withNews(): Promise<string[]> {
      if (entries.size === 0) return [];
      const tails: { tenantId: string; last: number }[] = [];
      for (const [tenantId, entry] of entries) {
        const tail = await entry.tail.catch(ignore);
        if (tail === undefined) continue;
        tail.trim();
        tails.push({ tenantId, last: tail.last.number });
      }
      return await withoutDeadline(() => listTenantsWithNews(db, tails));
    },
    wake() {
      for (const { tail } of entries.values()) tail.then(({ wake }) => wake(), ignore);
    },
  };

  function open(tenantId: string): WatchedTenant {
    const entry = { tail: withoutDeadline(() => openTail(db, tenantId, inTurn)), watches: 0 };
    entries.set(tenantId, entry);
    return entry;
  }

  // A broken tail serves no new watch: the next one opens another.
  async function refreshTail(tenantId: string, entry: WatchedTenant, tail: Tail): Promise<void> {
    try {
      await withoutDeadline(() => tail.refresh());
    } finally {
      if (tail.broken && entries.get(tenantId) === entry) entries.delete(tenantId);
    }
  }

  function leaveOnce(tenantId: string, entry: WatchedTenant): () => void {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      entry.watches -= 1;
      if (entry.watches === 0 && entries.get(tenantId) === entry) entries.delete(tenantId);
    };
  }
}

// Notifies other processes, of many changes at once.
function createAnnouncer(db: Knex, self: string) {
  const announced = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  return {
    add(tenantId: string) {
      announced.add(tenantId);
      timer ??= setTimeout(send, announceMs).unref();
    },
    stop() {
      clearTimeout(timer);
    },
  };

  function send(): void {
    timer = undefined;
    const payloads = [...announced].map((tenantId) => `${self} ${tenantId}`);
    announced.clear();
    withoutDeadline(() => notifyAll(db, eventsChannel, payloads)).catch(ignore);
  }
}

function ignore(): void {}
