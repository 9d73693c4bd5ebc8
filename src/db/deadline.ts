import { AsyncLocalStorage } from "node:async_hooks";

/** Whether anybody still waits for a call. */
export interface Cancellation {
  /** True once nobody does; from then on no statement of the call is sent, but those that end its transaction. */
  cancelled: boolean;
  /** The actions of a cancellation: each ends a statement, or a wait for a connection. */
  readonly stops: Set<() => void>;
}

/** Until when somebody waits: a deadline as of Date.now(), Infinity for none, and a cancellation. */
export interface Scope {
  readonly until: number;
  readonly cancellation: Cancellation | undefined;
}

const scopes = new AsyncLocalStorage<Scope | undefined>();

/**
 * Runs `fn` so that no statement in it runs past `epochMs`, a time as of Date.now(), or goes on after `cancellation`; an
 * earlier deadline around it stays. A builder that `fn` returns is run inside too.
 */
export async function withDeadline<T>(
  epochMs: number,
  fn: () => T | PromiseLike<T>,
  cancellation?: Cancellation,
): Promise<T> {
  const outer = scopes.getStore();
  const scope = {
    until: Math.min(epochMs, outer?.until ?? Number.POSITIVE_INFINITY),
    cancellation: cancellation ?? outer?.cancellation,
  };
  return await scopes.run(scope, async () => await fn());
}

/** Runs what several calls wait for, which must not end with the one that happened to begin it. */
export async function withoutDeadline<T>(fn: () => T | PromiseLike<T>): Promise<T> {
  return await scopes.run(undefined, async () => await fn());
}

/** A cancellation that has not happened. */
export function createCancellation(): Cancellation {
  return { cancelled: false, stops: new Set() };
}

/** Cancels: stops running statements, and lets none begin. */
export function cancel(cancellation: Cancellation): void {
  cancellation.cancelled = true;
  for (const stop of cancellation.stops) stop();
  cancellation.stops.clear();
}

/** The scope of the present call; undefined outside one. */
export function presentScope(): Scope | undefined {
  return scopes.getStore();
}

/** Runs `fn` for those who wait in `scope`, and for nobody else. */
export function runInScope<T>(scope: Scope | undefined, fn: () => T): T {
  return scopes.run(scope, fn);
}

/** Milliseconds left in a scope, negative when it is too late; Infinity without a deadline. */
export function millisecondsLeft(scope: Scope | undefined): number {
  const until = scope?.until ?? Number.POSITIVE_INFINITY;
  return until === Number.POSITIVE_INFINITY ? until : until - Date.now();
}

/** Milliseconds left to the present call, negative when it is too late; undefined when nothing set a deadline. */
export function deadlineLeft(): number | undefined {
  const left = millisecondsLeft(presentScope());
  return left === Number.POSITIVE_INFINITY ? undefined : left;
}

/** Whether anybody waits for the present call; undefined when nothing tells. */
export function presentCancellation(): Cancellation | undefined {
  return presentScope()?.cancellation;
}

class CallOver extends Error {
  /** The SQLSTATE that Postgres gives when it is told to stop a statement, or its time is over. */
  readonly code = "57014";
}

/** The error of a statement that was not sent because its time was over. */
export function deadlineExceeded(): Error & { code: string } {
  return new CallOver("the deadline passed before the statement was sent");
}

/** The error of a statement that nobody waits for. */
export function statementCancelled(): Error & { code: string } {
  return new CallOver("the statement was cancelled");
}

/** Whether an error is one of the two above. */
export function isCallOver(error: unknown): boolean {
  return error instanceof CallOver;
}
