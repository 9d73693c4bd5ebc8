import type { Knex } from "knex";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { deadlineLeft, withDeadline } from "../../src/db/deadline.js";
import { classify } from "../../src/db/errors.js";
import { inTransaction } from "../../src/db/transaction.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { generousMs } from "../support/time.js";

let database: TestDatabase;
let db: Knex;
let watcher: Knex;

beforeAll(async () => {
  database = await createTestDatabase();
  watcher = connect({ connectionString: database.url, poolSize: 1, namedStatements: true, applicationName: "watcher" });
  await watcher.raw("create table things (id int primary key)");
});
beforeEach(() => {
  db = connect({ connectionString: database.url, poolSize: 1, namedStatements: true, applicationName: "watched" });
});
afterEach(() => db.destroy());
afterAll(async () => {
  await watcher.destroy();
  await database.drop();
});

const within = <T>(ms: number, fn: () => T | PromiseLike<T>) => withDeadline(Date.now() + ms, fn);

async function running(): Promise<number | null> {
  const found = await watcher.raw(
    "select 1 from pg_stat_activity where application_name = 'watched' and state <> 'idle'",
  );
  return found.rowCount;
}

/** The limit of the statement that reads it, in milliseconds. */
async function limit(on: Knex): Promise<number> {
  const found = await on.raw("select setting::int as ms from pg_settings where name = 'statement_timeout'");
  return found.rows[0].ms;
}

test.for([60, 333, 1_000])("a statement ends at a deadline %i ms away, and nothing of it runs on", async (ms) => {
  const start = Date.now();
  expect(await within(ms, () => db.raw("select pg_sleep(10)")).catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeGreaterThanOrEqual(ms - 1);
  expect(Date.now() - start).toBeLessThan(ms + generousMs);
  await expect.poll(running).toBe(0);
});

test("a transaction that outlives its deadline is rolled back", async () => {
  const failing = within(200, () =>
    inTransaction(db, async (trx) => {
      await trx("things").insert({ id: 1 });
      await trx.raw("select pg_sleep(10)");
    }),
  );
  expect(await failing.catch(classify)).toBe("deadline");
  expect(await watcher("things")).toEqual([]);
  await expect.poll(running).toBe(0);
});

test("a statement after the deadline is not sent, but its transaction is rolled back", async () => {
  // To open the connection may take longer.
  await db.raw("select 1");
  const failing = within(200, () =>
    inTransaction(db, async (trx) => {
      await trx("things").insert({ id: 2 });
      while (deadlineLeft()! > 0);
      await trx("things").insert({ id: 3 });
    }),
  );
  expect(await failing.catch(classify)).toBe("deadline");
  const last = await watcher.raw("select query, state from pg_stat_activity where application_name = 'watched'");
  expect(last.rows).toEqual([{ query: "ROLLBACK", state: "idle" }]);
  expect(await watcher("things")).toEqual([]);
});

test("a transaction is not begun after the deadline", async () => {
  let runs = 0;
  const failing = within(50, async () => {
    while (deadlineLeft()! > 0);
    await inTransaction(db, async () => {
      runs += 1;
    });
  });
  expect(await failing.catch(classify)).toBe("deadline");
  expect(runs).toBe(0);
});

test("a transaction whose statements were in time commits", async () => {
  // To open the connection may take longer.
  await db.raw("select 1");
  await within(500, () =>
    inTransaction(db, async (trx) => {
      await trx("things").insert({ id: 4 });
      while (deadlineLeft()! > 0);
    }),
  );
  expect(await watcher("things").where({ id: 4 }).del()).toBe(1);
});

test("the next call on the connection is not cut by the last one's deadline", async () => {
  // To open the connection may take longer.
  await db.raw("select 1");
  await within(500, () => db.raw("select 1"));
  await within(10_000, () => db.raw("select pg_sleep(0.7)"));
  await within(500, () => db.raw("select 1"));
  await db.raw("select pg_sleep(0.7)");
  expect(await limit(db)).toBe(60_000);
});

test("a limit that was set in a transaction and rolled back with it is set again", async () => {
  await within(5_000, () => db.raw("select 1"));
  const failing = inTransaction(db, async (trx) => {
    await within(100, () => trx.raw("select 1"));
    throw new Error("undone");
  });
  await expect(failing).rejects.toThrow("undone");
  const start = Date.now();
  expect(await within(100, () => db.raw("select pg_sleep(10)")).catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeLessThan(generousMs);
});

test("a limit that was set in a savepoint and rolled back with it is set again", async () => {
  let start = 0;
  const failing = inTransaction(db, async (trx) => {
    const inner = inTransaction(trx, async (savepoint) => {
      await within(100, () => savepoint.raw("select 1"));
      throw new Error("undone");
    });
    await expect(inner).rejects.toThrow("undone");
    start = Date.now();
    await within(100, () => trx.raw("select pg_sleep(10)"));
  });
  expect(await failing.catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeLessThan(generousMs);
});

test("without named statements, so behind a pooler, a limit lives as long as its transaction", async () => {
  const pooled = connect({ connectionString: database.url, poolSize: 1, namedStatements: false });
  const [inside, after] = await within(2_000, async () => [await inTransaction(pooled, limit), await limit(pooled)]);
  expect(inside).toBeLessThanOrEqual(2_000);
  expect(after).toBe(60_000);
  const start = Date.now();
  const failing = within(100, () => inTransaction(pooled, (trx) => trx.raw("select pg_sleep(10)")));
  expect(await failing.catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeLessThan(generousMs);
  expect(await within(300, () => pooled.raw("select pg_sleep(10)")).catch(classify)).toBe("unavailable");
  await pooled.destroy();
});

test("calls with like deadlines share one limit, so that nothing more is sent", async () => {
  const limits = new Set<number>();
  for (let i = 0; i < 20; i++) limits.add(await within(10_000, () => limit(db)));
  expect(limits.size).toBeLessThanOrEqual(2);
});

test("an earlier deadline around a call stays", async () => {
  const left = await within(1_000, () => within(60_000, () => deadlineLeft()));
  expect(left).toBeLessThanOrEqual(1_000);
});

test("parallel statements of a transaction keep their order and their answers", async () => {
  const answers = await within(1_000, () =>
    inTransaction(db, (trx) =>
      Promise.all([1, 2, 3, 4].map(async (n) => (await trx.raw("select ?::int as n, pg_sleep(0.01)", [n])).rows[0].n)),
    ),
  );
  expect(answers).toEqual([1, 2, 3, 4]);
});
