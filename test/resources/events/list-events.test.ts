import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import { DeletionMode } from "../../../gen/clientele/v1/accounts_pb.js";
import { ActorKind, type Event, type ListEventsRequest } from "../../../gen/clientele/v1/events_pb.js";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { numbersOf } from "../../support/watching.js";

let account: TestAccount;
const clientele = useClientele();
beforeEach(async () => {
  account = await clientele.createAccount();
});

type Wanted = Partial<Omit<ListEventsRequest, "$typeName">>;

/** All pages of a list. */
async function listAll(wanted: Wanted = {}): Promise<Event[]> {
  const events: Event[] = [];
  let pageToken = "";
  do {
    const page = await account.test.events.listEvents({ orderBy: "create_time", ...wanted, pageToken });
    events.push(...page.events);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return events;
}

async function newCustomer(clients = account.test): Promise<string> {
  const email = `${randomUUID()}@example.com`;
  return (await clients.customers.createCustomer({ customer: { email } })).customer!.id;
}

async function rename(id: string, name: string, headers = {}) {
  await account.test.customers.updateCustomer({ customer: { id, name } }, { headers });
}

test("an event says what was changed, of whom, by which key, why and when", async () => {
  const before = Date.now();
  const customer = await newCustomer();
  const { address } = await account.test.addresses.createAddress(
    { customerId: customer, address: { line1: "1 Main St", city: "Austin", country: "US" } },
    { headers: { "x-reason": "support:ticket-4711" } },
  );
  const { apiKeys } = await account.test.apiKeys.listApiKeys({});
  const [event] = await listAll({ resourceId: address!.id });
  expect(event).toMatchObject({
    type: "address.created",
    resourceType: "address",
    resourceId: address!.id,
    customerId: customer,
    actor: { kind: ActorKind.SECRET_KEY, id: apiKeys[0]!.id },
    reason: "support:ticket-4711",
  });
  expect(event!.id).toMatch(/^evt_[0-9a-z]{50}$/);
  expect(Number(event!.createTime!.seconds) * 1000).toBeGreaterThan(before - 2_000);
});

test("a change without a caller has the system as its actor", async () => {
  const created = await listAll({ eventTypes: ["account.created"] });
  expect(created).toMatchObject([{ actor: { kind: ActorKind.SYSTEM, id: "" }, customerId: "", reason: "" }]);
});

test("an event is read by its id, in its own tenant alone", async () => {
  await newCustomer();
  const [event] = await listAll({ eventTypes: ["customer.created"] });
  expect((await account.test.events.getEvent({ id: event!.id })).event).toEqual(event);
  const others = [`${event!.id.slice(0, -1)}w`, event!.id.replace(/.{8}$/, "00000000"), "evt_none", "cus_1"];
  for (const id of others) {
    expect(await failureOf(account.test.events.getEvent({ id }))).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
  }
  const foreign = account.live.events.getEvent({ id: event!.id });
  expect(await failureOf(foreign)).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
});

test.for(["test", "live"] as const)("an event says whether it is of live mode: %s", async (mode) => {
  await newCustomer(account[mode]);
  const { events } = await account[mode].events.listEvents({});
  expect(new Set(events.map(({ liveMode }) => liveMode))).toEqual(new Set([mode === "live"]));
});

test("an event is listed as soon as its change is answered, the newest first", async () => {
  const customer = await newCustomer();
  for (let i = 0; i < 5; i++) {
    await rename(customer, `Name ${i}`);
    const { events } = await account.test.events.listEvents({ customerId: customer, pageSize: 1 });
    expect(events).toMatchObject([{ type: "customer.updated", changedPaths: ["name"] }]);
    expect(await listAll({ customerId: customer })).toHaveLength(i + 2);
  }
});

test("the history of a customer stays when it is deleted for good", async () => {
  await account.test.accounts.updateAccountSettings({ settings: { deletion: { mode: DeletionMode.PERMANENT } } });
  const customer = await newCustomer();
  await account.test.addresses.createAddress({
    customerId: customer,
    address: { line1: "1 Main St", city: "Austin", country: "US" },
  });
  await rename(customer, "Ada");
  await account.test.customers.deleteCustomer({ id: customer });
  const history = await listAll({ customerId: customer });
  expect(history.map(({ type, changedPaths }) => [type, ...changedPaths])).toEqual([
    ["customer.created", "email"],
    ["address.created", "line1", "city", "country"],
    ["customer.updated", "default_address_id"],
    ["customer.updated", "name"],
    ["customer.deleted"],
    ["address.deleted"],
  ]);
});

const filters: { name: string; wanted: (ids: { ada: string; bea: string }) => Wanted; types: string[] }[] = [
  {
    name: "one type",
    wanted: () => ({ eventTypes: ["customer.created"] }),
    types: ["customer.created", "customer.created"],
  },
  {
    name: "several types",
    wanted: () => ({ eventTypes: ["customer.deleted", "address.created"] }),
    types: ["address.created", "customer.deleted"],
  },
  { name: "a kind of resource", wanted: () => ({ eventTypes: ["address.*"] }), types: ["address.created"] },
  {
    name: "a kind of resource and a type",
    wanted: () => ({ eventTypes: ["address.*", "customer.deleted"] }),
    types: ["address.created", "customer.deleted"],
  },
  {
    name: "a resource",
    wanted: ({ bea }) => ({ resourceId: bea }),
    types: ["customer.created", "customer.deleted"],
  },
  {
    name: "a customer, with what belongs to it",
    wanted: ({ ada }) => ({ customerId: ada }),
    types: ["customer.created", "address.created", "customer.updated"],
  },
  {
    name: "a customer and a type",
    wanted: ({ ada }) => ({ customerId: ada, eventTypes: ["customer.*"] }),
    types: ["customer.created", "customer.updated"],
  },
  { name: "a type that there is not", wanted: () => ({ eventTypes: ["customer.lost"] }), types: [] },
  { name: "a key that did nothing", wanted: () => ({ actorId: "key_absent" }), types: [] },
];

test.for(filters)("only the events of $name are listed", async ({ wanted, types }) => {
  const [ada, bea] = [await newCustomer(), await newCustomer()];
  await account.test.addresses.createAddress({
    customerId: ada,
    address: { line1: "1 Main St", city: "Austin", country: "US" },
  });
  await account.test.customers.deleteCustomer({ id: bea });
  expect((await listAll(wanted({ ada, bea }))).map(({ type }) => type)).toEqual(types);
});

test("the events of one key are those made with it", async () => {
  const { apiKey, secret } = await account.test.apiKeys.createApiKey({ apiKey: { kind: 1, label: "other" } });
  await newCustomer();
  await account.test.customers.createCustomer(
    { customer: { email: "ada@example.com" } },
    { headers: { authorization: `Bearer ${secret}` } },
  );
  expect(await listAll({ actorId: apiKey!.id })).toMatchObject([
    { type: "customer.created", actor: { id: apiKey!.id } },
  ]);
});

test("a range of time begins with its start and ends before its end", async () => {
  const customer = await newCustomer();
  for (const name of ["A", "B", "C"]) {
    await rename(customer, name);
    // A later call has a later time.
    await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan((await lastTime()) + 1);
  }
  const [created, a, b, c] = await listAll({ customerId: customer });
  const ids = async (wanted: Wanted) => (await listAll({ customerId: customer, ...wanted })).map(({ id }) => id);
  expect(await ids({ startTime: b!.createTime! })).toEqual([b!.id, c!.id]);
  expect(await ids({ endTime: b!.createTime! })).toEqual([created!.id, a!.id]);
  expect(await ids({ startTime: a!.createTime!, endTime: c!.createTime! })).toEqual([a!.id, b!.id]);
});

async function lastTime(): Promise<number> {
  const { events } = await account.test.events.listEvents({ pageSize: 1 });
  const { seconds, nanos } = events[0]!.createTime!;
  return Number(seconds) * 1000 + nanos / 1e6;
}

test.for([-(2n ** 63n), -210_866_803_201n, -62_135_596_801n, 253_402_300_800n, 8_640_000_000_001n, 2n ** 63n - 1n])(
  "a range of time outside of the years 1 to 9999 is refused: %i seconds",
  async (seconds) => {
    const { events } = account.test;
    for (const field of ["startTime", "endTime"]) {
      const listed = events.listEvents({ [field]: { seconds, nanos: 0 } });
      expect(await failureOf(listed)).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
    }
  },
);

test("every event lies in the years 1 to 9999", async () => {
  await newCustomer();
  const range = {
    eventTypes: ["customer.created"],
    startTime: { seconds: -62_135_596_800n },
    endTime: { seconds: 253_402_300_799n, nanos: 999_999_999 },
  };
  expect((await account.test.events.listEvents(range)).events).toHaveLength(1);
});

test.for([1, 2, 3, 7, 100])("pages of %i are the whole list, forwards and backwards", async (pageSize) => {
  const customer = await newCustomer();
  for (let i = 0; i < 6; i++) await rename(customer, `Name ${i}`);
  const all = await listAll({ pageSize: 100 });
  expect(await listAll({ pageSize })).toEqual(all);
  expect(await listAll({ pageSize, orderBy: "" })).toEqual(all.toReversed());
  let page = await account.test.events.listEvents({ pageSize });
  while (page.nextPageToken) page = await account.test.events.listEvents({ pageSize, pageToken: page.nextPageToken });
  const back = [page.events];
  while (page.previousPageToken) {
    page = await account.test.events.listEvents({ pageSize, pageToken: page.previousPageToken });
    back.unshift(page.events);
  }
  expect(back.flat()).toEqual(all.toReversed());
  expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).sort());
});

test("changes by 50 callers, listed meanwhile, have numbers without gaps, and those of a customer are in order", async () => {
  const customers = [await newCustomer(), await newCustomer()];
  await allAtOnce(createCallers(clientele, account.testKey), async (caller, i) => {
    const headers = { "x-reason": `caller:${i}`, ...(i % 3 === 0 && { "idempotency-key": `key-${i}` }) };
    const customer = { id: customers[i % 2]!, name: `Name ${i}` };
    await caller.customers.updateCustomer({ customer }, { headers });
    if (i % 5 === 0) await caller.events.listEvents({});
  });
  const events = await listAll();
  expect(numbersOf(events)).toEqual(events.map((_, i) => i + 1));
  const stored = await clientele.db("customers").whereIn("id", customers);
  for (const { id, name, version } of stored) {
    const changes = events.filter((event) => event.resourceId === id);
    expect(changes).toHaveLength(version);
    expect(changes.at(-1)!.reason).toBe(`caller:${name.slice(5)}`);
  }
});

describe("a reason", () => {
  test.for(["a sentence about somebody", "ada@example.com", "x".repeat(101), "<b>"])(
    "that is no code is refused: %s",
    async (reason) => {
      const customer = await newCustomer();
      expect(await failureOf(rename(customer, "Ada", { "x-reason": reason }))).toMatchObject({
        code: "InvalidArgument",
        reason: "FIELDS_INVALID",
        fields: { "x-reason": expect.any(String) },
      });
      expect(await listAll({ customerId: customer })).toHaveLength(1);
    },
  );

  test("that is the number of a card is refused", async () => {
    const refused = rename(await newCustomer(), "Ada", { "x-reason": "4111-1111-1111-1111" });
    expect(await failureOf(refused)).toMatchObject({ code: "InvalidArgument", reason: "CARD_NUMBER_GIVEN" });
  });

  test("that is empty counts as absent", async () => {
    const customer = await newCustomer();
    await rename(customer, "Ada", { "x-reason": "" });
    expect(await listAll({ customerId: customer })).toMatchObject([{}, { type: "customer.updated", reason: "" }]);
  });
});

test.for([
  { name: "a type that is none", wanted: { eventTypes: ["customer"] }, reason: "FIELDS_INVALID" },
  { name: "another order", wanted: { orderBy: "type" }, reason: "ORDER_BY_INVALID" },
  { name: "another list's token", wanted: { pageToken: "abc" }, reason: "PAGE_TOKEN_INVALID" },
])("$name is refused", async ({ wanted, reason }) => {
  expect(await failureOf(account.test.events.listEvents(wanted))).toMatchObject({ code: "InvalidArgument", reason });
});

test("the tenants of an account have events of their own", async () => {
  const customer = await newCustomer();
  const live = await account.live.events.listEvents({ customerId: customer });
  expect(live.events).toEqual([]);
  const all = await account.live.events.listEvents({});
  expect(all.events.map(({ type }) => type)).toEqual(["api_key.created", "account.created"]);
});
