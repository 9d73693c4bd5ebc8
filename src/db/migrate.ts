import { setTimeout as sleep } from "node:timers/promises";
import type { Knex } from "knex";
import { connect } from "./connection.js";

/** Every migration by name; they run in the order of their names. */
export type Migrations = Readonly<Record<string, Knex.Migration>>;

/** Key of the lock that one migrating process holds; any number that nothing else uses. */
const lockKey = 7_236_001;
const lockPollMs = 100;
const table = "knex_migrations";

/**
 * Applies the migrations that the database does not have yet and returns their names. Waits while another process
 * migrates. Migrations that the database has and `migrations` has not, those of a newer release, are let be.
 */
export async function migrate(connectionString: string, migrations: Migrations): Promise<string[]> {
  // One connection, so that the lock, which is the session's, cannot be lost while the migrations go on.
  const db = connect({
    connectionString,
    poolSize: 1,
    namedStatements: false,
    applicationName: "clientele migrate",
    unlimited: true,
  });
  try {
    // Asked again and again: one that waits in the lock holds a snapshot, which CREATE INDEX CONCURRENTLY waits for.
    while (!(await tryLock(db))) await sleep(lockPollMs);
    const config = { migrationSource: sourceOf(migrations), tableName: table, disableMigrationsListValidation: true };
    // Knex's own lock stays set for ever when its holder is killed. Whoever holds ours may take it.
    await db.migrate.forceFreeMigrationsLock(config);
    const [, applied]: [number, string[]] = await db.migrate.latest(config);
    return applied;
  } finally {
    await db.destroy();
  }
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
