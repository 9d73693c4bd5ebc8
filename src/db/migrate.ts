import { setTimeout as sleep } from "node:timers/promises";
import type { Knex } from "knex";
import { connect } from "./connection.js";

/** Every migration by name; they run in the order of their names. */
export type Migrations = Readonly<Record<string, Knex.Migration>>;

/** Key of the lock that one migrating process holds; any number that nothing else uses. */
const lockKey = 7_236_001;
const lockPollMs = 100;
/** How soon a process says for whom it waits. */
const patienceMs = 1_000;
const table = "knex_migrations";

export interface MigrateOptions {
  /** Told for whom the migrations wait. */
  readonly log?: (message: string) => void;
  /** The longest wait for another process that migrates; 10 minutes if absent. */
  readonly waitMs?: number;
}

/**
 * Applies the migrations that the database does not have yet and returns their names. Takes no lock if there are none,
 * else waits while another process migrates; throws an Error that names the process when the wait is over. Migrations
 * that the database has and `migrations` has not, those of a newer release, are let be.
 */
export async function migrate(
  connectionString: string,
  migrations: Migrations,
  { log = () => {}, waitMs = 600_000 }: MigrateOptions = {},
): Promise<string[]> {
  // One connection, so that the lock, which is the session's, cannot be lost while the migrations go on.
  const db = connect({
    connectionString,
    poolSize: 1,
    namedStatements: false,
    applicationName: "clientele migrate",
    unlimited: true,
  });
  try {
    if ((await migrationsPending(db, migrations)).length === 0) return [];
    await takeLock(db, log, waitMs);
    const config = { migrationSource: sourceOf(migrations), tableName: table, disableMigrationsListValidation: true };
    // Knex's own lock stays set for ever when its holder is killed. Whoever holds ours may take it.
    await db.migrate.forceFreeMigrationsLock(config);
    const [, applied]: [number, string[]] = await db.migrate.latest(config);
    return applied;
  } finally {
    await db.destroy();
  }
}

// By polling: a statement that waits for the lock holds a snapshot, which CREATE INDEX CONCURRENTLY waits for.
async function takeLock(db: Knex, log: (message: string) => void, waitMs: number): Promise<void> {
  const start = Date.now();
  let isTold = false;
  while (!(await tryLock(db))) {
    const waited = Date.now() - start;
    if (waited >= waitMs) throw new Error(`The database is being migrated for too long, by ${await holderOf(db)}.`);
    if (waited >= patienceMs && !isTold) {
      log(`waiting for another migration, by ${await holderOf(db)}`);
      isTold = true;
    }
    await sleep(lockPollMs);
  }
}

async function holderOf(db: Knex): Promise<string> {
  const { rows } = await db.raw(
    `select pid, application_name as name, coalesce(host(client_addr), 'this machine') as host
     from pg_locks join pg_stat_activity using (pid)
     where locktype = 'advisory' and objid = ? and database = (select oid from pg_database where datname = current_database())`,
    [lockKey],
  );
  const [holder] = rows;
  return holder === undefined
    ? "a process that has just ended"
    : `process ${holder.pid} of Postgres: ${holder.name}, from ${holder.host}`;
}

/** Names of the migrations that the database does not have yet. */
export async function migrationsPending(db: Knex, migrations: Migrations): Promise<string[]> {
  const lookup = await db.raw<{ rows: { exists: boolean }[] }>("select to_regclass(?) is not null as exists", [table]);
  const applied = lookup.rows[0]?.exists === true ? await db<{ name: string }>(table).pluck("name") : [];
  return Object.keys(migrations)
    .sort()
    .filter((name) => !applied.includes(name));
}

async function tryLock(db: Knex): Promise<boolean> {
  const result = await db.raw<{ rows: { locked: boolean }[] }>("select pg_try_advisory_lock(?) as locked", [lockKey]);
  return result.rows[0]?.locked === true;
}

function sourceOf(migrations: Migrations): Knex.MigrationSource<string> {
  return {
    getMigrations: async () => Object.keys(migrations).sort(),
    getMigrationName: (name) => name,
    async getMigration(name) {
      const migration = migrations[name];
      if (migration === undefined) throw new Error(`there is no migration ${name}`);
      return migration;
    },
  };
}
