import { setTimeout as delay } from "node:timers/promises";
import type { Readiness } from "../health.js";

/** A listener at work. */
export interface RunningServer {
  /** The port it is bound to. */
  readonly port: number;
  /**
   * Tells every client to open another connection for its next call: by `Connection: close`, or by GOAWAY. Goes on
   * accepting connections and answering calls.
   */
  leave(): void;
  /**
   * Stops accepting, lets the calls in flight finish, and aborts what still runs after `graceMs` milliseconds.
   * Resolves when the last connection is closed; never rejects.
   */
  close(graceMs: number): Promise<void>;
}

/**
 * Leads clients elsewhere for `ms` milliseconds before a drain: readiness turns, and every connection ends with its next
 * answer. A balancer that polls readiness in that time loses no call.
 */
export async function leave(servers: readonly RunningServer[], readiness: Readiness, ms: number): Promise<void> {
  readiness.leave();
  for (const server of servers) server.leave();
  await delay(ms);
}

/**
 * Takes the process out of service: first readiness, so that nobody sends more, then every listener at once.
 * No call in flight fails unless it outlives `graceMs` milliseconds.
 */
export async function drain(servers: readonly RunningServer[], readiness: Readiness, graceMs: number): Promise<void> {
  readiness.close();
  await Promise.all(servers.map((server) => server.close(graceMs)));
}
