import type { Knex } from "knex";
import { withoutDeadline } from "../../db/deadline.js";
import { notifyAll } from "../../db/notifications.js";
import { unavailable } from "../../rpc/errors.js";
import type { Tail } from "./tail.js";
import { createTails } from "./tails.js";

// The way of a change to the watches of all processes:
//
//  1. A call commits its change with the event of it, and announces its tenant to the feed of its process.
//  2. The feed has the tail of the tenant read the new events, if the tenant is watched here (`tail.ts`).
//  3. It collects the tenants for 50 ms, and notifies the other processes of them all at once.
//  4. Each other feed gets the notification and has its own tail of the tenant read.
//  5. Once a second every feed looks for tenants with events that its tails did not read. This finds the events of jobs,
//     and those whose notification was lost.
//  6. A watch joins the tail of its tenant, which is opened for the first and dropped with the last (`tails.ts`).
//  7. It reads from the tail and waits at it until its client leaves (`watch.ts`).
//  8. A tail that finds its log replaced is broken: its watches end, and the next watch opens another.
//  9. When the process stops, the feed closes: it wakes every watch, and each of them ends.

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

/**
 * The feed of a process. It notifies other processes at most once in 50 ms, outside of the transactions that change,
 * because Postgres commits transactions with a NOTIFY one after the other. A lost notification costs a second of delay.
 */
export function createEventFeed({ db, self, watchesPerTenant }: FeedOptions): EventFeed {
  const tails = createTails(db, watchesPerTenant);
  const announcer = createAnnouncer(db, self);
  let closed = false;
  // A failure is logged by the pool, and the next look comes soon.
  const look = (tenantId: string) => {
    if (!closed) tails.refresh(tenantId).catch(ignore);
  };
  const lookForNews = createLook(tails.withNews, look);
  const lookAround = () => {
    if (!closed) lookForNews();
  };
  const timer = setInterval(lookAround, lookAroundMs).unref();

  return {
    get closed() {
      return closed;
    },
    async join(tenantId) {
      if (closed) throw unavailable();
      return await tails.join(tenantId);
    },
    announce(tenantId) {
      look(tenantId);
      announcer.add(tenantId);
    },
    onNotify(payload) {
      const [from, tenantId = ""] = payload.split(" ");
      if (from !== self) look(tenantId);
    },
    lookAround,
    close() {
      closed = true;
      clearInterval(timer);
      announcer.stop();
      tails.wake();
    },
  };
}

// Looks at every tenant with news. One look at a time.
function createLook(withNews: () => Promise<string[]>, look: (tenantId: string) => void): () => void {
  let looking = false;
  return () => {
    if (looking) return;
    looking = true;
    withNews()
      .then((tenantIds) => tenantIds.forEach(look))
      .catch(ignore)
      .finally(() => {
        looking = false;
      });
  };
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
