import knex, { type Knex } from "knex";
import type pg from "pg";
import { allowStops, type Cancellable, forbidStops, stoppable } from "./cancel.js";
import { callCancelled, deadlineExceeded, isCallOver, millisecondsLeft, presentScope, type Scope } from "./deadline.js";
import { isConnectionLost, isReadOnlySession, isStaleStatement } from "./errors.js";
import { createNames, parserOf } from "./statements.js";
import { backstopMs, createTimeLimits, type Ending } from "./time-limits.js";

// The way of a statement:
// 1. It waits for a connection of the pool, at most as long as its call has left.
// 2. A call that is over, because it is cancelled or late, sends nothing.
// 3. Where the time limit of the connection does not fit what is left, a SET travels with the statement.
// 4. It is sent by a name, so that Postgres parses it once per connection.
// 5. When the call is cancelled meanwhile, another connection asks Postgres to stop it.
// 6. When Postgres stays silent after the deadline, the connection is given up.
// 7. COMMIT and ROLLBACK are sent also when the call is over, and nothing stops them.
// 8. Where Postgres does not know the name any more, the statement is sent again without one.
// 9. A lost connection leaves the pool; the next statement opens another one. After a failover all leave it that were
//    opened before, because each of them may be to the old primary.
// 10. No connection goes back to the pool while a request to stop it is on its way.

/** How to reach Postgres. */
export interface ConnectOptions {
  readonly connectionString: string;
  /** Most connections open at a time. */
  readonly poolSize: number;
  /** How long a statement waits for a connection, and for a lock; 2 s if absent. */
  readonly waitMs?: number;
  /** Whether statements are prepared once per connection; see Config. */
  readonly namedStatements: boolean;
  readonly applicationName?: string;
  /** For migrations: neither deadlines nor time limits apply. */
  readonly unlimited?: boolean;
  /** Told of lost connections and failed attempts to open one; the text holds no values of statements. */
  readonly log?: (message: string) => void;
}

/** A query as Knex gives it to its client, and its answer. */
interface Query {
  sql: string;
  bindings?: readonly unknown[];
  options?: Record<string, unknown>;
  /** Given where the text is that of a statement which has one; else it is made from the text. */
  name?: string;
  response?: { command?: string };
}

type Connection = pg.Client & Cancellable;

interface PostgresClient extends Knex.Client {
  _query(connection: Connection, query: Query): Promise<Query>;
}

type Statics = Pick<typeof Knex.Client, keyof typeof Knex.Client>;

// Knex exports the Postgres dialect at no typed path.
const PostgresClient: Statics & (new (config: Knex.Config) => PostgresClient) = knex({ client: "pg" }).client
  .constructor;

/** How long a statement waits for a connection, and for a lock, unless the options say otherwise. */
const defaultWaitMs = 2_000;
/** How long after its deadline a silent connection is given up. */
const silenceMs = 150;
/** Longer than any text by which a transaction ends. */
const longestEnding = 40;

/**
 * Opens a pool. Nothing is sent before the first statement, and a lost connection is replaced by the next one. Statements
 * end with the deadline of their call: Postgres stops them. Without named statements, so behind a transaction pooler, it
 * does so in transactions only; elsewhere the connection is given up. Set the time limits of the role there. When a call
 * is cancelled, it waits for no connection, sends nothing more, and Postgres is asked to stop what it runs.
 */
export function connect(options: ConnectOptions): Knex {
  const log = (message: unknown) => options.log?.(String(message));
  return knex({
    client: clientFor(options),
    connection: {
      connectionString: options.connectionString,
      application_name: options.applicationName ?? "clientele",
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 30_000,
      types: { getTypeParser: parserOf },
      // A changed time limit travels with the statement that needs it, in one round trip.
      ...{ pipeline: true },
    },
    pool: { min: 0, max: options.poolSize },
    acquireConnectionTimeout: options.waitMs ?? defaultWaitMs,
    // Otherwise error messages would hold a statement's values.
    compileSqlOnError: false,
    log: { warn: log, error: log, deprecate: log, debug: () => {} },
  });
}

// A class for each pool, because knex makes the client of a transaction from the prototype, without the constructor.
function clientFor(options: ConnectOptions): typeof Knex.Client {
  const unlimited = options.unlimited === true;
  const waitMs = options.waitMs ?? defaultWaitMs;
  const limits = createTimeLimits(options.namedStatements);
  const nameOf = options.namedStatements ? createNames() : undefined;
  const opened = new Set<Connection>();

  return class extends PostgresClient {
    override async acquireRawConnection(): Promise<Connection> {
      const connection: Connection = await super.acquireRawConnection();
      // Sent as a statement, because PgBouncer refuses parameters that it does not know at the start of a session.
      await connection.query(sessionSettings(unlimited, waitMs));
      limits.begin(connection);
      opened.add(connection);
      return connection;
    }

    override async destroyRawConnection(connection: Connection): Promise<void> {
      opened.delete(connection);
      // The other side of a lost connection would never answer a goodbye.
      if (connection.__knex__disposed !== undefined) streamOf(connection)?.destroy();
      await super.destroyRawConnection(connection);
    }

    override async acquireConnection(): Promise<unknown> {
      const scope = unlimited ? undefined : presentScope();
      requireWaiting(scope);
      const isShort = millisecondsLeft(scope) <= waitMs;
      if (this.pool === undefined || (!isShort && scope?.cancellation === undefined)) {
        return await super.acquireConnection();
      }
      try {
        return await acquireWithin(this.pool, scope, waitMs);
      } catch (error) {
        if (isCallOver(error)) throw error;
        options.log?.(`Acquire connection error: ${error}`);
        throw isPoolTimeout(error) ? new knex.KnexTimeoutError("Timeout acquiring a connection") : error;
      }
    }

    override async _query(connection: Connection, query: Query): Promise<Query> {
      const ending = endingOf(query.sql);
      if (ending !== undefined) return await endTransaction(connection, query, ending);
      const scope = unlimited ? undefined : presentScope();
      requireWaiting(scope);
      if (!unlimited) limits.next(connection, timeOf(scope));
      const name = nameOf === undefined ? undefined : (query.name ?? nameOf(query));
      const { cancellation } = scope ?? {};
      const running = cancellation && stoppable(connection);
      if (running !== undefined) cancellation?.stops.add(running.stop);
      try {
        return await send(connection, query, name, scope);
      } catch (error) {
        return await sendUnnamed(connection, query, name, scope, error);
      } finally {
        if (running !== undefined) cancellation?.stops.delete(running.stop);
        const pending = running?.answered();
        if (pending !== undefined) await pending;
      }
    }
  };

  // To the driver. Where it stays silent after the deadline, the connection is given up.
  function send(connection: Connection, query: Query, name: string | undefined, scope: Scope | undefined) {
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

  // Once more, where the name alone was the matter; else throws what it means.
  async function sendUnnamed(
    connection: Connection,
    query: Query,
    name: string | undefined,
    scope: Scope | undefined,
    error: unknown,
  ): Promise<Query> {
    const isStale = name !== undefined && isStaleStatement(error);
    if (isStale || isConnectionLost(error)) connection.__knex__disposed = error;
    if (isReadOnlySession(error)) for (const other of opened) other.__knex__disposed = error;
    // Whatever it was, such as the rest of a broken transaction, it came of that.
    if (scope?.cancellation?.cancelled) throw callCancelled();
    if (!isStale || connection.getTransactionStatus() !== "I") throw error;
    return await send(connection, query, undefined, scope);
  }

  // Also when the call is over. Nothing stops it, so that its answer is the truth.
  async function endTransaction(connection: Connection, query: Query, ending: Ending): Promise<Query> {
    limits.end(connection, ending);
    try {
      const requested = forbidStops(connection);
      if (requested !== undefined) await requested;
      const done = await send(connection, query, undefined, unlimited ? undefined : presentScope());
      // A broken transaction answers a commit with a rollback, which knex takes for success.
      if (ending === "COMMIT" && done.response?.command === "ROLLBACK")
        throw new Error("the transaction was rolled back");
      return done;
    } catch (error) {
      limits.forget(connection);
      if (isConnectionLost(error)) connection.__knex__disposed = error;
      throw error;
    } finally {
      allowStops(connection);
    }
  }
}

type Pool = NonNullable<Knex.Client["pool"]>;

// Waits for a connection, until the call is over.
async function acquireWithin(pool: Pool, scope: Scope | undefined, waitMs: number): Promise<unknown> {
  const pending = pool.acquire();
  const stop = () => {
    if ("abort" in pending && typeof pending.abort === "function") pending.abort();
  };
  let late = false;
  const onLate = () => {
    late = true;
    stop();
  };
  const left = millisecondsLeft(scope);
  const timer = left <= waitMs ? setTimeout(onLate, left) : undefined;
  scope?.cancellation?.stops.add(stop);
  try {
    return await pending.promise;
  } catch (error) {
    if (scope?.cancellation?.cancelled) throw callCancelled();
    throw late ? deadlineExceeded() : error;
  } finally {
    clearTimeout(timer);
    scope?.cancellation?.stops.delete(stop);
  }
}

// Refuses what nobody waits for any more.
function requireWaiting(scope: Scope | undefined): void {
  if (scope?.cancellation?.cancelled) throw callCancelled();
  if (millisecondsLeft(scope) <= 0) throw deadlineExceeded();
}

function timeOf(scope: Scope | undefined): number {
  return Math.min(millisecondsLeft(scope), backstopMs);
}

function endingOf(sql: string): Ending | undefined {
  // Looked at first, because most statements are long.
  if (sql.length > longestEnding) return undefined;
  return /^\s*(commit|rollback)\b/i.exec(sql)?.[1]?.toUpperCase() as Ending | undefined;
}

function sessionSettings(unlimited: boolean, waitMs: number): string {
  return `
    SET client_encoding = 'UTF8';
    SET timezone = 'UTC';
    SET statement_timeout = ${unlimited ? 0 : backstopMs};
    SET lock_timeout = ${unlimited ? 10_000 : waitMs};
    SET idle_in_transaction_session_timeout = ${unlimited ? 0 : 15_000};`;
}

// The pool's own errors tell by their class alone.
function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && error.constructor.name === "TimeoutError";
}

function streamOf(connection: Connection): { destroy(): void } | undefined {
  return Reflect.get(connection, "connection")?.stream;
}
