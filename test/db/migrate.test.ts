import type { Knex } from "knex";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { migrate, migrationsPending } from "../../src/db/migrate.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

let database: TestDatabase;
let db: Knex;

beforeEach(async () => {
  database = await createTestDatabase();
  db = connect({ connectionString: database.url, poolSize: 2, namedStatements: true });
  // The copy of the template comes with the real migrations.
  await db.raw("drop schema public cascade; create schema public");
});
afterEach(async () => {
  await db.destroy();
  await database.drop();
});

const first: Knex.Migration = { up: (trx) => trx.raw("create table a (id int)"), down: async () => {} };
const second: Knex.Migration = { up: (trx) => trx.raw("alter table a add column b int"), down: async () => {} };

test("migrations run once, in the order of their names, and the names of those that ran are returned", async () => {
  expect(await migrationsPending(db, { "0001": first })).toEqual(["0001"]);
  expect(await migrate(database.url, { "0001": first })).toEqual(["0001"]);
  expect(await migrationsPending(db, { "0002": second, "0001": first })).toEqual(["0002"]);
  expect(await migrate(database.url, { "0002": second, "0001": first })).toEqual(["0002"]);
  expect(await migrate(database.url, { "0002": second, "0001": first })).toEqual([]);
  expect(await db("a").columnInfo()).toHaveProperty("b");
});

test("of processes that migrate at the same time one does, and the others wait for it", async () => {
  const slow: Knex.Migration = {
    up: (trx) => trx.raw("select pg_sleep(0.3); create table a (id int)"),
    down: async () => {},
  };
  const results = await Promise.all([1, 2, 3].map(() => migrate(database.url, { "0001": slow })));
  expect(results.flat()).toEqual(["0001"]);
});

test("a failed migration leaves nothing behind and can be run again", async () => {
  const broken: Knex.Migration = {
    up: (trx) => trx.raw("create table b (id int); select 1 / 0"),
    down: async () => {},
  };
  await expect(migrate(database.url, { "0001": first, "0002": broken })).rejects.toThrow("division by zero");
  expect(await db.schema.hasTable("a")).toBe(false);
  expect(await migrate(database.url, { "0001": first, "0002": second })).toEqual(["0001", "0002"]);
});

test("knex's own lock, left by a killed process, does not stop the next one", async () => {
  await migrate(database.url, { "0001": first });
  await db("knex_migrations_lock").update({ is_locked: 1 });
  expect(await migrate(database.url, { "0001": first, "0002": second })).toEqual(["0002"]);
});

test("an older release accepts a newer one's database", async () => {
  await migrate(database.url, { "0001": first, "0002": second });
  expect(await migrate(database.url, { "0001": first })).toEqual([]);
  expect(await migrationsPending(db, { "0001": first })).toEqual([]);
});

test("neither a time limit nor a wait elsewhere cuts a migration", async () => {
  const limits: string[] = [];
  const looking: Knex.Migration = {
    async up(trx) {
      const found = await trx.raw("select setting from pg_settings where name = 'statement_timeout'");
      limits.push(found.rows[0].setting);
    },
    down: async () => {},
  };
  await migrate(database.url, { "0001": looking });
  expect(limits).toEqual(["0"]);
});

test("an index can be built concurrently while another process waits to migrate", async () => {
  const concurrent: Knex.Migration & { config: { transaction: boolean } } = {
    up: (knex) => knex.raw("create index concurrently a_id on a (id)"),
    down: async () => {},
    config: { transaction: false },
  };
  await migrate(database.url, { "0001": first });
  const all = { "0001": first, "0002": concurrent };
  const results = await Promise.all([migrate(database.url, all), migrate(database.url, all)]);
  expect(results.flat()).toEqual(["0002"]);
});

test("a start without pending migrations takes no lock", async () => {
  await migrate(database.url, { "0001": first });
  const other = await lockElsewhere();
  expect(await migrate(database.url, { "0001": first })).toEqual([]);
  await other.destroy();
});

test("a process that waits says for whom, and gives up in the end", async () => {
  const other = await lockElsewhere();
  const messages: string[] = [];
  const waiting = migrate(database.url, { "0001": first }, { log: (message) => messages.push(message), waitMs: 1_500 });
  await expect(waiting).rejects.toThrow(/migrated for too long, by process \d+ of Postgres: someone else, from 127/);
  expect(messages).toEqual([expect.stringMatching(/^waiting for another migration, by process \d+ .*someone else/)]);
  await other.destroy();
  expect(await migrate(database.url, { "0001": first })).toEqual(["0001"]);
});

async function lockElsewhere(): Promise<Knex> {
  const other = connect({
    connectionString: database.url,
    poolSize: 1,
    namedStatements: false,
    applicationName: "someone else",
  });
  await other.raw("select pg_advisory_lock(7236001)");
  return other;
}
