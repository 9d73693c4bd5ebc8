import { AsyncLocalStorage } from "node:async_hooks";
import { deadlineLeft, presentCancellation } from "../../db/deadline.js";
import { callCancelled, deadlinePassed, queueFull } from "../errors.js";

/** Runs at most so many pieces of work at a time; those who wait take turns, each with its work in order. */
export type InTurn = <T>(run: () => Promise<T>) => Promise<T>;

interface Bounds {
  /** How many run at a time. */
  readonly places: number;
  /** How many may wait. */
  readonly queue: number;
  /** The error when the queue is full. */
  readonly full: () => Error;
}

const turnOwner = new AsyncLocalStorage<string>();

/** Runs a call on behalf of one of those who take turns, such as a tenant's servers, or one of its pages' visitors. */
export function onBehalfOf<T>(whose: string, run: () => T): T {
  return turnOwner.run(whose, run);
}

interface Waiter {
  begin(): void;
  refuse(error: Error): void;
}

/**
 * Makes a queue. Who waits leaves it when the deadline of the call passes or its client goes away, and its place is
 * free for another. In a full queue whoever has most in it makes room for who has less: nobody can keep all others out.
 */
export function createTurns({ places, queue, full }: Bounds): InTurn {
  const waiting = createQueue();
  let busy = 0;
  return async (run) => {
    const whose = turnOwner.getStore() ?? "";
    if (busy < places) {
      busy += 1;
    } else {
      if (waiting.size() >= queue) makeRoom(whose);
      await turn(waiting, whose);
    }
    try {
      requireTime();
      return await run();
    } finally {
      const next = waiting.next();
      if (next === undefined) busy -= 1;
      else next.begin();
    }
  };

  function makeRoom(whose: string): void {
    const greedy = waiting.longest();
    if (greedy.length <= waiting.of(whose) + 1) throw full();
    greedy.at(-1)?.refuse(full());
  }
}

// Waiters by their owner. The first owner of the map has the next turn.
function createQueue() {
  const all = new Map<string, Waiter[]>();
  const lists = () => [...all.values()];
  return {
    size: () => lists().reduce((sum, list) => sum + list.length, 0),
    of: (whose: string) => all.get(whose)?.length ?? 0,
    longest: () => lists().reduce((most, list) => (list.length > most.length ? list : most), []),
    add(whose: string, waiter: Waiter) {
      all.set(whose, [...(all.get(whose) ?? []), waiter]);
    },
    leave(whose: string, waiter: Waiter) {
      const rest = (all.get(whose) ?? []).filter((other) => other !== waiter);
      if (rest.length === 0) all.delete(whose);
      else all.set(whose, rest);
    },
    next(): Waiter | undefined {
      const [first] = all;
      if (first === undefined) return undefined;
      const [whose, [waiter, ...rest]] = first;
      all.delete(whose);
      if (rest.length > 0) all.set(whose, rest);
      return waiter;
    },
  };
}

/**
 * Makes the queue for credentials that nobody has shown yet: two at a time, so that a flood of made-up ones leaves the
 * pool to everybody else.
 */
export function createLookupTurns(): InTurn {
  return createTurns({ places: 2, queue: 200, full: queueFull });
}

/** Runs what has the same key by such a queue of its own, for as long as anybody is in it. */
export function createTurnsByKey(bounds: Bounds) {
  const queues = new Map<string, { readonly inTurn: InTurn; inside: number }>();
  return async <T>(key: string, run: () => Promise<T>): Promise<T> => {
    const queue = queues.get(key) ?? { inTurn: createTurns(bounds), inside: 0 };
    queues.set(key, queue);
    queue.inside += 1;
    try {
      return await queue.inTurn(run);
    } finally {
      queue.inside -= 1;
      if (queue.inside === 0) queues.delete(key);
    }
  };
}

// Resolves with the place that another one leaves; rejects, out of the queue, when nobody waits for the answer any more.
async function turn(waiting: ReturnType<typeof createQueue>, whose: string): Promise<void> {
  const cancellation = presentCancellation();
  const ms = deadlineLeft();
  await new Promise<void>((resolve, reject) => {
    const end = () => {
      waiting.leave(whose, waiter);
      cancellation?.stops.delete(giveUp);
      clearTimeout(timer);
    };
    const waiter: Waiter = {
      begin() {
        end();
        resolve();
      },
      refuse(error) {
        end();
        reject(error);
      },
    };
    const giveUp = () => waiter.refuse(cancellation?.cancelled ? callCancelled() : deadlinePassed());
    const timer = ms === undefined ? undefined : setTimeout(giveUp, ms);
    waiting.add(whose, waiter);
    cancellation?.stops.add(giveUp);
  });
}

function requireTime(): void {
  if (presentCancellation()?.cancelled) throw callCancelled();
  if ((deadlineLeft() ?? 1) <= 0) throw deadlinePassed();
}
