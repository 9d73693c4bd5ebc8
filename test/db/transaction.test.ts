import type { Knex } from "knex";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { classify } from "../../src/db/errors.js";
import { inTransaction } from "../../src/db/transaction.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { startProxy } from "./proxy.js";

let database: TestDatabase;
let db: Knex;

beforeAll(async () => {
  database = await createTestDatabase();
  db = connect({ connectionString: database.url, poolSize: 4, namedStatements: true });
  await db.raw("create table things (id int primary key, n int not null default 0)");
});
beforeEach(async () => {
  await db("things").del();
  await db("things").insert([{ id: 1 }, { id: 2 }]);
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

const numbers = () => db("things").orderBy("id").pluck("n");
const increment = (trx: Knex, id: number) => trx("things").where({ id }).increment("n", 1);
const serializationFailure = () => Object.assign(new Error("lost"), { code: "40001" });

test("the function's result is returned, and its work is committed", async () => {
  expect(await inTransaction(db, async (trx) => [await increment(trx, 1)])).toEqual([1]);
  expect(await numbers()).toEqual([1, 0]);
});

test("of two transactions in a deadlock both succeed", async () => {
  let waiting = 0;
  let release = () => {};
  const bothHoldOne = new Promise<void>((resolve) => {
    release = resolve;
  });
  let runs = 0;
  const crossing = (first: number, second: number) =>
    inTransaction(db, async (trx) => {
      runs += 1;
      await increment(trx, first);
      if (++waiting === 2) release();
      await bothHoldOne;
      await increment(trx, second);
    });
  await Promise.all([crossing(1, 2), crossing(2, 1)]);
  expect(await numbers()).toEqual([2, 2]);
  expect(runs).toBe(3);
});

test("a transaction that keeps losing is tried four times in all", async () => {
  let runs = 0;
  const losing = inTransaction(db, async () => {
    runs += 1;
    throw serializationFailure();
  });
  expect(await losing.catch(classify)).toBe("retry");
  expect(runs).toBe(4);
});

test("an inner transaction is a savepoint: it is undone alone, and it is not retried", async () => {
  let runs = 0;
  await inTransaction(db, async (trx) => {
    await increment(trx, 1);
    const inner = inTransaction(trx, async (savepoint) => {
      runs += 1;
      await increment(savepoint, 2);
      throw serializationFailure();
    });
    await expect(inner).rejects.toThrow("lost");
  });
  expect(runs).toBe(1);
  expect(await numbers()).toEqual([1, 0]);
});

test("the error of the function is thrown even when its connection is gone", async () => {
  const failing = inTransaction(db, async (trx) => {
    const { pid } = (await trx.raw("select pg_backend_pid() as pid")).rows[0];
    await db.raw("select pg_terminate_backend(?, 5000)", [pid]);
    throw new Error("the first error");
  });
  await expect(failing).rejects.toThrow("the first error");
});

test("a transaction that cannot begin fails with the reason, and its function does not run", async () => {
  const proxy = await startProxy(database.url);
  const proxied = connect({ connectionString: proxy.url, poolSize: 1, namedStatements: true });
  await proxied.raw("select 1");
  proxy.treat = () => "cut";
  let runs = 0;
  const failing = inTransaction(proxied, async () => {
    runs += 1;
  });
  expect(await failing.catch(classify)).toBe("unavailable");
  expect(runs).toBe(0);
  await proxied.destroy();
  await proxy.close();
});

test("a failed statement that the function ignores does not look like a commit", async () => {
  const failing = inTransaction(db, async (trx) => {
    await increment(trx, 1);
    await trx.raw("select 1 / 0").catch(() => {});
  });
  await expect(failing).rejects.toThrow("rolled back");
  expect(await numbers()).toEqual([0, 0]);
});

test("a connection lost around COMMIT is unavailable, whether or not it was committed", async () => {
  for (const treatment of ["cut", "hold"] as const) {
    const proxy = await startProxy(database.url);
    const proxied = connect({ connectionString: proxy.url, poolSize: 1, namedStatements: true });
    const commit = inTransaction(proxied, async (trx) => {
      await increment(trx, 1);
      proxy.treat = (packet) => (packet.includes("COMMIT") ? treatment : "forward");
      if (treatment === "hold") setTimeout(() => proxy.close(), 50);
    });
    expect(await commit.catch(classify)).toBe("unavailable");
    await proxied.destroy();
    if (treatment === "cut") await proxy.close();
  }
  expect((await numbers())[0]).toBe(1);
});
