import type pg from "pg";

/** The longest that any statement may run. */
export const backstopMs = 60_000;
/** How far a statement's time limit is rounded up, so that calls with alike deadlines share one. */
const roundMs = 50;
/** A connection's time limit that is at most this much longer than what is left is left as it is. */
const toleranceMs = 150;

/** How a transaction ends. */
export type Ending = "COMMIT" | "ROLLBACK";

/**
 * Tracks the time limit that each connection has for its statements, and changes it where necessary. `ownSessions` says
 * whether the sessions are ours: a transaction pooler gives every transaction another one, whose settings must not be
 * touched.
 */
export function createTimeLimits(ownSessions: boolean) {
  const limits = new WeakMap<pg.Client, number>();
  const forget = (connection: pg.Client) => void limits.delete(connection);
  return {
    /** A connection is new. */
    begin(connection: pg.Client): void {
      if (ownSessions) limits.set(connection, backstopMs);
    },
    /** Makes Postgres stop the next statements when `left` milliseconds have passed, without waiting for its answer. */
    next(connection: pg.Client, left: number): void {
      const scope = ownSessions ? "SET" : "SET LOCAL";
      if (scope === "SET LOCAL" && connection.getTransactionStatus() !== "T") return;
      const currentLimit = limits.get(connection);
      if (currentLimit !== undefined && currentLimit >= left && currentLimit <= left + toleranceMs) return;
      const limit = Math.ceil(left / roundMs) * roundMs;
      limits.set(connection, limit);
      connection.query(`${scope} statement_timeout = ${limit}`, (error: Error | null) => {
        if (error) forget(connection);
      });
    },
    /** With the transaction goes what was set in it. */
    end(connection: pg.Client, ending: Ending): void {
      if (ending === "ROLLBACK" || !ownSessions) forget(connection);
    },
    forget,
  };
}
