import { randomUUID } from "node:crypto";
import { on } from "node:events";
import { Code, createClient, type Interceptor } from "@connectrpc/connect";
import * as web from "@connectrpc/connect-web";
import pg from "pg";
import { beforeEach, describe, expect, test } from "vitest";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { EventService } from "../../../gen/clientele/v1/events_pb.js";
import { eventsChannel } from "../../../src/resources/events/feed.js";
import { clientsOn, type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { startReplica } from "../../support/replica.js";
import { generousMs } from "../../support/time.js";
import { numbersOf, watch } from "../../support/watching.js";

let account: TestAccount;
const clientele = useClientele();
beforeEach(async () => {
  account = await clientele.createAccount();
});

async function newCustomer(tenant = account.test): Promise<string> {
  const email = `${randomUUID()}@example.com`;
  return (await tenant.customers.createCustomer({ customer: { email } })).customer!.id;
}

async function rename(id: string, name: string, headers = {}) {
  await account.test.customers.updateCustomer({ customer: { id, name } }, { headers });
}

const withKey =
  (key: string): Interceptor =>
  (next) =>
  async (req) => {
    req.header.set("api-key", key);
    return await next(req);
  };

// A browser's own fetch.
const all: Record<string, (key: string) => ReturnType<(typeof transports)[string]>> = {
  ...Object.fromEntries(Object.entries(transports).map(([name, open]) => [name, (key) => open(clientele, key)])),
  "Connect in a browser": (key) =>
    web.createConnectTransport({ baseUrl: clientele.httpUrl, interceptors: [withKey(key)] }),
  "gRPC-Web in a browser": (key) =>
    web.createGrpcWebTransport({ baseUrl: clientele.httpUrl, interceptors: [withKey(key)] }),
};
const ways = Object.keys(all).map((name) => ({ name }));

describe.for(ways)("over $name", ({ name }) => {
  const open = (request = {}, key = account.testKey) => watch(createClient(EventService, all[name]!(key)), request);

  test("events come as they happen, and none from before", async () => {
    const customer = await newCustomer();
    const watching = open();
    await watching.started;
    expect(watching.events).toEqual([]);
    await rename(customer, "Ada");
    await account.test.customers.deleteCustomer({ id: customer });
    const events = await watching.until(2);
    expect(events).toEqual((await account.test.events.listEvents({ pageSize: 2 })).events.toReversed());
    expect(events.map(({ type }) => type)).toEqual(["customer.updated", "customer.deleted"]);
    await watching.stop();
  });

  test("a watch goes on from a cursor, and from an event", async () => {
    const customer = await newCustomer();
    const first = open();
    await first.started;
    await rename(customer, "A");
    await first.until(1);
    await first.stop();
    for (const name of ["B", "C"]) await rename(customer, name);
    for (const cursor of [first.cursor, first.events[0]!.id]) {
      const second = open({ cursor });
      await second.until(2);
      await rename(customer, randomUUID());
      const numbers = numbersOf([...first.events, ...(await second.until(3))]);
      expect(numbers.slice(0, 3)).toEqual([0, 1, 2].map((step) => numbers[0]! + step));
      await second.stop();
    }
  });

  test("silence is broken by heartbeats that say where to go on", async () => {
    const watching = open({ eventTypes: ["order.created"], heartbeatInterval: { seconds: 1n } });
    await watching.started;
    const before = watching.cursor;
    await newCustomer();
    await expect.poll(() => watching.heartbeats).toBeGreaterThanOrEqual(2);
    expect(watching.events).toEqual([]);
    expect(watching.cursor > before).toBe(true);
    await watching.stop();
  });

  test("a wrong key, a wrong cursor and a wrong type are refused", async () => {
    const endOf = (request: object, key?: string) => failureOf(open(request, key).ended.then((e) => Promise.reject(e)));
    const invalid = { code: "InvalidArgument" };
    expect(await endOf({}, "sk_test_no")).toMatchObject({ reason: "CREDENTIALS_INVALID" });
    expect(await endOf({ cursor: "abc" })).toMatchObject({ ...invalid, reason: "CURSOR_INVALID" });
    expect(await endOf({ eventTypes: ["no type"] })).toMatchObject({ ...invalid, reason: "FIELDS_INVALID" });
  });

  test("the end of its key is the end of a watch, within 5 seconds", async () => {
    const { apiKey, secret } = await account.test.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } });
    const watching = open({}, secret);
    await watching.started;
    await account.test.apiKeys.revokeApiKey({ id: apiKey!.id });
    const since = performance.now();
    const ended = watching.ended.then((error) => Promise.reject(error));
    expect(await failureOf(ended)).toMatchObject({ code: "Unauthenticated", reason: "CREDENTIALS_INVALID" });
    expect(performance.now() - since).toBeLessThan(5_000);
  });
});

test("a change on one replica is announced to the others, and seen there", async () => {
  await using other = await startReplica(clientele);
  const elsewhere = clientsOn(transports["Connect in binary"]!(other, account.testKey));
  const watching = watch(elsewhere.events);
  await watching.started;
  const listener = new pg.Client({ connectionString: clientele.databaseUrl });
  await listener.connect();
  await listener.query(`listen ${eventsChannel}`);
  const customer = await clientele
    .db("customers")
    .where({ id: await newCustomer() })
    .first();
  // Without it, another replica sees the change up to a second later.
  for await (const [{ payload }] of on(listener, "notification")) {
    if (payload.endsWith(` ${customer.tenant_id}`)) break;
  }
  await listener.end();
  await watching.until(1);
  await watching.stop();
});

test("a watch sees an event without its notification, such as one of a job", async () => {
  const customer = await newCustomer();
  const watching = watch(account.test.events);
  await watching.started;
  await clientele.db.raw(
    `insert into events (tenant_id, type, resource_id, customer_id, changed_paths, actor, actor_kind, create_time)
     select tenant_id, 'customer.purged', id, id, '{}', 'system', 'system', now() from customers where id = ?`,
    [customer],
  );
  expect(await watching.until(1)).toMatchObject([{ type: "customer.purged" }]);
  await watching.stop();
});

test("a watch from the beginning tells everything, and goes on", async () => {
  const customer = await newCustomer();
  const watching = watch(account.test.events, { fromBeginning: true });
  await watching.until(3);
  await rename(customer, "Ada");
  const events = await watching.until(4);
  expect(numbersOf(events)).toEqual([1, 2, 3, 4]);
  expect(events[0]!.type).toBe("account.created");
  await watching.stop();
});

test("thousands of events come in messages of a hundred, in order", async () => {
  const { tenant_id: tenantId } = await clientele
    .db("customers")
    .where({ id: await newCustomer() })
    .first();
  await clientele.db.raw(
    `insert into events (tenant_id, type, resource_id, changed_paths, actor, actor_kind, create_time)
     select ?, 'customer.updated', 'c' || n % 7, '{}', 'system', 'system', now() from generate_series(1, 12000) n`,
    [tenantId],
  );
  const sizes: number[] = [];
  const events = [];
  for await (const message of account.test.events.watchEvents({ fromBeginning: true })) {
    sizes.push(message.events.length);
    events.push(...message.events);
    if (events.length === 12_003) break;
  }
  expect(numbersOf(events)).toEqual(Array.from({ length: 12_003 }, (_, i) => i + 1));
  expect(Math.max(...sizes)).toBe(100);
  const some = watch(account.test.events, { fromBeginning: true, resourceId: "c3" });
  expect(await some.until(1714, 60_000)).toHaveLength(1714);
  await some.stop();
}, 120_000);

const filters: { name: string; request: (customer: string) => object; types: string[] }[] = [
  { name: "a type", request: () => ({ eventTypes: ["address.created"] }), types: ["address.created"] },
  {
    name: "a kind",
    request: () => ({ eventTypes: ["customer.*"] }),
    types: ["customer.created", "customer.updated"],
  },
  { name: "a resource", request: (id) => ({ resourceId: id }), types: ["customer.created", "customer.updated"] },
  {
    name: "a customer",
    request: (id) => ({ customerId: id }),
    types: ["customer.created", "address.created", "customer.updated"],
  },
  { name: "another key", request: () => ({ actorId: "key_other" }), types: [] },
];

test.for(filters)("only the events of $name are watched, live and from a cursor", async ({ request, types }) => {
  const id = `own-${randomUUID().slice(0, 30)}`;
  const [live, everything] = [watch(account.test.events, request(id)), watch(account.test.events)];
  await Promise.all([live.started, everything.started]);
  const { cursor } = everything;
  await account.test.customers.createCustomer({ customer: { id, email: "a@example.com" } });
  const address = { line1: "1 Main St", city: "Austin", country: "US" };
  await account.test.addresses.createAddress({ customerId: id, address });
  await everything.until(3);
  await live.until(types.length);
  const again = watch(account.test.events, { ...request(id), cursor });
  await again.until(types.length);
  for (const watching of [live, again]) expect(watching.events.map(({ type }) => type)).toEqual(types);
  await Promise.all([live, again, everything].map((watching) => watching.stop()));
});

test("a watch sees its own tenant alone, and knows no other's cursor", async () => {
  const [test_, live] = [watch(account.test.events), watch(account.live.events)];
  await Promise.all([test_.started, live.started]);
  const foreign = test_.cursor;
  await newCustomer();
  await test_.until(1);
  await newCustomer(account.live);
  expect(await live.until(1)).toMatchObject([{ type: "customer.created" }]);
  const stranger = watch(account.live.events, { cursor: foreign }).ended.then((error) => Promise.reject(error));
  expect(await failureOf(stranger)).toMatchObject({ code: "InvalidArgument", reason: "CURSOR_INVALID" });
  await Promise.all([test_.stop(), live.stop()]);
});

test("a cursor of the future is refused, and so is one beside from_beginning", async () => {
  const watching = watch(account.test.events);
  await watching.started;
  const ahead = watching.cursor.replace(/\d{4}(?=.{8}$)/, "9999");
  const endOf = (request: object) =>
    failureOf(watch(account.test.events, request).ended.then((error) => Promise.reject(error)));
  expect(await endOf({ cursor: ahead })).toMatchObject({ reason: "CURSOR_INVALID" });
  expect(await endOf({ cursor: watching.cursor, fromBeginning: true })).toMatchObject({ reason: "FIELDS_INVALID" });
  await watching.stop();
});

test("a watch has a deadline if its client asks for one", async () => {
  for (const name of Object.keys(transports)) {
    const events = createClient(EventService, transports[name]!(clientele, account.testKey));
    const watching = watch(events, {}, 1_000);
    await watching.started;
    // Its client counts the time too, and may be the first to say so.
    expect(await watching.ended, name).toMatchObject({ code: Code.DeadlineExceeded });
  }
});

test("a publishable key watches nothing", async () => {
  const { secret } = await account.test.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } });
  const { events } = clientsOn(transports["Connect in binary"]!(clientele, secret));
  const ended = watch(events).ended.then((error) => Promise.reject(error));
  expect(await failureOf(ended)).toMatchObject({ code: "PermissionDenied", reason: "ACCESS_DENIED" });
});

test("a drain ends every watch at once with UNAVAILABLE, and its client goes on elsewhere where it was", async () => {
  const first = await startReplica(clientele);
  await using second = await startReplica(clientele);
  const names = Object.keys(transports);
  const watches = names.map((name) => watch(createClient(EventService, transports[name]!(first, account.testKey))));
  await Promise.all(watches.map(({ started }) => started));
  const customer = await newCustomer();
  await Promise.all(watches.map((watching) => watching.until(1)));
  const since = performance.now();
  const stopped = first.stop();
  for (const watching of watches) {
    const failure = await failureOf(watching.ended.then((error) => Promise.reject(error)));
    expect(failure).toMatchObject({ code: "Unavailable", reason: "UNAVAILABLE", retryable: true });
  }
  expect(performance.now() - since).toBeLessThan(2 * generousMs);
  await stopped;
  await rename(customer, "Ada");
  for (const [i, name] of names.entries()) {
    const events = createClient(EventService, transports[name]!(second, account.testKey));
    const again = watch(events, { cursor: watches[i]!.cursor });
    expect(await again.until(1)).toMatchObject([{ type: "customer.updated" }]);
    await again.stop();
  }
});
