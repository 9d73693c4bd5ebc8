import { type DescMethodUnary, fromJson, type JsonObject, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../../gen/clientele/v1/api_keys_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { PasswordService } from "../../../gen/clientele/v1/passwords_pb.js";
import { hashOfKey } from "../../../src/rpc/calls/idempotency.js";
import { useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { createPopulatedAccounts } from "../../support/populated.js";
import { casesOf, mutations, otherRequest, reads, requestFor } from "../../support/scenario.js";
import { dump } from "../../support/snapshot.js";
import { overFetch, pathOf } from "../../support/ways.js";

const { createCustomer, updateCustomer } = CustomerService.method;
const { createApiKey } = ApiKeyService.method;
const start = new Date("2026-03-01T12:00:00Z");
const day = 24 * 60 * 60 * 1000;
let now = start;

const clientele = useClientele({ clock: () => now });
beforeEach(() => {
  now = start;
});

const createPopulated = createPopulatedAccounts(clientele);
async function tenant() {
  const { account, tenantId, world } = await createPopulated();
  const effects = () => effectsOn(tenantId);
  return {
    account,
    world,
    effects,
    call: overFetch(clientele.httpUrl, account.testKey),
    send: sender(account.testKey),
  };
}

/** Calls with an Idempotency-Key and shows whether the answer was replayed. */
function sender(apiKey: string) {
  return async (method: DescMethodUnary, request: JsonValue, key: string) => {
    const answer = await fetch(clientele.httpUrl + pathOf(method), {
      method: "POST",
      headers: { "content-type": "application/json", "api-key": apiKey, "idempotency-key": key },
      body: JSON.stringify(request),
    });
    return { status: answer.status, replayed: answer.headers.get("idempotency-replayed"), body: await answer.json() };
  };
}

// All rows of a tenant but the remembered answers: what an effect would show in.
async function effectsOn(tenantId: string): Promise<string[]> {
  return (await dump(clientele.db, tenantId))
    .split("\n")
    .filter((line) => !line.startsWith("idempotency_keys:"))
    .sort();
}

describe.for(casesOf(mutations))("$name", ({ method }) => {
  let own: Awaited<ReturnType<typeof tenant>>;
  let request: JsonObject;
  let first: Awaited<ReturnType<typeof own.send>>;
  let [before, after]: string[][] = [];
  beforeAll(async () => {
    own = await tenant();
    request = requestFor(method, own.world);
    before = await own.effects();
    first = await own.send(method, request, "key-1");
    after = await own.effects();
  });

  test("replays its first answer for the same key and request, with one effect", async () => {
    expect(first).toMatchObject({ status: 200, replayed: null });
    const { secret: _, ...remembered } = first.body as JsonObject;
    for (const again of [request, reordered(request)]) {
      expect(await own.send(method, again, "key-1")).toEqual({ status: 200, replayed: "true", body: remembered });
    }
    expect(await own.effects()).toEqual(after);
  });

  test("refuses another request under the key", async () => {
    const other = own.call(method, otherRequest(request), { "idempotency-key": "key-1" });
    expect(await failureOf(other)).toMatchObject({ code: "FailedPrecondition", reason: "IDEMPOTENCY_KEY_REUSED" });
    expect(await own.effects()).toEqual(after);
  });

  test("has one effect for ten calls at once", async () => {
    const { world, effects, send } = await tenant();
    const rows = (await effects()).length;
    const calls = Array.from({ length: 10 }, () => send(method, requestFor(method, world), "key-1"));
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(answers.filter(({ replayed }) => replayed === null)).toHaveLength(1);
    const bodies = answers.map(({ body }) => JSON.stringify({ ...(body as JsonObject), secret: "" }));
    expect(new Set(bodies).size).toBe(1);
    // As many rows as one call adds, events too.
    expect((await effects()).length - rows).toBe(after!.length - before!.length);
  });
});

test("a call that failed is not remembered", async () => {
  const { account, send } = await tenant();
  const { customer } = await account.test.customers.createCustomer({ customer: { email: "ada@example.com" } });
  const request = { customer: { email: "ada@example.com" } };
  expect(await send(createCustomer, request, "key-1")).toMatchObject({ status: 409, replayed: null });
  await account.test.customers.deleteCustomer({ id: customer!.id });
  expect(await send(createCustomer, request, "key-1")).toMatchObject({ status: 200, replayed: null });
});

test("a key is free again after 24 hours, and not before", async () => {
  const { send } = await tenant();
  const request = { apiKey: { kind: "API_KEY_KIND_PUBLISHABLE", label: "web" } };
  const first = await send(createApiKey, request, "key-1");
  now = new Date(start.getTime() + day - 1);
  expect(await send(createApiKey, request, "key-1")).toMatchObject({ replayed: "true" });
  now = new Date(start.getTime() + day);
  const second = await send(createApiKey, request, "key-1");
  expect(second).toMatchObject({ status: 200, replayed: null });
  expect(idOf(second.body)).not.toBe(idOf(first.body));
  now = new Date(start.getTime() + 2 * day - 1);
  expect(idOf((await send(createApiKey, request, "key-1")).body)).toBe(idOf(second.body));
});

test("a secret is in the first answer only, and nowhere in the database", async () => {
  const { send } = await tenant();
  const request = { apiKey: { kind: "API_KEY_KIND_SECRET", label: "server" } };
  const { secret } = (await send(createApiKey, request, "key-1")).body as { secret: string };
  expect(secret).toMatch(/^sk_test_[0-9a-z]{58}$/);
  const replay = await send(createApiKey, request, "key-1");
  expect(replay).toMatchObject({ replayed: "true" });
  expect(replay.body).not.toHaveProperty("secret");
  const everything = await dump(clientele.db);
  const random = Buffer.from(secret.slice(-32));
  for (const form of [random.toString(), random.toString("hex"), random.toString("base64").slice(2, -4)]) {
    expect(everything).not.toContain(form);
  }
});

test("a password is compared under a key, by a hash that is salted", async () => {
  const { setPassword } = PasswordService.method;
  const request = { customerId: "ada", password: "correct horse battery" };
  for (const { account, send, call } of [await tenant(), await tenant()]) {
    await account.test.customers.createCustomer({ customer: { id: "ada", email: "ada@example.com" } });
    expect(await send(setPassword, request, "salted")).toMatchObject({ status: 200, replayed: null });
    expect(await send(setPassword, request, "salted")).toMatchObject({ status: 200, replayed: "true" });
    const other = call(setPassword, { ...request, password: "another horse" }, { "idempotency-key": "salted" });
    expect(await failureOf(other)).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
  }
  const records = clientele.db("idempotency_keys").where({ key_hash: hashOfKey("salted") });
  const hashes: Buffer[] = await records.pluck("request_hash");
  expect(hashes).toHaveLength(2);
  expect(new Set(hashes.map((hash) => hash.toString("hex"))).size).toBe(2);
});

test("the keys of two tenants do not collide", async () => {
  const [one, two] = [await tenant(), await tenant()];
  const request = { customer: { email: "ada@example.com" } };
  const [first, second] = [
    await one.send(createCustomer, request, "key-1"),
    await two.send(createCustomer, request, "key-1"),
  ];
  expect([first.replayed, second.replayed]).toEqual([null, null]);
  expect(idOf(second.body)).not.toBe(idOf(first.body));
});

describe("a read", () => {
  let reading: Awaited<ReturnType<typeof tenant>>;
  beforeAll(async () => {
    reading = await tenant();
  });

  test.for(casesOf(reads))("$name is not remembered", async ({ method }) => {
    const { world, send } = reading;
    const count = async () => (await clientele.db("idempotency_keys")).length;
    const before = await count();
    for (const _ of ["first", "second"]) {
      expect(await send(method, requestFor(method, world), "key-1")).toMatchObject({ status: 200, replayed: null });
    }
    expect(await count()).toBe(before);
  });
});

// What proto JSON cannot spell, a binary client can.
const unspellable: { name: string; customer: JsonObject; change: (message: Record<string, unknown>) => void }[] = [
  {
    name: "a metadata key in camel case in the mask",
    customer: {},
    change: (m) => (m.updateMask = { $typeName: "google.protobuf.FieldMask", paths: ["metadata.someKey"] }),
  },
  {
    name: "a year beyond 9999",
    customer: { createTime: "2026-01-01T00:00:00Z" },
    change: (m) => (Object(m.customer).createTime.seconds = 10n ** 15n),
  },
  {
    name: "metadata that is no number",
    customer: { metadata: { a: 1 } },
    change: (m) => (Object(m.customer).metadata.a = Number.NaN),
  },
];

test.for(unspellable)(
  "a key is accepted with a request that holds $name, or refused as invalid",
  async ({ customer, change }) => {
    const { account, world } = await tenant();
    const message = fromJson(updateCustomer.input, { customer: { id: world.customer, name: "New", ...customer } });
    change(message as unknown as Record<string, unknown>);
    const send = async (headers: Record<string, string>) => {
      const answer = await fetch(clientele.httpUrl + pathOf(updateCustomer), {
        method: "POST",
        headers: { "content-type": "application/proto", "api-key": account.testKey, ...headers },
        body: toBinary(updateCustomer.input, message),
      });
      return answer.status;
    };
    expect(await send({})).toBeOneOf([200, 400]);
    expect(await send({ "idempotency-key": "key-1" })).toBeOneOf([200, 400]);
  },
);

function idOf(answer: unknown): string {
  return String(Object(Object(answer).apiKey ?? Object(answer).customer).id);
}

// The same request, its keys in the opposite order.
function reordered(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reordered(inner)]),
  );
}
