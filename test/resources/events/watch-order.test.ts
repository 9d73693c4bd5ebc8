import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import type { Knex } from "knex";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EventService } from "../../../gen/clientele/v1/events_pb.js";
import { numberEvents } from "../../../src/resources/events/log-store.js";
import { changeWithEvent } from "../../../src/resources/events/store.js";
import { type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { createTestDatabase } from "../../support/postgres.js";
import { startReplica } from "../../support/replica.js";
import { generousMs } from "../../support/time.js";
import { numbersOf, type Watching, watch } from "../../support/watching.js";

let account: TestAccount;
let tenantId: string;
let watching: Watching;
const [ada, bea] = ["ada", "bea"];
const clientele = useClientele();
beforeEach(async () => {
  account = await clientele.createAccount();
  for (const id of [ada, bea]) {
    await account.test.customers.createCustomer({ customer: { id, email: `${id}@example.com` } });
  }
  tenantId = (await clientele.db("tenants").where({ account_id: account.accountId, live_mode: false }).first())
    .tenant_id;
  watching = watch(account.test.events);
  await watching.started;
});
afterEach(() => watching.stop());

const reasons = () => watching.events.map(({ reason }) => reason);

/** Changes a customer with its event, as every store does; the event is known by its reason. */
async function change(trx: Knex, id: string, reason: string): Promise<void> {
  await trx("customers").where({ tenant_id: tenantId, id }).forUpdate().first();
  const changed = trx("customers").where({ tenant_id: tenantId, id }).increment("version", 1).returning("*");
  const event = { type: "customer.updated", changedPaths: [], actor: "system", reason, time: new Date() };
  await changeWithEvent(trx, tenantId, changed, event);
}

async function rename(id: string, reason: string, key?: string): Promise<void> {
  const headers = { "x-reason": reason, ...(key && { "idempotency-key": key }) };
  await account.test.customers.updateCustomer({ customer: { id, name: reason } }, { headers });
}

/** A transaction that already has its number, which grows with every transaction that begins to write. */
async function begun(): Promise<Knex.Transaction> {
  const trx = await clientele.db.transaction();
  await trx.raw("select pg_current_xact_id()");
  return trx;
}

test("an event that is written first and committed last is not skipped", async () => {
  const late = await begun();
  await change(late, ada, "written-first");
  await rename(bea, "committed-first");
  await watching.until(1);
  await late.commit();
  await watching.until(2);
  expect(reasons()).toEqual(["committed-first", "written-first"]);
});

test("a watch from a cursor in between skips none either", async () => {
  const late = await begun();
  await change(late, ada, "written-first");
  await rename(bea, "committed-first");
  await watching.until(1);
  await watching.stop();
  await late.commit();
  const again = watch(account.test.events, { cursor: watching.cursor });
  expect((await again.until(1)).map(({ reason }) => reason)).toEqual(["written-first"]);
  await again.stop();
});

test("a rolled back change leaves neither an event nor a gap", async () => {
  const failed = await begun();
  await change(failed, ada, "rolled-back");
  await rename(bea, "first");
  await failed.rollback();
  await rename(ada, "second");
  const [first, second] = numbersOf(await watching.until(2));
  expect(reasons()).toEqual(["first", "second"]);
  expect(second).toBe(first! + 1);
});

test("the older transaction that changes a customer later comes later", async () => {
  const older = await begun();
  await rename(ada, "by-the-younger");
  await change(older, ada, "by-the-older");
  await older.commit();
  await watching.until(2);
  expect(reasons()).toEqual(["by-the-younger", "by-the-older"]);
});

test("an event of a call that waited for its Idempotency-Key comes after those committed meanwhile", async () => {
  const settings = await clientele.db.transaction();
  await settings("tenants").where({ tenant_id: tenantId }).forNoKeyUpdate().first();
  const keyed = rename(ada, "by-the-keyed-call", "key");
  await expect.poll(waiting, { interval: 5 }).toBe(1);
  await clientele.db.transaction((trx) => change(trx, ada, "by-the-younger"));
  await settings.rollback();
  await keyed;
  await watching.until(2);
  expect(reasons()).toEqual(["by-the-younger", "by-the-keyed-call"]);
  const events = await clientele.db("events").where({ tenant_id: tenantId }).whereIn("reason", reasons());
  const [keyedEvent, other] = events.toSorted((a, b) => Number(BigInt(a.transaction_id) - BigInt(b.transaction_id)));
  expect([keyedEvent.reason, other.reason]).toEqual(["by-the-keyed-call", "by-the-younger"]);
});

// How many statements wait for a lock.
async function waiting(): Promise<number> {
  const { rows } = await clientele.db.raw(
    "select count(*)::int from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return rows[0].count;
}

test("an event is numbered once, also where one numbers while another waits to", async () => {
  const holder = await clientele.db.transaction();
  await holder("event_logs").where({ tenant_id: tenantId }).forUpdate().first();
  await rename(ada, "while-another-numbers");
  const numbering = [1, 2].map(() => numberEvents(clientele.db, tenantId));
  await expect.poll(waiting, { interval: 5 }).toBeGreaterThanOrEqual(2);
  await rename(bea, "after-they-began-to-wait");
  await holder.rollback();
  await Promise.all(numbering);
  await watching.until(2);
  expect(reasons()).toEqual(["while-another-numbers", "after-they-began-to-wait"]);
});

test("a transaction that goes on for long holds up nobody else, here or in another database", async () => {
  const other = await createTestDatabase();
  const foreign = await startLong(other.url);
  const own = await begun();
  await change(own, ada, "slow");
  const since = performance.now();
  await rename(bea, "quick");
  await watching.until(1);
  expect(performance.now() - since).toBeLessThan(generousMs);
  expect(reasons()).toEqual(["quick"]);
  await own.commit();
  await watching.until(2);
  await foreign();
  await other.drop();
});

// A transaction with a number, in another database of the same server, until the returned function is called.
async function startLong(url: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("begin; select pg_current_xact_id()");
  return async () => await client.end();
}

test("every watch sees each change of 200 overlapping transactions once, in order for each customer", async () => {
  await using other = await startReplica(clientele);
  const elsewhere = createClient(EventService, transports["gRPC on the internal port"]!(other, account.testKey));
  const watches = [watching, watch(elsewhere), watch(account.test.events, { customerId: ada })];
  await Promise.all(watches.map(({ started }) => started));
  const restless = restlessly(watching.cursor);
  let left = 200;
  const committed: string[] = [];
  const work = async () => {
    while (left-- > 0) {
      const name = `n${left}`;
      const trx = Math.random() < 0.5 ? await begun() : await clientele.db.transaction();
      await sleep(Math.random() * 5);
      await change(trx, Math.random() < 0.5 ? ada : bea, name);
      await sleep(Math.random() * 5);
      if (Math.random() < 0.1) await trx.rollback();
      else committed.push(await trx.commit().then(() => name));
    }
  };
  await Promise.all([work(), work(), work(), work()]);

  const count = committed.length;
  for (const seen of [watching, watches[1]!]) {
    await seen.until(count);
    expect(reasonsOf(seen.events).toSorted()).toEqual(committed.toSorted());
  }
  const truth = (id: string) => reasonsOf(watching.events.filter((event) => event.customerId === id));
  expect(reasonsOf(watches[1]!.events)).toEqual(reasonsOf(watching.events));
  expect(reasonsOf(await watches[2]!.until(truth(ada).length))).toEqual(truth(ada));
  expect(reasonsOf(await restless.end(count))).toEqual(reasonsOf(watching.events));
  // What the changes of a customer themselves say of their order.
  for (const id of [ada, bea]) {
    const stored = await clientele
      .db("events")
      .where({ tenant_id: tenantId, customer_id: id })
      .whereIn("reason", committed)
      .orderBy("position")
      .pluck("reason");
    expect(truth(id)).toEqual(stored);
  }
  await Promise.all(watches.slice(1).map((one) => one.stop()));
});

function reasonsOf(events: readonly { readonly reason: string }[]): string[] {
  return events.map(({ reason }) => reason);
}

/** Watches for a moment, again and again, each time from where it was. */
function restlessly(from: string) {
  const events: Watching["events"] = [];
  let cursor = from;
  let goal = Number.POSITIVE_INFINITY;
  const done = (async () => {
    while (events.length < goal) {
      const one = watch(account.test.events, { cursor });
      await one.started;
      await sleep(Math.random() * 20);
      await one.stop();
      events.push(...one.events);
      cursor = one.cursor;
    }
    return events;
  })();
  return {
    end(count: number) {
      goal = count;
      return done;
    },
  };
}
