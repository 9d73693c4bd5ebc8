import type { Knex } from "knex";
import { withoutDeadline } from "../../db/deadline.js";
import { notifyAll } from "../../db/notifications.js";
import { unavailable, watchesExhausted } from "../../rpc/errors.js";
import { listTenantsWithNews } from "./log-store.js";
import { openTail, type Tail } from "./tail.js";

/** What a process tells its watchers, and other processes theirs. */
export interface EventFeed {
  /** A tenant's tail, with all that is committed by now, until `leave` is called. Throws UNAVAILABLE once closed. */
  join(tenantId: string): Promise<{ readonly tail: Tail; leave(): void }>;
  /** Says that this process has changed something of a tenant, and committed it. */
  announce(tenantId: string): void;
  /** Hears what another process has said. */
  onNotify(payload: string): void;
  /** Looks at everything that is watched. */
  lookAround(): void;
  /** True from `close` on. */
  readonly closed: boolean;
  /** Ends every watch. */
  close(): void;
}

export interface FeedOptions {
  readonly db: Knex;
  /** Tells this process from others. */
  readonly self: string;
  /** The most watches of one tenant. */
  readonly watchesPerTenant: number;
}

/** Notified with a process and the id of a tenant that it has changed. */
export const eventsChannel = "clientele_events";

/** How soon events are seen that nobody tells of: of a job, say, or where a notification was lost. */
const lookAroundMs = 1_000;
const announceMs = 50;
/** Watchers that are behind share so many connections, so that calls keep theirs. */
const readers = 3;

interface Watched {
  readonly tail: Promise<Tail>;
  watches: number;
}

/**
 * The feed of a process. Others are told by NOTIFY, at most once in 50 ms however much is changed and not by the
 * transactions that change: Postgres commits those that notify one after the other. Nothing depends on being told.
 */
export function createEventFeed({ db, self, watchesPerTenant }: FeedOptions): EventFeed {
  const watched = new Map<string, Watched>();
  const announced = new Set<string>();
  const inTurn = createTurns(readers);
  let telling: NodeJS.Timeout | undefined;
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
      const entry = watched.get(tenantId) ?? open(tenantId);
      if (entry.watches >= watchesPerTenant) throw watchesExhausted(watchesPerTenant);
      entry.watches += 1;
      let left = false;
      const leave = () => {
        if (left) return;
        left = true;
        entry.watches -= 1;
        if (entry.watches === 0 && watched.get(tenantId) === entry) watched.delete(tenantId);
      };
      try {
        const tail = await entry.tail;
        await withoutDeadline(() => tail.refresh());
        return { tail, leave };
      } catch (error) {
        leave();
        throw error;
      }
    },
    announce(tenantId) {
      look(tenantId);
      announced.add(tenantId);
      telling ??= setTimeout(tell, announceMs).unref();
    },
    onNotify(payload) {
      const [from, tenantId = ""] = payload.split(" ");
      if (from !== self) look(tenantId);
    },
    lookAround,
    close() {
      closed = true;
      clearInterval(timer);
      clearTimeout(telling);
      for (const { tail } of watched.values()) tail.then(({ wake }) => wake(), ignore);
    },
  };

  function open(tenantId: string): Watched {
    const entry = { tail: withoutDeadline(() => openTail(db, tenantId, inTurn)), watches: 0 };
    watched.set(tenantId, entry);
    return entry;
  }

  // What fails is tried again soon; the pool has said why.
  function look(tenantId: string): void {
    const entry = closed ? undefined : watched.get(tenantId);
    entry?.tail.then((tail) => withoutDeadline(() => tail.refresh())).catch(ignore);
  }

  function lookAround(): void {
    if (closed || looking || watched.size === 0) return;
    looking = true;
    lookOnce()
      .catch(ignore)
      .finally(() => {
        looking = false;
      });
  }

  async function lookOnce(): Promise<void> {
    const known: { tenantId: string; last: number }[] = [];
    for (const [tenantId, entry] of watched) {
      const tail = await entry.tail.catch(ignore);
      if (tail === undefined) continue;
      tail.trim();
      known.push({ tenantId, last: tail.last });
    }
    for (const tenantId of await withoutDeadline(() => listTenantsWithNews(db, known))) look(tenantId);
  }

  function tell(): void {
    telling = undefined;
    const payloads = [...announced].map((tenantId) => `${self} ${tenantId}`);
    announced.clear();
    withoutDeadline(() => notifyAll(db, eventsChannel, payloads)).catch(ignore);
  }
}

function ignore(): void {}

function createTurns(count: number) {
  const queue: (() => void)[] = [];
  let free = count;
  return async <T>(read: () => Promise<T>): Promise<T> => {
    if (free === 0) await new Promise<void>((resolve) => queue.push(resolve));
    else free -= 1;
    try {
      return await read();
    } finally {
      const next = queue.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
