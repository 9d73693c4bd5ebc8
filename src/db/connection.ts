import knex, { type Knex } from "knex";
import { deadlineExceeded, isCallOver, millisecondsLeft, type Scope, statementCancelled } from "./deadline.js";
import { type Connection, type Query, requireWaiting, runStatement, type Session, scopeOf } from "./run-statement.js";
import { createNames, parserOf } from "./statements.js";
import { backstopMs, createTimeLimits } from "./time-limits.js";

// The way of a statement (2 to 8 are `run-statement.ts`):
// 1. It waits for a connection of the pool, at most as long as its call has left.
// 2. A call that is over, because it is cancelled or late, sends nothing.
// 3. Where the time limit of the connection does not fit what is left, a SET travels with the statement.
// 4. It is sent by a name, so that Postgres parses it once per connection.
// 5. When the call is cancelled meanwhile, another connection asks Postgres to stop it.
// 6. When Postgres stays silent after the deadline, the connection is given up.
// 7. COMMIT and ROLLBACK are sent also when the call is over, and nothing stops them.
// 8. Where Postgres does not know the name any more, the statement is sent again without one.
// 9. A lost connection leaves the pool; the next statement opens another one. After a failover every older connection
//    leaves it, because it may lead to the old primary.
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

interface PostgresClient extends Knex.Client {
  _query(connection: Connection, query: Query): Promise<Query>;
}

type Statics = Pick<typeof Knex.Client, keyof typeof Knex.Client>;

// Knex exports the Postgres dialect at no typed path.
const PostgresClient: Statics & (new (config: Knex.Config) => PostgresClient) = knex({ client: "pg" }).client
  .constructor;

/** How long a statement waits for a connection, and for a lock, unless the options say otherwise. */
const defaultWaitMs = 2_000;

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
  const session: Session = {
    unlimited: options.unlimited === true,
    limits: createTimeLimits(options.namedStatements),
    nameOf: options.namedStatements ? createNames() : undefined,
    connections: new Set(),
  };
  const waitMs = options.waitMs ?? defaultWaitMs;

  return class extends PostgresClient {
    override async acquireRawConnection(): Promise<Connection> {
      const connection: Connection = await super.acquireRawConnection();
      // Sent as a statement, because PgBouncer refuses parameters that it does not know at the start of a session.
      await connection.query(sessionSettings(session.unlimited, waitMs));
      session.limits.begin(connection);
      session.connections.add(connection);
      return connection;
    }

    override async destroyRawConnection(connection: Connection): Promise<void> {
      session.connections.delete(connection);
      // The other side of a lost connection would never answer a goodbye.
      if (connection.__knex__disposed !== undefined) streamOf(connection)?.destroy();
      await super.destroyRawConnection(connection);
    }

    override async acquireConnection(): Promise<unknown> {
      const scope = scopeOf(session);
      requireWaiting(scope);
      const isShort = millisecondsLeft(scope) <= waitMs;
      const waitsInFull = !isShort && scope?.cancellation === undefined;
      if (this.pool === undefined || waitsInFull) return await super.acquireConnection();
      return await acquireWithin(this.pool, scope, waitMs).catch((error) => refuseConnection(error, options));
    }

    override async _query(connection: Connection, query: Query): Promise<Query> {
      return await runStatement(session, connection, query);
    }
  };
}

// The error of a call that got no connection, as Knex names it.
function refuseConnection(error: unknown, { log }: ConnectOptions): never {
  if (isCallOver(error)) throw error;
  log?.(`Acquire connection error: ${error}`);
  throw isPoolTimeout(error) ? new knex.KnexTimeoutError("Timeout acquiring a connection") : error;
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
    if (scope?.cancellation?.cancelled) throw statementCancelled();
    throw late ? deadlineExceeded() : error;
  } finally {
    clearTimeout(timer);
    scope?.cancellation?.stops.delete(stop);
  }
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
