import type { Knex } from "knex";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type ConnectOptions, connect } from "../../src/db/connection.js";
import { withDeadline } from "../../src/db/deadline.js";
import { classify } from "../../src/db/errors.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { generousMs } from "../support/time.js";
import { type FaultyProxy, startProxy } from "./proxy.js";

let database: TestDatabase;
let proxy: FaultyProxy;
const pools: Knex[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = await startProxy(database.url);
});
afterEach(async () => {
  proxy.treat = () => "forward";
  await Promise.all(pools.splice(0).map((pool) => pool.destroy()));
});
afterAll(async () => {
  await proxy.close();
  await database.drop();
});

function open(overrides: Partial<ConnectOptions> = {}): Knex {
  const pool = connect({ connectionString: database.url, poolSize: 1, namedStatements: true, ...overrides });
  pools.push(pool);
  return pool;
}

async function pid(db: Knex): Promise<number> {
  return (await db.raw("select pg_backend_pid() as pid")).rows[0].pid;
}

const values = [
  { name: "a bigint as a number", sql: "9007199254740991::int8", want: 9007199254740991 },
  { name: "a numeric as its text", sql: "1.10::numeric", want: "1.10" },
  { name: "numerics in an array as their texts", sql: "array[1.10]::numeric[]", want: ["1.10"] },
  { name: "a date as its text", sql: "'2024-02-29'::date", want: "2024-02-29" },
  { name: "dates in an array as their texts", sql: "array['2024-02-29']::date[]", want: ["2024-02-29"] },
  {
    name: "a time as a Date",
    sql: "'2024-02-29 01:02:03.456+02'::timestamptz",
    want: new Date("2024-02-28T23:02:03.456Z"),
  },
  { name: "jsonb as a value", sql: `'{"a":[1,null]}'::jsonb`, want: { a: [1, null] } },
  { name: "bytea as a Buffer", sql: "'\\x00ff'::bytea", want: Buffer.from([0, 255]) },
];
test.for(values)("reads $name", async ({ sql, want }) => {
  expect((await open().raw(`select ${sql} as value`)).rows[0].value).toEqual(want);
});

test("a bigint that a number cannot hold is an error, not a wrong number", async () => {
  await expect(open().raw("select 9007199254740993::int8")).rejects.toThrow(RangeError);
});

test("a session has the settings that the service relies on", async () => {
  const db = open({ applicationName: "clientele test" });
  const names = [
    "TimeZone",
    "client_encoding",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "application_name",
  ];
  const shown = await Promise.all(
    names.map(async (name) => (await db.raw("select current_setting(?) as value", [name])).rows[0].value),
  );
  expect(shown).toEqual(["UTC", "UTF8", "1min", "2s", "15s", "clientele test"]);
});

async function preparedTexts(db: Knex): Promise<string[]> {
  return (await db.raw("select statement from pg_prepared_statements;")).rows.map(
    (row: { statement: string }) => row.statement,
  );
}

test("statements are prepared once per connection", async () => {
  const db = open();
  for (const value of [1, 2, 3]) await db.raw("select ?::int as named", [value]);
  expect(await preparedTexts(db)).toEqual(["select $1::int as named"]);
});

test("no statement is prepared when names are turned off", async () => {
  const db = open({ namedStatements: false });
  for (const value of [1, 2, 3]) await db.raw("select ?::int as named", [value]);
  expect(await preparedTexts(db)).toEqual([]);
});

test("only the first 500 texts are prepared, so that dynamic SQL cannot fill the server", async () => {
  const db = open();
  for (let i = 0; i < 520; i++) await db.raw(`select ?::int as number_${i}`, [i]);
  expect(await preparedTexts(db)).toHaveLength(500);
});

test("a statement prepared before the table changed still answers", async () => {
  const db = open({ poolSize: 2 });
  await db.raw("create table changing (id int)");
  await db("changing").select("*");
  await db.raw("alter table changing add column name text");
  expect(await db("changing").select("*")).toEqual([]);
});

test("several statements in one text run as they are", async () => {
  await open().raw("create table several (id int); insert into several values (1); drop table several");
});

test("messages of errors hold no values", async () => {
  const failing = open().raw("select ?::text from nowhere", ["secret@example.org"]);
  await expect(failing).rejects.toThrow(expect.not.objectContaining({ message: expect.stringContaining("secret@") }));
});

test("a connection that the server ended is replaced", async () => {
  const [db, other] = [open(), open()];
  const before = await pid(db);
  await other.raw("select pg_terminate_backend(?, 5000)", [before]);
  const first = await pid(db).catch(classify);
  expect([await pid(db), "unavailable"]).toContain(first);
  expect(await pid(db)).not.toBe(before);
});

test("after a failover the first write is unavailable, and every later one works", async () => {
  const [db, other] = [open({ poolSize: 5 }), open()];
  await other.raw("create table failing (id int)");
  const asStandby = "set session characteristics as transaction read only";
  await Promise.all(Array.from({ length: 5 }, () => db.raw(`${asStandby}; select pg_sleep(0.05)`)));
  const write = () => db("failing").insert({ id: 1 });
  await expect(write().catch(classify)).resolves.toBe("unavailable");
  for (let i = 0; i < 10; i++) await write();
  await Promise.all(Array.from({ length: 5 }, write));
});

test("a connection ended in the middle of a statement is replaced", async () => {
  const [db, other] = [open(), open()];
  const before = await pid(db);
  const sleeping = db.raw("select pg_sleep(10)").catch(classify);
  await expect
    .poll(
      async () =>
        (await other.raw("select 1 from pg_stat_activity where pid = ? and state = 'active'", [before])).rowCount,
    )
    .toBe(1);
  await other.raw("select pg_terminate_backend(?, 5000)", [before]);
  expect(await sleeping).toBe("unavailable");
  expect(await pid(db)).not.toBe(before);
});

test("a silent connection is given up soon after the deadline and replaced", async () => {
  const db = open({ connectionString: proxy.url });
  const before = await pid(db);
  proxy.treat = () => "hold";
  const start = Date.now();
  await expect(withDeadline(start + 200, () => db.raw("select 1")).catch(classify)).resolves.toBe("unavailable");
  expect(Date.now() - start).toBeLessThan(generousMs);
  proxy.treat = () => "forward";
  expect(await pid(db)).not.toBe(before);
});

test("an exhausted pool is unavailable", async () => {
  const db = open();
  const trx = await db.transaction();
  const start = Date.now();
  expect(await db.raw("select 1").catch(classify)).toBe("unavailable");
  expect(Date.now() - start).toBeLessThan(2 * generousMs);
  await trx.rollback();
  await db.raw("select 1");
});

test("waiting for a connection ends at the deadline, and the connection is not lost", async () => {
  const db = open();
  const trx = await db.transaction();
  const start = Date.now();
  expect(await withDeadline(start + 100, () => db.raw("select 1")).catch(classify)).toBe("deadline");
  expect(Date.now() - start).toBeLessThan(generousMs);
  await trx.rollback();
  await db.raw("select 1");
});

test("a server that is not there is unavailable", async () => {
  const db = open({ connectionString: "postgres://nobody:x@127.0.0.1:1/nothing" });
  expect(await db.raw("select 1").catch(classify)).toBe("unavailable");
});
