import type { Knex } from "knex";
import { withoutDeadline } from "../../db/deadline.js";
import { createTurns } from "../../rpc/calls/fair-queue.js";
import { queueFull, watchesExhausted } from "../../rpc/errors.js";
import { listTenantsWithNews } from "./log-store.js";
import { openTail, type Tail } from "./tail.js";

/** Connections that watches with a backlog share, so that calls keep the rest. */
const readers = 3;

/** The tail of a tenant, and how many watches share it. */
interface Entry {
  readonly tenantId: string;
  readonly tail: Promise<Tail>;
  watches: number;
}

type Entries = Map<string, Entry>;

/** The tails of a process, one for each tenant that is watched. A tail without watches is dropped. */
export function createTails(db: Knex, watchesPerTenant: number) {
  const entries: Entries = new Map();
  const inTurn = createTurns({ places: readers, queue: Number.POSITIVE_INFINITY, full: queueFull });

  return {
    async join(tenantId: string) {
      const entry = entries.get(tenantId) ?? open(tenantId);
      if (entry.watches >= watchesPerTenant) throw watchesExhausted(watchesPerTenant);
      return await joinEntry(entries, entry);
    },
    async refresh(tenantId: string) {
      const entry = entries.get(tenantId);
      if (entry !== undefined) await refreshTail(entries, entry, await entry.tail);
    },
    /** The tenants with events that were not read. */
    withNews: async (): Promise<string[]> => (entries.size === 0 ? [] : await listWithNews(db, entries)),
    wake() {
      for (const { tail } of entries.values()) tail.then(({ wake }) => wake(), ignore);
    },
  };

  function open(tenantId: string): Entry {
    const entry = { tenantId, tail: withoutDeadline(() => openTail(db, tenantId, inTurn)), watches: 0 };
    entries.set(tenantId, entry);
    return entry;
  }
}

async function joinEntry(entries: Entries, entry: Entry) {
  entry.watches += 1;
  const leave = leaveOnce(entries, entry);
  try {
    const tail = await entry.tail;
    await refreshTail(entries, entry, tail);
    return { tail, leave };
  } catch (error) {
    leave();
    throw error;
  }
}

function leaveOnce(entries: Entries, entry: Entry): () => void {
  let left = false;
  return () => {
    if (left) return;
    left = true;
    entry.watches -= 1;
    if (entry.watches === 0) drop(entries, entry);
  };
}

// A broken tail serves no new watch: the next one opens another.
async function refreshTail(entries: Entries, entry: Entry, tail: Tail): Promise<void> {
  try {
    await withoutDeadline(() => tail.refresh());
  } finally {
    if (tail.broken) drop(entries, entry);
  }
}

// Another tail of the tenant may be open by now.
function drop(entries: Entries, entry: Entry): void {
  if (entries.get(entry.tenantId) === entry) entries.delete(entry.tenantId);
}

async function listWithNews(db: Knex, entries: Entries): Promise<string[]> {
  const tails: { tenantId: string; last: number }[] = [];
  for (const [tenantId, entry] of entries) {
    const tail = await entry.tail.catch(ignore);
    if (tail === undefined) continue;
    tail.trim();
    tails.push({ tenantId, last: tail.last.number });
  }
  return await withoutDeadline(() => listTenantsWithNews(db, tails));
}

function ignore(): void {}
