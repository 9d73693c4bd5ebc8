import { createHash } from "node:crypto";
import knex, { type Knex } from "knex";
import pg from "pg";
import { allowStops, type Cancellable, forbidStops, stoppable } from "./cancel.js";
import { callCancelled, deadlineExceeded, deadlineLeft, presentCancellation } from "./deadline.js";
import { isConnectionLost, isStaleStatement } from "./errors.js";

/** How to reach Postgres. */
export interface ConnectOptions {
  readonly connectionString: string;
  /** Most connections open at a time. */
  readonly poolSize: number;
  /** Whether statements are prepared once per connection; see Config. */
  readonly namedStatements: boolean;
  readonly applicationName?: string;
  /** For migrations: neither deadlines nor time limits apply. */
  readonly unlimited?: boolean;
  /** Told of lost connections and failed attempts to open one; the text holds no values of statements. */
  readonly log?: (message: string) => void;
}

interface Statement {
  sql: string;
  bindings?: readonly unknown[];
  options?: Record<string, unknown>;
  response?: { command?: string };
}

type Connection = pg.Client & Cancellable;

interface PostgresClient extends Knex.Client {
  _query(connection: Connection, statement: Statement): Promise<Statement>;
}

type Statics = Pick<typeof Knex.Client, keyof typeof Knex.Client>;

// Knex exports the Postgres dialect at no typed path.
const PostgresClient: Statics & (new (config: Knex.Config) => PostgresClient) = knex({ client: "pg" }).client
  .constructor;

const acquireMs = 2_000;
const backstopMs = 60_000;
/** How far a statement's time limit is rounded up, so that calls with alike deadlines share one. */
const roundMs = 50;
/** A connection's time limit that is at most this much longer than what is left is left as it is. */
const toleranceMs = 150;
/** How long after its deadline a silent connection is given up. */
const silenceMs = 150;
const mostNames = 500;

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
      types: { getTypeParser },
      // A changed time limit travels with the statement that needs it, in one round trip.
      ...{ pipeline: true },
    },
    pool: { min: 0, max: options.poolSize },
    acquireConnectionTimeout: acquireMs,
    // Else a statement's values would stand in the messages of errors.
    compileSqlOnError: false,
    log: { warn: log, error: log, deprecate: log, debug: () => {} },
  });
}

// A class for each pool, because knex makes the client of a transaction from the prototype, without the constructor.
function clientFor(options: ConnectOptions): typeof Knex.Client {
  const limits = new WeakMap<Connection, number>();
  const names = new Map<string, string>();
  const unlimited = options.unlimited === true;

  return class extends PostgresClient {
    override async acquireRawConnection(): Promise<Connection> {
      const connection: Connection = await super.acquireRawConnection();
      // Sent as a statement, because PgBouncer refuses parameters that it does not know at the start of a session.
      await connection.query(sessionSettings(unlimited));
      if (options.namedStatements) limits.set(connection, backstopMs);
      return connection;
    }

    override async destroyRawConnection(connection: Connection): Promise<void> {
      // The other side of a lost connection would never answer a goodbye.
      if (connection.__knex__disposed !== undefined) streamOf(connection)?.destroy();
      await super.destroyRawConnection(connection);
    }

    override async acquireConnection(): Promise<unknown> {
      const cancellation = unlimited ? undefined : presentCancellation();
      const left = (unlimited ? undefined : deadlineLeft()) ?? Number.POSITIVE_INFINITY;
      if (cancellation?.cancelled) throw callCancelled();
      if (left <= 0) throw deadlineExceeded();
      const short = left <= acquireMs;
      if (this.pool === undefined || (!short && cancellation === undefined)) return await super.acquireConnection();
      const pending = this.pool.acquire();
      let late = false;
      const stop = () => {
        if ("abort" in pending && typeof pending.abort === "function") pending.abort();
      };
      const onLate = () => {
        late = true;
        stop();
      };
      const timer = short ? setTimeout(onLate, left) : undefined;
      cancellation?.stops.add(stop);
      try {
        return await pending.promise;
      } catch (error) {
        if (cancellation?.cancelled) throw callCancelled();
        if (late) throw deadlineExceeded();
        options.log?.(`Acquire connection error: ${error}`);
        throw isPoolTimeout(error) ? new knex.KnexTimeoutError("Timeout acquiring a connection") : error;
      } finally {
        clearTimeout(timer);
        cancellation?.stops.delete(stop);
      }
    }

    override async _query(connection: Connection, statement: Statement): Promise<Statement> {
      const ends = /^\s*(commit|rollback)\b/i.exec(statement.sql)?.[1]?.toUpperCase();
      const given = statement.options;
      const cancellation = unlimited || ends !== undefined ? undefined : presentCancellation();
      if (cancellation?.cancelled) throw callCancelled();
      if (!unlimited) {
        const left = Math.min(deadlineLeft() ?? backstopMs, backstopMs);
        if (ends === undefined && left <= 0) throw deadlineExceeded();
        if (ends === undefined) limitNext(connection, left);
        statement.options = { ...given, query_timeout: Math.max(left, 0) + silenceMs };
      }
      // With the transaction goes what was set in it.
      if (ends === "ROLLBACK" || (ends !== undefined && !options.namedStatements)) limits.delete(connection);
      const name = options.namedStatements ? nameOf(statement, names) : undefined;
      const unnamed = statement.options;
      if (name !== undefined) statement.options = { ...unnamed, name };
      const running = cancellation && stoppable(connection);
      if (running !== undefined) cancellation?.stops.add(running.stop);
      try {
        const requested = ends === undefined ? undefined : forbidStops(connection);
        if (requested !== undefined) await requested;
        const done = await super._query(connection, statement);
        // A broken transaction answers a commit with a rollback, which knex takes for success.
        if (ends === "COMMIT" && done.response?.command === "ROLLBACK")
          throw new Error("the transaction was rolled back");
        return done;
      } catch (error) {
        if (ends !== undefined) limits.delete(connection);
        const isStale = name !== undefined && isStaleStatement(error);
        if (isStale || isConnectionLost(error)) connection.__knex__disposed = error;
        // Whatever it was, such as the rest of a broken transaction, it came of that.
        if (cancellation?.cancelled) throw callCancelled();
        if (!isStale || connection.getTransactionStatus() !== "I") throw error;
        if (unnamed === undefined) delete statement.options;
        else statement.options = unnamed;
        return await super._query(connection, statement);
      } finally {
        if (ends !== undefined) allowStops(connection);
        if (running !== undefined) cancellation?.stops.delete(running.stop);
        const pending = running?.answered();
        if (pending !== undefined) await pending;
      }
    }
  };

  /** Makes Postgres stop the next statements when `left` milliseconds have passed, without waiting for its answer. */
  function limitNext(connection: Connection, left: number): void {
    // A transaction pooler gives every transaction another session, whose settings must not be touched.
    const scope = options.namedStatements ? "SET" : "SET LOCAL";
    if (scope === "SET LOCAL" && connection.getTransactionStatus() !== "T") return;
    const present = limits.get(connection);
    if (present !== undefined && present >= left && present <= left + toleranceMs) return;
    const limit = Math.ceil(left / roundMs) * roundMs;
    limits.set(connection, limit);
    connection.query(`${scope} statement_timeout = ${limit}`, (error: Error | null) => {
      if (error) limits.delete(connection);
    });
  }
}

function sessionSettings(unlimited: boolean): string {
  return `
    SET client_encoding = 'UTF8';
    SET timezone = 'UTC';
    SET statement_timeout = ${unlimited ? 0 : backstopMs};
    SET lock_timeout = ${unlimited ? 10_000 : 2_000};
    SET idle_in_transaction_session_timeout = ${unlimited ? 0 : 15_000};`;
}

// Only the first texts are named, so that SQL built from input cannot fill the server's memory.
function nameOf({ sql, bindings }: Statement, names: Map<string, string>): string | undefined {
  const known = names.get(sql);
  if (known !== undefined || names.size >= mostNames) return known;
  const several = sql.includes(";") && (bindings === undefined || bindings.length === 0);
  if (several || !/^\s*(select|insert|update|delete|with|merge|values)\b/i.test(sql)) return undefined;
  const name = createHash("sha256").update(sql).digest("base64url").slice(0, 22);
  names.set(sql, name);
  return name;
}

// The pool's own errors tell by their class alone.
function isPoolTimeout(error: unknown): boolean {
  return error instanceof Error && error.constructor.name === "TimeoutError";
}

function streamOf(connection: Connection): { destroy(): void } | undefined {
  return Reflect.get(connection, "connection")?.stream;
}

const { builtins } = pg.types;
const textArray = 1009;
/** Types that would lose something in pg's own parsers, and the type whose parser is used for them. */
const readAs = new Map<number, number>([
  [builtins.DATE, builtins.TEXT],
  [builtins.TIMESTAMP, builtins.TEXT],
  [builtins.NUMERIC, builtins.TEXT],
  [1182, textArray], // date[]
  [1115, textArray], // timestamp[]
  [1231, textArray], // numeric[]
]);

function getTypeParser(oid: number): (text: string) => unknown {
  if (oid === builtins.INT8) return safeInteger;
  return pg.types.getTypeParser(readAs.get(oid) ?? oid, "text");
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("a bigint is beyond the safe integers");
  return value;
}
