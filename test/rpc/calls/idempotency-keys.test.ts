import { describe, expect, test } from "vitest";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { CustomerLookup } from "../../../gen/clientele/v1/customers_pb.js";
import { connect } from "../../../src/db/connection.js";
import { migrate } from "../../../src/db/migrate.js";
import { migrations } from "../../../src/db/migrations/index.js";
import { hashOfKey } from "../../../src/rpc/calls/idempotency.js";
import { type Clients, clientsOn, transports } from "../../support/clientele.js";
import { dumpOf, tracesOf } from "../../support/dumps.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { createTestDatabase } from "../../support/postgres.js";
import { day, useTimedClientele } from "../../support/time.js";

const timed = useTimedClientele();
const { clientele } = timed;

const keyed = (key: string) => ({ headers: { "idempotency-key": key } });
const protocols = ["Connect in JSON", "gRPC on the internal port"];

describe.for(protocols)("over %s", (protocol) => {
  async function open() {
    const account = await clientele.createAccount();
    return clientsOn(transports[protocol]!(clientele, account.testKey));
  }

  test("a key that was used for one method is refused for another", async () => {
    const clients = await open();
    const customer = { email: "ada@example.com" };
    const first = await clients.customers.createCustomer({ customer }, keyed("key-1"));
    const others = [
      () => clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } }, keyed("key-1")),
      () => clients.customers.deleteCustomer({ id: first.customer!.id }, keyed("key-1")),
      // The request of the first call, word for word.
      () => clients.customers.getOrCreateCustomer({ customer, lookup: CustomerLookup.EMAIL }, keyed("key-1")),
    ];
    for (const other of others) {
      expect(await failureOf(other())).toMatchObject({ code: "FailedPrecondition", reason: "IDEMPOTENCY_KEY_REUSED" });
    }
    expect(await clients.customers.createCustomer({ customer }, keyed("key-1"))).toEqual(first);
  });

  test("a retry of the call that created a person who is erased creates nobody", async () => {
    const clients = await open();
    const customer = { email: "ada@example.com", name: "Ada" };
    const shipping = { line1: "1 Main St", city: "Austin", state: "TX", postalCode: "78701", country: "US" };
    const create = () => clients.customers.createCustomer({ customer }, keyed("create-ada"));
    const id = (await create()).customer!.id;
    const change = () => clients.customers.updateCustomer({ customer: { id, shipping } }, keyed("move-ada"));
    await change();
    await clients.privacy.requestErasure({ customerId: id });
    for (const retry of [create, change]) {
      expect(await failureOf(retry())).toMatchObject({
        code: "FailedPrecondition",
        reason: "IDEMPOTENCY_KEY_ERASED",
        message: "The person of the first request with this Idempotency-Key is erased.",
      });
    }
    const { customers } = await clients.customers.listCustomers({ showDeleted: true });
    expect(customers.filter(({ email }) => email !== undefined)).toEqual([]);
    // Another request under the key is no way around it.
    const other = clients.customers.createCustomer({ customer: { email: "eve@example.com" } }, keyed("create-ada"));
    expect(await failureOf(other)).toMatchObject({ reason: "IDEMPOTENCY_KEY_ERASED" });
    expect((await clients.customers.createCustomer({ customer }, keyed("anew"))).customer!.id).not.toBe(id);
  });
});

test("a retry is refused too where the erasure was carried out by the job", async () => {
  const { test: clients } = await clientele.createAccount();
  const create = () =>
    clients.customers.getOrCreateCustomer(
      { customer: { email: "ada@example.com" }, lookup: CustomerLookup.EMAIL },
      keyed("create-ada"),
    );
  const { id } = (await create()).customer!;
  await clients.accounts.updateAccountSettings({
    settings: { erasureDelay: { seconds: 3600n } },
    updateMask: { paths: ["erasure_delay"] },
  });
  await clients.privacy.requestErasure({ customerId: id });
  expect((await create()).customer!.id).toBe(id);
  timed.pass(3_600_000);
  await timed.runJob("erase_customers");
  expect(await failureOf(create())).toMatchObject({ reason: "IDEMPOTENCY_KEY_ERASED" });
});

test("the tombstone of a key holds nothing of the request, and is deleted after 24 hours", async () => {
  const { test: clients } = await clientele.createAccount();
  const create = await clients.customers.createCustomer({ customer: { email: "ada@example.com" } }, keyed("tombstone"));
  await clients.privacy.requestErasure({ customerId: create.customer!.id });
  const record = () =>
    clientele
      .db("idempotency_keys")
      .where({ key_hash: hashOfKey("tombstone") })
      .first();
  expect(await record()).toMatchObject({ request_hash: null, response: null, customer_id: null });
  timed.pass(day);
  await timed.runJob("forget_idempotency_keys");
  expect(await record()).toBeUndefined();
});

const erasing: { name: string; call: (clients: Clients, key: string) => Promise<unknown> }[] = [
  {
    name: "RequestErasure",
    async call({ customers, privacy }, key) {
      const { customer } = await customers.createCustomer({ customer: { email: "ada@example.com" } });
      const erase = () => privacy.requestErasure({ customerId: customer!.id }, keyed(key));
      const first = await erase();
      expect(await erase()).toEqual(first);
    },
  },
  {
    name: "UpdateCustomer with request_to_be_forgotten",
    async call({ customers }, key) {
      const { customer } = await customers.createCustomer({ customer: { email: "ada@example.com" } });
      await customers.updateCustomer({ customer: { id: customer!.id, requestToBeForgotten: true } }, keyed(key));
    },
  },
  {
    name: "DeleteTaxIdentifier",
    async call({ customers, taxIdentifiers, privacy }, key) {
      const { customer } = await customers.createCustomer({ customer: { email: "ada@example.com" } });
      const given = { taxIdentifier: { type: "us_ein", value: "531234567" } };
      const { id } = (await taxIdentifiers.createTaxIdentifier(given)).taxIdentifier!;
      await taxIdentifiers.attachTaxIdentifier({ customerId: customer!.id, id });
      await taxIdentifiers.deleteTaxIdentifier({ id }, keyed(key));
      await privacy.requestErasure({ customerId: customer!.id });
    },
  },
];

test.for(erasing)("the text of the key of $name outlives no erasure", async ({ call }) => {
  const { test: clients } = await clientele.createAccount();
  const key = `ada.lovelace.${crypto.randomUUID()}@example.com`;
  await call(clients, key);
  expect(tracesOf(key, await dumpOf(clientele.db))).toEqual([]);
});

test("of 50 callers with one key over two methods, those of one method get one answer", async () => {
  const account = await clientele.createAccount();
  const callers = createCallers(clientele, account.testKey);
  const { answers, failures } = await allAtOnce(callers, async (clients, index) =>
    index % 2 === 0
      ? (await clients.customers.createCustomer({ customer: { email: "ada@example.com" } }, keyed("race"))).customer!.id
      : (await clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } }, keyed("race"))).apiKey!.id,
  );
  expect([answers.length, failures.length]).toEqual([25, 25]);
  expect(new Set(answers).size).toBe(1);
  expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["IDEMPOTENCY_KEY_REUSED"]));
  const { customers } = await account.test.customers.listCustomers({});
  const { apiKeys } = await account.test.apiKeys.listApiKeys({ pageSize: 100 });
  const made = [...customers, ...apiKeys].filter(({ id }) => answers.includes(id));
  expect(made).toHaveLength(1);
  expect(customers).toHaveLength(answers[0]!.startsWith("cus_") ? 1 : 0);
});

test("a record from before the migration still answers, and of one key under two methods the latest", async () => {
  const database = await createTestDatabase();
  const db = connect({ connectionString: database.url, poolSize: 2, namedStatements: true });
  try {
    await db.raw("drop schema public cascade; create schema public");
    const names = Object.keys(migrations).sort();
    const before = names.filter((name) => name < "0018").map((name) => [name, migrations[name]!] as const);
    await migrate(database.url, Object.fromEntries(before));
    const time = new Date();
    await db("tenants").insert({
      ...{ tenant_id: "t", account_id: "acc", account_name: "Shop", live_mode: false, settings: {} },
      ...{ page_token_key: Buffer.alloc(32), settings_update_time: time, create_time: time },
    });
    const record = (method: string, key: string, hour: number) => ({
      tenant_id: "t",
      ...{ method, key, request_hash: Buffer.from("hash"), response: Buffer.from(method) },
      expire_time: new Date(Date.UTC(2026, 2, 1, hour)),
    });
    await db("idempotency_keys").insert([record("A", "one", 1), record("B", "one", 2), record("A", "two", 3)]);
    await migrate(database.url, migrations);
    const rows = await db("idempotency_keys").orderBy("expire_time").select("method", "key_hash");
    expect(rows).toEqual([
      { method: "B", key_hash: hashOfKey("one") },
      { method: "A", key_hash: hashOfKey("two") },
    ]);
  } finally {
    await db.destroy();
    await database.drop();
  }
});
