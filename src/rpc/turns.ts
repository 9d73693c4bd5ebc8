import { deadlineLeft, presentCancellation } from "../db/deadline.js";
import { rpcError } from "./errors.js";

/** Runs at most so many pieces of work at a time, the others in the order in which they came. */
export type InTurn = <T>(run: () => Promise<T>) => Promise<T>;

interface Bounds {
  /** How many run at a time. */
  readonly places: number;
  /** How many may wait. */
  readonly queue: number;
  /** What the next one is told. */
  readonly full: () => Error;
}

/**
 * Makes a queue. Who waits leaves it when the deadline of the call passes or its client goes away, and its place is
 * free for another.
 */
export function createTurns({ places, queue, full }: Bounds): InTurn {
  const waiting = new Set<() => void>();
  let busy = 0;
  return async (run) => {
    if (busy < places) busy += 1;
    else if (waiting.size < queue) await turn(waiting);
    else throw full();
    try {
      requireTime();
      return await run();
    } finally {
      const [next] = waiting;
      if (next === undefined) busy -= 1;
      else next();
    }
  };
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
async function turn(waiting: Set<() => void>): Promise<void> {
  const cancellation = presentCancellation();
  const ms = deadlineLeft();
  await new Promise<void>((resolve, reject) => {
    const end = () => {
      waiting.delete(begin);
      cancellation?.stops.delete(giveUp);
      clearTimeout(timer);
    };
    const begin = () => {
      end();
      resolve();
    };
    const giveUp = () => {
      end();
      reject(cancellation?.cancelled ? rpcError("CALL_CANCELLED", "The call was cancelled.") : tooLate());
    };
    const timer = ms === undefined ? undefined : setTimeout(giveUp, ms);
    waiting.add(begin);
    cancellation?.stops.add(giveUp);
  });
}

function requireTime(): void {
  if (presentCancellation()?.cancelled) throw rpcError("CALL_CANCELLED", "The call was cancelled.");
  if ((deadlineLeft() ?? 1) <= 0) throw tooLate();
}

function tooLate() {
  return rpcError("DEADLINE_EXCEEDED", "The deadline of the call has passed.");
}
