import { randomBytes } from "node:crypto";
import { type Config, readConfig } from "../config.js";
import { connect } from "../db/connection.js";
import { type Embedded, findEmbedded, startEmbedded } from "../db/embedded.js";
import { migrate } from "../db/migrate.js";
import { migrations } from "../db/migrations/index.js";
import type { OperatorDeps } from "../operator.js";
import { createNewId } from "../rpc/ids.js";
import { signal } from "./signal.js";

/**
 * Runs a command on the migrated database of `DATABASE_URL`, else on the embedded one, which it starts for the time of
 * the command if none runs.
 */
export async function withDatabase(command: (deps: OperatorDeps, applied: string[]) => Promise<void>): Promise<void> {
  const config = readConfig();
  const stopped = signal().then((name) => Promise.reject(new Error(`Ended by ${name}.`)));
  stopped.catch(() => {});
  await onDatabase(config, async (databaseUrl) => {
    const done = migrateDatabase(config, databaseUrl).then((applied) =>
      operate(databaseUrl, (deps) => command(deps, applied)),
    );
    await Promise.race([stopped, done]);
  });
}

/** Hands over the URL of the configured database, else of the embedded one. */
export async function onDatabase(config: Config, work: (databaseUrl: string) => Promise<void>): Promise<void> {
  const running = config.databaseUrl ?? (await findEmbedded(config.dataDir));
  const embedded = running === undefined ? await startPostgres(config) : undefined;
  try {
    await work(running ?? embedded!.url);
  } finally {
    await embedded?.stop();
  }
}

/** Applies the pending migrations, and returns their names. */
export async function migrateDatabase(config: Config, databaseUrl: string): Promise<string[]> {
  const log = (message: string) => process.stderr.write(`${message}\n`);
  return await migrate(config.migrationUrl ?? databaseUrl, migrations, { log });
}

/** Runs an operation on a connection of its own. */
export async function operate<T>(databaseUrl: string, operation: (deps: OperatorDeps) => Promise<T>): Promise<T> {
  const db = connect({ connectionString: databaseUrl, poolSize: 1, namedStatements: false });
  const clock = () => new Date();
  try {
    return await operation({ db, clock, randomBytes, newId: createNewId(clock, randomBytes) });
  } finally {
    await db.destroy();
  }
}

/** Starts the embedded Postgres. */
export async function startPostgres(config: Config): Promise<Embedded> {
  return await startEmbedded({ dataDir: config.dataDir, log: (message) => process.stderr.write(`${message}\n`) });
}
