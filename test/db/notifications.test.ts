import type { Knex } from "knex";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { listen, notify, notifyAll } from "../../src/db/notifications.js";
import { inTransaction } from "../../src/db/transaction.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

let database: TestDatabase;
let db: Knex;

beforeAll(async () => {
  database = await createTestDatabase();
  db = connect({ connectionString: database.url, poolSize: 2, namedStatements: true });
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

async function record(channel: string, connectionString = database.url) {
  const heard: string[] = [];
  const listening = await listen(connectionString, channel, {
    onNotify: (payload) => heard.push(payload),
    onGap: () => heard.push("(gap)"),
  });
  return { heard, ...listening };
}

const end = (channel: string) =>
  db.raw("select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = ?", [
    `clientele listen ${channel}`,
  ]);

test("a notification is heard when its transaction commits, and never when it is rolled back", async () => {
  const { heard, close } = await record("Committed");
  await expect(
    inTransaction(db, async (trx) => {
      await notify(trx, "Committed", "undone");
      throw new Error("undone");
    }),
  ).rejects.toThrow();
  await inTransaction(db, async (trx) => {
    await notify(trx, "Committed", "done");
    await notify(trx, "another channel", "not for us");
  });
  await expect.poll(() => heard).toEqual(["(gap)", "done"]);
  await close();
});

test("a lost connection is replaced, and the gap is told", async () => {
  const { heard, close } = await record("lost");
  for (const gaps of [2, 3]) {
    await end("lost");
    await expect.poll(() => heard.filter((what) => what === "(gap)")).toHaveLength(gaps);
  }
  await notifyAll(db, "lost", ["after"]);
  await expect.poll(() => heard.at(-1)).toBe("after");
  await close();
});

test("an error of a listener does not end the listening", async () => {
  const errors: unknown[] = [];
  const heard: string[] = [];
  const { close } = await listen(database.url, "throws", {
    onNotify(payload) {
      heard.push(payload);
      throw new Error(payload);
    },
    onGap() {
      throw new Error("gap");
    },
    onError: (error) => errors.push(error),
  });
  await notifyAll(db, "throws", ["one", "two"]);
  await expect.poll(() => heard).toEqual(["one", "two"]);
  expect(errors).toHaveLength(3);
  await close();
});

test("after close nothing is heard and no connection is left", async () => {
  const { heard, close } = await record("closed");
  await close();
  await notifyAll(db, "closed", ["too late"]);
  const left = await db.raw("select 1 from pg_stat_activity where application_name = 'clientele listen closed'");
  expect(left.rowCount).toBe(0);
  expect(heard).toEqual(["(gap)"]);
});

test("a server that is not there does not fail the listener", async () => {
  const { heard, close } = await record("absent", "postgres://nobody:x@127.0.0.1:1/nothing");
  expect(heard).toEqual([]);
  await close();
});
