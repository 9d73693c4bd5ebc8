import type { Knex } from "knex";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { cancel, createCancellation, withDeadline } from "../../src/db/deadline.js";
import { classify } from "../../src/db/errors.js";
import { type Keys, shareRead } from "../../src/db/shared-reads.js";
import { defineStatement } from "../../src/db/statements.js";
import { inTransaction } from "../../src/db/transaction.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { generousMs } from "../support/time.js";

interface ThingRow {
  tenant_id: string;
  id: string;
  value: number;
  /** Tells the statements apart. */
  statement: string;
}

const find = shareRead(
  defineStatement<ThingRow, Keys>((db, { tenantId, keys }) =>
    db("things")
      .where({ tenant_id: tenantId })
      .whereRaw("id = any(?)", [keys])
      // A thing takes as long as it says, and one that is broken fails the statement.
      .select("tenant_id", "id", db.raw("1 / (id <> 'broken')::int * value as value"))
      .select(db.raw("pg_backend_pid() || ' ' || statement_timestamp() as statement"))
      .select(db.raw("case when id like 'slow%' then pg_sleep(10)::text end")),
  ),
  ({ id }) => id,
);

const ids = Array.from({ length: 120 }, (_, index) => `thing-${index}`);
let database: TestDatabase;
let watcher: Knex;
let db: Knex;

beforeAll(async () => {
  database = await createTestDatabase();
  watcher = connect({ connectionString: database.url, poolSize: 1, namedStatements: true, applicationName: "watcher" });
  await watcher.raw("create table things (tenant_id text, id text, value int default 1, primary key (tenant_id, id))");
  for (const tenant_id of ["t1", "t2"])
    await watcher("things").insert([...ids, "broken", "slow"].map((id) => ({ tenant_id, id })));
});
beforeEach(async () => {
  db = connect({ connectionString: database.url, poolSize: 3, namedStatements: true, applicationName: "shared reads" });
  // To open the connections may take long.
  await Promise.all(ids.slice(0, 3).map(() => db.raw("select pg_sleep(0.05)")));
});
afterEach(() => db.destroy());
afterAll(async () => {
  await watcher.destroy();
  await database.drop();
});

async function running(): Promise<number | null> {
  const found = await watcher.raw(
    "select 1 from pg_stat_activity where application_name = 'shared reads' and state <> 'idle'",
  );
  return found.rowCount;
}

const statementsOf = (rows: readonly (ThingRow | undefined)[]) => new Set(rows.map((row) => row?.statement));

test("the reads of one turn travel as one statement, and each gets its row", async () => {
  const rows = await Promise.all([...ids.slice(0, 9), "absent"].map((id) => find(db, "t1", id)));
  expect(rows.map((row) => row?.id)).toEqual([...ids.slice(0, 9), undefined]);
  expect(statementsOf(rows.slice(0, 9)).size).toBe(1);
});

test("two reads of one row both get it", async () => {
  const rows = await Promise.all(["thing-1", "thing-1"].map((id) => find(db, "t1", id)));
  expect(rows.map((row) => row?.id)).toEqual(["thing-1", "thing-1"]);
});

test("a statement reads rows of one tenant only", async () => {
  const [first, second] = await Promise.all([find(db, "t1", "thing-1"), find(db, "t2", "thing-1")]);
  expect([first?.tenant_id, second?.tenant_id]).toEqual(["t1", "t2"]);
  expect(statementsOf([first, second]).size).toBe(2);
});

test("a batch is bounded", async () => {
  const rows = await Promise.all(ids.map((id) => find(db, "t1", id)));
  expect(rows.map((row) => row?.id)).toEqual(ids);
  expect(statementsOf(rows).size).toBe(3);
});

test("a slow batch does not hold up the next", async () => {
  const cancellation = createCancellation();
  const slow = withDeadline(Number.POSITIVE_INFINITY, () => find(db, "t1", "slow"), cancellation).catch(classify);
  await expect.poll(running).toBe(1);
  expect(await find(db, "t1", "thing-1")).toMatchObject({ id: "thing-1" });
  expect(await running()).toBe(1);
  cancel(cancellation);
  expect(await slow).toBe("deadline");
});

test("a cancelled read leaves the others alone", async () => {
  const cancellation = createCancellation();
  const cancelled = withDeadline(Number.POSITIVE_INFINITY, () => find(db, "t1", "thing-1"), cancellation);
  const other = find(db, "t1", "thing-2");
  cancel(cancellation);
  expect(await cancelled.catch(classify)).toBe("deadline");
  expect(await other).toMatchObject({ id: "thing-2" });
});

test("a read that is cancelled during its batch is answered at once, and the statement stops with the last one", async () => {
  const first = createCancellation();
  const second = createCancellation();
  const gone: string[] = [];
  const reads = [first, second].map((cancellation, index) =>
    withDeadline(Number.POSITIVE_INFINITY, () => find(db, "t1", ["slow", "thing-1"][index]!), cancellation).catch(
      (error) => gone.push(classify(error)),
    ),
  );
  await expect.poll(running).toBe(1);
  cancel(first);
  await reads[0];
  expect(gone).toEqual(["deadline"]);
  expect(await running()).toBe(1);
  cancel(second);
  await reads[1];
  await expect.poll(running).toBe(0);
});

test("each reader keeps its own deadline, and the statement ends with the last", async () => {
  const start = Date.now();
  const ended = await Promise.all(
    [300, 2_900].map(async (ms) => {
      const read = withDeadline(start + ms, () => find(db, "t1", "slow"));
      expect(await read.catch(classify)).toBe("deadline");
      return Date.now() - start;
    }),
  );
  expect(ended[0]).toBeGreaterThanOrEqual(299);
  expect(ended[0]).toBeLessThan(2_899);
  expect(ended[1]).toBeGreaterThanOrEqual(2_899);
  expect(ended[1]).toBeLessThan(2_900 + generousMs);
  await expect.poll(running).toBe(0);
});

test("a read after its deadline, or of a cancelled call, is not sent", async () => {
  const late = withDeadline(Date.now() - 1, () => find(db, "t1", "thing-1"));
  expect(await late.catch(classify)).toBe("deadline");
  const cancellation = createCancellation();
  cancel(cancellation);
  const cancelled = withDeadline(Number.POSITIVE_INFINITY, () => find(db, "t1", "thing-1"), cancellation);
  expect(await cancelled.catch(classify)).toBe("deadline");
});

test("a failed batch is read again one by one: only the one that it failed for fails", async () => {
  const found = await Promise.allSettled(["thing-1", "broken", "thing-2"].map((id) => find(db, "t1", id)));
  expect(found.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(found[1]).toMatchObject({ reason: { code: "22012" } });
});

test("a read after a write was answered sees it, also while an older batch runs", async () => {
  for (let value = 2; value < 40; value++) {
    const older = Promise.all(ids.slice(0, 20).map((id) => find(db, "t1", id)));
    await new Promise((resolve) => setImmediate(resolve));
    await watcher("things").where({ tenant_id: "t1", id: "thing-1" }).update({ value });
    expect(await find(db, "t1", "thing-1")).toMatchObject({ value });
    await older;
  }
});

test("in a transaction a read sees what the transaction wrote", async () => {
  await inTransaction(db, async (trx) => {
    await trx("things").where({ tenant_id: "t2", id: "thing-3" }).update({ value: 7 });
    expect(await find(trx, "t2", "thing-3")).toMatchObject({ value: 7 });
    expect(await find(db, "t2", "thing-3")).toMatchObject({ value: 1 });
  });
});
