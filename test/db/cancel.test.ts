import { setTimeout as sleep } from "node:timers/promises";
import { Code, type UnaryResponse } from "@connectrpc/connect";
import type { Knex } from "knex";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { cancel, createCancellation, withDeadline, withoutDeadline } from "../../src/db/deadline.js";
import { classify } from "../../src/db/errors.js";
import { inTransaction } from "../../src/db/transaction.js";
import { withinDeadline } from "../../src/rpc/calls/deadline.js";
import { UnaryCall, type UnaryStart } from "../../src/rpc/calls/unary-call.js";
import { callCancelled } from "../../src/rpc/errors.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { generousMs } from "../support/time.js";
import { type FaultyProxy, startProxy } from "./proxy.js";

let database: TestDatabase;
let proxy: FaultyProxy;
let db: Knex;
let watcher: Knex;

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startProxy(database.url);
  watcher = connect({ connectionString: database.url, poolSize: 2, namedStatements: true, applicationName: "watcher" });
  await watcher.raw("create table things (id int primary key)");
  await watcher("things").insert({ id: 0 });
});
beforeEach(() => {
  db = open(database.url);
});
afterEach(async () => {
  proxy.treat = () => "forward";
  await db.destroy();
});
afterAll(async () => {
  await watcher.destroy();
  await proxy.close();
  await database.drop();
});

function open(connectionString: string, namedStatements = true): Knex {
  return connect({ connectionString, poolSize: 1, namedStatements, applicationName: "watched" });
}

/** A call that can be cancelled. */
function call<T>(fn: () => T | PromiseLike<T>) {
  const cancellation = createCancellation();
  const outcome = withDeadline(Date.now() + 10_000, fn, cancellation);
  outcome.catch(() => {});
  return { outcome, cancel: () => cancel(cancellation) };
}

const pid = async (on: Knex): Promise<number> => (await on.raw("select pg_backend_pid() as pid")).rows[0].pid;

async function expectState(state: string): Promise<void> {
  const sql = "select state from pg_stat_activity where application_name = 'watched'";
  await expect.poll(async () => (await watcher.raw(sql)).rows, { interval: 10 }).toEqual([{ state }]);
}

test.for([true, false])("a statement of a cancelled call stops at once, and its connection stays", async (named) => {
  const own = open(database.url, named);
  const before = await pid(own);
  const { outcome, cancel } = call(() => own.raw("select pg_sleep(10)"));
  await expectState("active");
  const start = Date.now();
  cancel();
  expect(await outcome.catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeLessThan(generousMs);
  expect(await pid(own)).toBe(before);
  await own.destroy();
});

test("a transaction of a cancelled call that waits for a lock is rolled back at once", async () => {
  const holder = await watcher.transaction();
  await holder("things").where({ id: 0 }).forUpdate();
  const { outcome, cancel } = call(() =>
    inTransaction(db, async (trx) => {
      await trx("things").insert({ id: 1 });
      await trx("things").where({ id: 0 }).forUpdate();
    }),
  );
  await expectState("active");
  const start = Date.now();
  cancel();
  expect(await outcome.catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeLessThan(generousMs);
  await expectState("idle");
  await holder.rollback();
  expect(await watcher("things").where({ id: 1 })).toEqual([]);
});

test("of a cancelled call with parallel statements in a transaction nothing stays", async () => {
  const { outcome, cancel } = call(() =>
    inTransaction(db, async (trx) => {
      const statements = [1, 2, 3].map(() => trx.raw("select pg_sleep(0.2)").then(() => {}));
      expect(await Promise.all((await Promise.allSettled(statements)).map(({ status }) => status))).toEqual([
        "rejected",
        "rejected",
        "rejected",
      ]);
      await trx("things").insert({ id: 2 });
    }),
  );
  await expectState("active");
  cancel();
  expect(await outcome.catch(classify)).toBe("deadline");
  expect(await watcher("things").where({ id: 2 })).toEqual([]);
});

test("a call that waits for a connection when it is cancelled takes none", async () => {
  const trx = await db.transaction();
  const calls = Array.from({ length: 20 }, () => call(() => db("things").insert({ id: 3 })));
  const start = Date.now();
  for (const { cancel } of calls) cancel();
  for (const { outcome } of calls) expect(await outcome.catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeLessThan(generousMs);
  await trx.rollback();
  expect(await db("things").where({ id: 3 })).toEqual([]);
});

test("a call that waits for a connection for too long is unavailable still, and so is a server that is not there", async () => {
  const trx = await db.transaction();
  expect(await call(() => db.raw("select 1")).outcome.catch(classify)).toBe("unavailable");
  await trx.rollback();
  const nowhere = open("postgres://nobody:x@127.0.0.1:1/nothing");
  expect(await call(() => nowhere.raw("select 1")).outcome.catch(classify)).toBe("unavailable");
  await nowhere.destroy();
});

test("a cancelled call sends nothing more, but its transaction ends", async () => {
  let began = 0;
  const { outcome, cancel } = call(() =>
    inTransaction(db, async (trx) => {
      began += 1;
      await trx("things").insert({ id: 4 });
      cancel();
      await trx("things").insert({ id: 5 });
    }),
  );
  expect(await outcome.catch(classify)).toBe("deadline");
  expect(began).toBe(1);
  expect(await watcher("things").whereIn("id", [4, 5])).toEqual([]);
  const last = await watcher.raw("select query, state from pg_stat_activity where application_name = 'watched'");
  expect(last.rows).toEqual([{ query: "ROLLBACK", state: "idle" }]);
});

test("a transaction whose statements were sent before the call was cancelled commits", async () => {
  const { outcome, cancel } = call(() =>
    inTransaction(db, async (trx) => {
      await trx("things").insert({ id: 6 });
      cancel();
    }),
  );
  await outcome;
  expect(await watcher("things").where({ id: 6 })).toEqual([{ id: 6 }]);
});

test("a commit is not stopped, however long it takes", async () => {
  await watcher.raw(`
    create table slow (id int);
    create function pause() returns trigger language plpgsql as 'begin perform pg_sleep(0.3); return null; end';
    create constraint trigger pause after insert on slow deferrable initially deferred for each row execute function pause();`);
  const { outcome, cancel } = call(() => inTransaction(db, (trx) => trx("slow").insert({ id: 1 })));
  const sql = "select query from pg_stat_activity where application_name = 'watched' and state = 'active'";
  await expect.poll(async () => (await watcher.raw(sql)).rows[0]?.query, { interval: 5 }).toMatch(/commit/i);
  cancel();
  await outcome;
  expect(await watcher("slow")).toEqual([{ id: 1 }]);
});

test("no later statement of a connection is hit by a cancel request, at whatever moment it comes", async () => {
  const before = await pid(db);
  let stopped = 0;
  for (let i = 0; i < 90; i++) {
    // Some end before any request can reach them, some long after.
    const { outcome, cancel } = call(() => db.raw("select pg_sleep(?)", [((i % 30) * 3) / 1000]));
    await sleep(1);
    cancel();
    // Waits for the connection, and has it the moment it is free.
    const next = db.raw("select pg_sleep(0.002)").then(() => "done", classify);
    const [first, second] = await Promise.all([outcome.then(() => "done", classify), next]);
    if (first === "deadline") stopped += 1;
    expect(second).toBe("done");
  }
  expect(stopped).toBeGreaterThan(0);
  expect(stopped).toBeLessThan(90);
  expect(await pid(db)).toBe(before);
});

test("a cancel request that cannot be sent costs nothing but time", async () => {
  const own = open(proxy.url);
  const before = await pid(own);
  proxy.treat = (packet) => (packet.startsWith(cancelRequest) ? "cut" : "forward");
  const { outcome, cancel } = call(() => own.raw("select pg_sleep(10)"));
  await expectState("active");
  cancel();
  expect(await outcome.catch(classify)).toBe("deadline");
  expect([before, expect.anything()]).toContainEqual(await pid(own));
  await own.destroy();
});

test("a connection that a cancel request may still reach later is used no more", async () => {
  const own = open(proxy.url);
  const before = await pid(own);
  proxy.treat = (packet) => (packet.startsWith(cancelRequest) ? "hold" : "forward");
  const { outcome, cancel } = call(() => own.raw("select pg_sleep(0.1)"));
  await expectState("active");
  cancel();
  await outcome.catch(classify);
  expect(await pid(own)).not.toBe(before);
  await own.destroy();
});

const cancelRequest = Buffer.from([0, 0, 0, 16, 4, 210, 22, 46]).toString("latin1");

test("work that several calls wait for does not end with the first of them", async () => {
  const { outcome, cancel } = call(() => withoutDeadline(() => db.raw("select pg_sleep(0.1)")));
  await expectState("active");
  cancel();
  await outcome;
});

function callInProgress() {
  return new UnaryCall({ header: new Headers() } as UnaryStart);
}

const run = (call: UnaryCall, work: () => Promise<unknown>) =>
  withinDeadline(call, async () => (await work()) as UnaryResponse);

test("the end of a call that was answered cancels nothing", async () => {
  const present = callInProgress();
  let background: Promise<unknown> = Promise.resolve();
  await run(present, async () => {
    background = db.raw("select pg_sleep(0.1)").then(() => db.raw("select 1"));
  });
  await sleep(10);
  present.abort(callCancelled());
  await background;
});

test("a call whose client goes away is CANCELLED, and so is one whose client has gone before", async () => {
  const present = callInProgress();
  const failing = run(present, () => db.raw("select pg_sleep(10)").then(() => {}));
  await expectState("active");
  present.abort(callCancelled());
  await expect(failing).rejects.toMatchObject({ code: Code.Canceled });
  await expectState("idle");
  const insert = async () => void (await db("things").insert({ id: 7 }));
  await expect(run(present, insert)).rejects.toMatchObject({ code: Code.Canceled });
  expect(await db("things").where({ id: 7 })).toEqual([]);
});
