import { AsyncLocalStorage } from "node:async_hooks";

const deadlines = new AsyncLocalStorage<number>();

/**
 * Runs `fn` so that no statement in it runs past `epochMs`, a time as of Date.now(); an earlier deadline around it stays.
 * A builder that `fn` returns is run inside too.
 */
export async function withDeadline<T>(epochMs: number, fn: () => T | PromiseLike<T>): Promise<T> {
  const earlier = Math.min(epochMs, deadlines.getStore() ?? Number.POSITIVE_INFINITY);
  return await deadlines.run(earlier, async () => await fn());
}

/** Milliseconds left to the present call, negative when it is too late; undefined when nothing set a deadline. */
export function deadlineLeft(): number | undefined {
  const deadline = deadlines.getStore();
  return deadline === undefined || deadline === Number.POSITIVE_INFINITY ? undefined : deadline - Date.now();
}

/** The error of a statement that was not sent because its time was over. It carries the SQLSTATE that Postgres would give. */
export function deadlineExceeded(): Error & { code: string } {
  return Object.assign(new Error("the deadline passed before the statement was sent"), { code: "57014" });
}
