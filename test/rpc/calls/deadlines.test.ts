import { once } from "node:events";
import { create, type JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import knex, { type Knex } from "knex";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { CustomerService, UpdateCustomerRequestSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

const { updateCustomer, getCustomer } = CustomerService.method;
// The slack after a deadline: it still tells an end at the deadline from one by the time-out of the lock.
const graceMs = 1_400;
const lockTimeoutMs = 2_000;

let account: TestAccount;
let id: string;
// Holds locks. A pool of its own, so that what the service does can be looked at meanwhile.
let holder: Knex;
const clientele = useClientele({}, { CLIENTELE_DATABASE_WAIT_SECONDS: "2" });
beforeAll(async () => {
  holder = knex({ client: "pg", connection: clientele.databaseUrl, pool: { min: 0, max: 1 } });
});
beforeEach(async () => {
  account = await clientele.createAccount();
  id = (await account.test.customers.createCustomer({ customer: { email: "ada@example.com" } })).customer!.id;
});
afterAll(async () => {
  await holder.destroy();
});

/** Locks the customer until disposed of. */
async function lockCustomer(): Promise<AsyncDisposable> {
  const trx = await holder.transaction();
  await trx("customers").where({ id }).forUpdate().first();
  return { [Symbol.asyncDispose]: async () => void (await trx.rollback()) };
}

/** What the connections of the service do at the moment. */
async function activity(): Promise<{ active: number; idleInTransaction: number; waiting: number }> {
  const found = await clientele.db.raw(
    `select count(*) filter (where state = 'active')::int active,
       count(*) filter (where state like 'idle in transaction%')::int "idleInTransaction",
       count(*) filter (where wait_event_type = 'Lock')::int waiting
     from pg_stat_activity where datname = current_database() and application_name like 'clientele%'`,
  );
  return found.rows[0];
}

const quiet = { active: 0, idleInTransaction: 0, waiting: 0 };

async function expectQuiet(timeout: number): Promise<void> {
  await vi.waitFor(async () => expect(await activity()).toEqual(quiet), { timeout, interval: 10 });
}

const wires = Object.entries(transports).map(([name, open]) => ({ name, open }));

/**
 * Updates the locked customer. The deadline is in the header fields only, so that the answer is the server's; without
 * `signal` nothing ends the call but the server.
 */
async function update(open: (typeof wires)[number]["open"], deadline: Record<string, string>, signal?: AbortSignal) {
  const message = create(UpdateCustomerRequestSchema, { customer: { id, name: "New" } });
  const { message: answer } = await open(clientele, account.testKey).unary(
    updateCustomer,
    signal,
    undefined,
    deadline,
    message,
  );
  return answer;
}

const deadlineOf = (ms: number) => ({ "connect-timeout-ms": String(ms), "grpc-timeout": `${ms}m` });

describe.for(wires)("over $name", ({ open }) => {
  test("a call that waits for a lock answers at its deadline, and its statement ends with it", async () => {
    await using _ = await lockCustomer();
    const start = performance.now();
    expect(await failureOf(update(open, deadlineOf(400)))).toMatchObject({
      code: "DeadlineExceeded",
      reason: "DEADLINE_EXCEEDED",
    });
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(350);
    expect(took).toBeLessThan(400 + graceMs);
    await expectQuiet(graceMs);
  });

  test("with a longer deadline it gives up the lock after two seconds and may be tried again", async () => {
    await using _ = await lockCustomer();
    const start = performance.now();
    expect(await failureOf(update(open, deadlineOf(8_000)))).toMatchObject({
      code: "Aborted",
      reason: "CONFLICT",
      retryable: true,
    });
    expect(performance.now() - start).toBeLessThan(lockTimeoutMs + 2 * graceMs);
    await expectQuiet(graceMs);
  });

  test("a call that its client cancels ends, without effect", async () => {
    const cancel = new AbortController();
    {
      await using _ = await lockCustomer();
      const call = update(open, {}, cancel.signal);
      await vi.waitFor(async () => expect((await activity()).waiting).toBe(1), { timeout: 30_000, interval: 10 });
      cancel.abort();
      await expect(call).rejects.toMatchObject({ code: Code.Canceled });
      await expectQuiet(lockTimeoutMs + graceMs);
    }
    const { customer } = await account.test.customers.getCustomer({ id });
    expect(customer!.name).toBeUndefined();
  });

  const beyond = [{ "connect-timeout-ms": "9999999999", "grpc-timeout": "99999999H" }, deadlineOf(60_001)];
  test.for(beyond)("a deadline beyond a minute is shortened, not refused: %j", async (deadline) => {
    expect(await update(open, deadline)).toMatchObject({ customer: { name: "New" } });
  });

  test("a deadline that is over at once is DEADLINE_EXCEEDED, without effect", async () => {
    const code = await update(open, { "connect-timeout-ms": "0", "grpc-timeout": "0n" }).then(
      () => undefined,
      (error: unknown) => ConnectError.from(error).code,
    );
    expect(code).toBe(Code.DeadlineExceeded);
    expect((await account.test.customers.getCustomer({ id })).customer!.name).toBeUndefined();
  });
});

test("a deadline holds for all the statements of a call together, in a transaction with an Idempotency-Key too", async () => {
  await using _ = await lockCustomer();
  const start = performance.now();
  const headers = { ...deadlineOf(600), "idempotency-key": "key-1" };
  expect(await failureOf(update(wires[0]!.open, headers))).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
  expect(performance.now() - start).toBeLessThan(600 + graceMs);
  await expectQuiet(graceMs);
  expect(await clientele.db("idempotency_keys")).toEqual([]);
});

test("a burst of 200 calls, many of them cancelled or late, gives every connection back", async () => {
  const before = (await clientele.db("events")).length;
  const outcomes: string[] = [];
  {
    await using _ = await lockCustomer();
    const calls = Array.from({ length: 200 }, async (_unused, index) => {
      const { open } = wires[index % wires.length]!;
      const cancel = new AbortController();
      const deadline = index % 3 === 0 ? deadlineOf(100 + index) : {};
      const call = index % 2 === 0 ? update(open, deadline, cancel.signal) : read(open, cancel.signal);
      if (index % 5 === 0) queueMicrotask(() => cancel.abort());
      outcomes.push(
        await call.then(
          () => "Ok",
          (error: unknown) => Code[ConnectError.from(error).code]!,
        ),
      );
    });
    await Promise.all(calls);
  }
  expect(outcomes).toHaveLength(200);
  expect(outcomes.filter((outcome) => !/^(Ok|Canceled|DeadlineExceeded|Aborted|Unavailable)$/.test(outcome))).toEqual(
    [],
  );
  await expectQuiet(lockTimeoutMs + graceMs);
  // The whole pool is usable again, at once.
  const again = await Promise.all(Array.from({ length: 30 }, () => read(wires[4]!.open)));
  expect(again.map(({ customer }) => customer!.id)).toEqual(Array(30).fill(id));
  const written = (await clientele.db("events")).length - before;
  expect(written).toBeLessThanOrEqual(1);
});

test("a connection that closes in the middle of its calls leaves nothing behind", async () => {
  await using _ = await lockCustomer();
  const cancel = new AbortController();
  const body: JsonObject = { customer: { id, name: "New" } };
  const calls = Array.from({ length: 20 }, () =>
    fetch(`${clientele.httpUrl}/clientele.v1.CustomerService/UpdateCustomer`, {
      method: "POST",
      headers: { "content-type": "application/json", "api-key": account.testKey },
      body: JSON.stringify(body),
      signal: cancel.signal,
    }).catch(() => {}),
  );
  await vi.waitFor(async () => expect((await activity()).waiting).toBeGreaterThan(5), {
    timeout: 30_000,
    interval: 10,
  });
  const aborted = once(cancel.signal, "abort");
  cancel.abort();
  await Promise.all([aborted, ...calls]);
  // Calls that still waited for a connection when their client went must not begin.
  await expectQuiet(lockTimeoutMs + 2 * graceMs);
});

async function read(open: (typeof wires)[number]["open"], signal?: AbortSignal) {
  const { message } = await open(clientele, account.testKey).unary(getCustomer, signal, undefined, undefined, { id });
  return message;
}
