import type { Readiness } from "../health.js";

/** A listener at work. */
export interface RunningServer {
  /** The port it is bound to. */
  readonly port: number;
  /**
   * Stops accepting, lets the calls in flight finish, and aborts what still runs after `graceMs` milliseconds.
   * Resolves when the last connection is closed; never rejects.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Takes the process out of service: first readiness, so that nobody sends more, then every listener at once.
 * No call in flight fails unless it outlives `graceMs` milliseconds.
 */
export async function drain(servers: readonly RunningServer[], readiness: Readiness, graceMs: number): Promise<void> {
  readiness.close();
  await Promise.all(servers.map((server) => server.close(graceMs)));
}
