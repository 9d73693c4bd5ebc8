import type pg from "pg";
import { allowStops, type Cancellable, forbidStops, stoppable } from "./cancel.js";
import { deadlineExceeded, millisecondsLeft, presentScope, type Scope, statementCancelled } from "./deadline.js";
import { isConnectionLost, isReadOnlySession, isStaleStatement } from "./errors.js";
import { backstopMs, type createTimeLimits, type Ending } from "./time-limits.js";

/** A query as Knex gives it to its client, and its answer. */
export interface Query {
  sql: string;
  bindings?: readonly unknown[];
  options?: Record<string, unknown>;
  /** Given where the text is that of a statement which has one; else it is made from the text. */
  name?: string;
  response?: { command?: string };
}

export type Connection = pg.Client & Cancellable;

/** The rules that the sessions of a pool share. */
export interface Session {
  /** For migrations: neither deadlines nor time limits apply. */
  readonly unlimited: boolean;
  readonly limits: ReturnType<typeof createTimeLimits>;
  /** Names a statement that has no name yet; absent where statements are not named. */
  readonly nameOf: ((query: Query) => string | undefined) | undefined;
  /** The connections that are open. */
  readonly connections: Set<Connection>;
}

/** How long after its deadline a silent connection is given up. */
const silenceMs = 150;
/** Longer than any text by which a transaction ends. */
const longestEnding = 40;

/** Runs a statement for the present call; see `connection.ts` for its way. */
export async function runStatement(session: Session, connection: Connection, query: Query): Promise<Query> {
  const ending = endingOf(query.sql);
  if (ending !== undefined) return await endTransaction(session, connection, query, ending);
  const scope = scopeOf(session);
  requireWaiting(scope);
  if (!session.unlimited) session.limits.next(connection, timeOf(scope));
  const { nameOf } = session;
  const name = nameOf === undefined ? undefined : (query.name ?? nameOf(query));
  const { cancellation } = scope ?? {};
  const running = cancellation && stoppable(connection);
  if (running !== undefined) cancellation?.stops.add(running.stop);
  try {
    return await send(session, connection, query, name, scope);
  } catch (error) {
    handleFailure(session, connection, name, scope, error);
    return await send(session, connection, query, undefined, scope);
  } finally {
    if (running !== undefined) cancellation?.stops.delete(running.stop);
    const pending = running?.answered();
    if (pending !== undefined) await pending;
  }
}

/** The deadline and the cancellation of the present call; undefined outside of one, and where no limits apply. */
export function scopeOf({ unlimited }: Session): Scope | undefined {
  return unlimited ? undefined : presentScope();
}

/** Throws for a call that is cancelled or late: nobody waits for its answer. */
export function requireWaiting(scope: Scope | undefined): void {
  if (scope?.cancellation?.cancelled) throw statementCancelled();
  if (millisecondsLeft(scope) <= 0) throw deadlineExceeded();
}

// To the driver. Where it stays silent after the deadline, the connection is given up.
function send(
  { unlimited }: Session,
  connection: Connection,
  query: Query,
  name: string | undefined,
  scope: Scope | undefined,
): Promise<Query> {
  const config: pg.QueryConfig & { query_timeout?: number } = {
    text: query.sql,
    values: (query.bindings ?? []) as unknown[],
    ...query.options,
  };
  if (name !== undefined) config.name = name;
  if (!unlimited) config.query_timeout = Math.max(timeOf(scope), 0) + silenceMs;
  return new Promise<Query>((resolve, reject) => {
    connection.query(config, (error, response) => {
      if (error) return reject(error);
      query.response = response;
      resolve(query);
    });
  });
}

// Returns if the statement may be sent again without its name; else throws. Marks lost connections for removal.
function handleFailure(
  { connections }: Session,
  connection: Connection,
  name: string | undefined,
  scope: Scope | undefined,
  error: unknown,
): void {
  const isStale = name !== undefined && isStaleStatement(error);
  if (isStale || isConnectionLost(error)) connection.__knex__disposed = error;
  if (isReadOnlySession(error)) for (const other of connections) other.__knex__disposed = error;
  // After a cancellation every error is a consequence of it.
  if (scope?.cancellation?.cancelled) throw statementCancelled();
  if (!isStale || connection.getTransactionStatus() !== "I") throw error;
}

// Also when the call is over. Nothing stops it, so that its answer is the truth.
async function endTransaction(session: Session, connection: Connection, query: Query, ending: Ending): Promise<Query> {
  session.limits.end(connection, ending);
  try {
    const requested = forbidStops(connection);
    if (requested !== undefined) await requested;
    const done = await send(session, connection, query, undefined, scopeOf(session));
    // A broken transaction answers a commit with a rollback, which knex takes for success.
    if (ending === "COMMIT" && done.response?.command === "ROLLBACK") {
      throw new Error("the transaction was rolled back");
    }
    return done;
  } catch (error) {
    session.limits.forget(connection);
    if (isConnectionLost(error)) connection.__knex__disposed = error;
    throw error;
  } finally {
    allowStops(connection);
  }
}

function timeOf(scope: Scope | undefined): number {
  return Math.min(millisecondsLeft(scope), backstopMs);
}

function endingOf(sql: string): Ending | undefined {
  // Looked at first, because most statements are long.
  if (sql.length > longestEnding) return undefined;
  return /^\s*(commit|rollback)\b/i.exec(sql)?.[1]?.toUpperCase() as Ending | undefined;
}
