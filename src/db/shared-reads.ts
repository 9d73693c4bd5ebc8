import type { Knex } from "knex";
import {
  cancel,
  createCancellation,
  deadlineExceeded,
  millisecondsLeft,
  presentScope,
  runInScope,
  type Scope,
  statementCancelled,
} from "./deadline.js";
import { classify } from "./errors.js";
import type { Statement } from "./statements.js";

/** The parameters of a shared statement: one tenant, and the keys of the rows to read. */
export interface Keys {
  readonly tenantId: string;
  readonly keys: string[];
}

/** Reads one row of a tenant by its key. */
export type ReadRow<Row> = (db: Knex, tenantId: string, key: string) => Promise<Row | undefined>;

/** A call that waits for a row. */
interface Reader<Row> {
  readonly key: string;
  readonly scope: Scope | undefined;
  readonly resolve: (row: Row | undefined) => void;
  readonly reject: (error: unknown) => void;
  isGone: boolean;
  /** Called when its call is cancelled, while its batch is under way. */
  onCancel?: () => void;
}

/** Readers of one tenant that are answered by one statement. */
interface Batch<Row> {
  readonly tenantId: string;
  readonly readers: Reader<Row>[];
}

/** Most readers of a batch; the next one begins another batch, on another connection. */
const mostReaders = 50;

/**
 * Makes a read that shares its round trip: the reads of a tenant in one turn of the event loop travel as one statement.
 * Each reader keeps its own deadline, cancellation and error. A batch takes a connection of its own, so that a slow one
 * holds up no other, and a read never joins a batch that has been sent, so that it sees whatever was answered before it.
 * In a transaction a read goes alone.
 */
export function shareRead<Row>(statement: Statement<Row, Keys>, keyOf: (row: Row) => string): ReadRow<Row> {
  const join = createBatches<Row>((db, batch) => void send(db, batch));

  return (db, tenantId, key) => {
    if (db.isTransaction) return readAlone(db, tenantId, key);
    const scope = presentScope();
    if (scope?.cancellation?.cancelled) return Promise.reject(statementCancelled());
    if (millisecondsLeft(scope) <= 0) return Promise.reject(deadlineExceeded());
    return new Promise((resolve, reject) => {
      join(db, tenantId, { key, scope, resolve, reject, isGone: false });
    });
  };

  async function readAlone(db: Knex, tenantId: string, key: string): Promise<Row | undefined> {
    return (await statement(db, { tenantId, keys: [key] }))[0];
  }

  async function send(db: Knex, { tenantId, readers }: Batch<Row>): Promise<void> {
    const watch = watchReaders(readers);
    try {
      const keys = readers.map(({ key }) => key);
      const rows = await runInScope(watch.scope, () => statement(db, { tenantId, keys }));
      const byKey = new Map(rows.map((row) => [keyOf(row), row]));
      for (const { key, resolve } of readers) resolve(byKey.get(key));
    } catch (error) {
      // One reader, or a database that is away, would only meet the same again.
      if (readers.length === 1 || classify(error) === "unavailable") for (const { reject } of readers) reject(error);
      else for (const reader of readers) void retry(db, tenantId, reader);
    } finally {
      watch.end();
    }
  }

  async function retry(db: Knex, tenantId: string, { key, scope, resolve, reject, isGone }: Reader<Row>) {
    if (isGone) return;
    await runInScope(scope, () => readAlone(db, tenantId, key)).then(resolve, reject);
  }
}

/** Puts readers into batches, and passes each batch on when it is full, or at the end of the turn. */
function createBatches<Row>(send: (db: Knex, batch: Batch<Row>) => void) {
  const waiting = new WeakMap<Knex, Map<string, Batch<Row>>>();

  return (db: Knex, tenantId: string, reader: Reader<Row>): void => {
    let batches = waiting.get(db);
    if (batches === undefined) {
      batches = new Map();
      waiting.set(db, batches);
    }
    let batch = batches.get(tenantId);
    if (batch === undefined) {
      batch = { tenantId, readers: [] };
      batches.set(tenantId, batch);
      if (batches.size === 1) setImmediate(sendWaiting, db);
    }
    batch.readers.push(reader);
    if (batch.readers.length < mostReaders) return;
    batches.delete(tenantId);
    send(db, batch);
  };

  // After the events of this turn, which may have brought more readers.
  function sendWaiting(db: Knex): void {
    const batches = waiting.get(db);
    waiting.delete(db);
    for (const batch of batches?.values() ?? []) send(db, batch);
  }
}

// Lets each reader leave at its own deadline or cancellation. The scope is that of all: it ends with the last of them.
function watchReaders(readers: readonly Reader<never>[]): { readonly scope: Scope; end(): void } {
  const cancellation = createCancellation();
  let readerCount = readers.length;
  let latest = 0;
  for (const reader of readers) {
    latest = Math.max(latest, untilOf(reader));
    const calls = reader.scope?.cancellation;
    if (calls === undefined) continue;
    if (calls.cancelled) leave(reader, statementCancelled());
    reader.onCancel = () => leave(reader, statementCancelled());
    calls.stops.add(reader.onCancel);
  }
  let timer = nextDeadline();
  return { scope: { until: latest, cancellation }, end };

  function leave(reader: Reader<never>, error: Error): void {
    if (reader.isGone) return;
    reader.isGone = true;
    reader.reject(error);
    readerCount -= 1;
    if (readerCount === 0) cancel(cancellation);
  }

  function nextDeadline(): NodeJS.Timeout | undefined {
    let earliest = Number.POSITIVE_INFINITY;
    for (const reader of readers) if (!reader.isGone) earliest = Math.min(earliest, untilOf(reader));
    if (earliest === Number.POSITIVE_INFINITY) return undefined;
    return setTimeout(leaveLate, earliest - Date.now());
  }

  function leaveLate(): void {
    for (const reader of readers) if (millisecondsLeft(reader.scope) <= 0) leave(reader, deadlineExceeded());
    timer = nextDeadline();
  }

  function end(): void {
    clearTimeout(timer);
    for (const { scope, onCancel } of readers) if (onCancel !== undefined) scope?.cancellation?.stops.delete(onCancel);
  }
}

function untilOf({ scope }: Reader<never>): number {
  return scope?.until ?? Number.POSITIVE_INFINITY;
}
