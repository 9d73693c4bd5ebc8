import { randomUUID } from "node:crypto";
import { create, type DescMethodUnary, type JsonObject, type JsonValue } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { type Clientele, startClientele, type TestAccount, transports } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { leavesOf, textsOf } from "../../support/fields.js";
import { messagesOf } from "../../support/random-messages.js";
import { casesOf, methods, nameOf, replaceField, requestFor } from "../../support/scenario.js";
import { overFetch, pathOf } from "../../support/ways.js";
import { populate, type World } from "../../support/world.js";

const { createCustomer, getCustomer, updateCustomer } = CustomerService.method;

let clientele: Clientele;
let account: TestAccount;
let world: World;
let crashes: unknown[] = [];
const onCrash = (reason: unknown) => void crashes.push(reason);
beforeAll(async () => {
  process.on("unhandledRejection", onCrash);
  clientele = await startClientele();
  account = await clientele.createAccount();
  world = await populate(account.test);
});
afterAll(async () => {
  await clientele.stop();
  process.off("unhandledRejection", onCrash);
});
// Whatever came, the next call works, and nothing was left unhandled.
afterEach(async () => {
  expect(await account.test.accounts.getAccount({})).toMatchObject({ account: { id: account.accountId } });
  expect(crashes).toEqual([]);
  crashes = [];
});

/** Sends bytes as they are, and gives the failure if there is one. */
async function post(
  method: DescMethodUnary,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
) {
  const answer = await fetch(clientele.httpUrl + pathOf(method), {
    method: "POST",
    headers: { "content-type": "application/json", "api-key": account.testKey, ...headers },
    body,
  });
  if (answer.status === 200) return await answer.arrayBuffer();
  const json = (await answer.json()) as JsonValue;
  throw errorFromJson(json, undefined, new ConnectError(JSON.stringify(json), Code.Unknown));
}

const faults = new Set(["Internal", "Unknown", "DataLoss"]);
const telling = /select |insert |syntax|pg_|postgres|node_modules|\.ts|\.js|\bat \/|[sp]k_(test|live)_/i;

/** Waits for a call that may succeed; if it fails it does so in a typed way that tells nothing of the inside. */
async function expectTyped(call: Promise<unknown>, about = ""): Promise<void> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return;
  const failure = await failureOf(Promise.reject(error));
  expect(faults.has(failure.code), `${about}: ${failure.code} ${failure.message}`).toBe(false);
  expect(failure.message).not.toMatch(telling);
}

const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const bytes = (...values: number[]) => Uint8Array.from(values);
const proto = { "content-type": "application/proto" };
// No more digits in a row than a counter has: many might be the number of a card.
let addresses = 0;
const email = () => `bad.${++addresses}@example.com`;
const metadata = (json: string) => `{"customer":{"email":"${email()}","metadata":${json}}}`;

const valid = () => `{"customer":{"email":"${email()}"}}`;

const malformed: { name: string; body: string | Uint8Array<ArrayBuffer>; headers?: Record<string, string> }[] = [
  { name: "half an object", body: '{"customer":' },
  { name: "no JSON", body: "customer" },
  { name: "a list", body: "[]" },
  { name: "null", body: "null" },
  { name: "a number", body: "1" },
  { name: "a number where text belongs", body: '{"customer":{"email":1}}' },
  { name: "text where a message belongs", body: '{"customer":"ada"}' },
  { name: "a list where a message belongs", body: '{"customer":[]}' },
  { name: "an unknown name of an enum", body: '{"customer":{"type":"CUSTOMER_TYPE_ROBOT"}}' },
  { name: "a time that is none", body: '{"customer":{"createTime":"yesterday"}}' },
  { name: "a lone surrogate in a key", body: metadata('{"\\ud800":1}') },
  { name: "a NUL in a key", body: metadata('{"\\u0000":1}') },
  { name: "metadata that is a list", body: metadata("[]") },
  { name: "a number beyond a double", body: metadata('{"a":1e400}') },
  { name: "NaN", body: metadata('{"a":NaN}') },
  { name: "bytes that are no UTF-8", body: bytes(0x7b, 0x22, 0xff, 0x22, 0x7d) },
  { name: "a truncated protobuf", body: bytes(0x0a, 0x7f, 0x01), headers: proto },
  { name: "a protobuf with an invalid tag", body: bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), headers: proto },
  { name: "a protobuf of the wrong wire type", body: bytes(0x08, 0x01), headers: proto },
  { name: "an unbalanced end of group", body: bytes(0x0c), headers: proto },
  { name: "text that is no UTF-8 in a protobuf", body: bytes(0x0a, 0x04, 0x12, 0x02, 0xff, 0xfe), headers: proto },
  { name: "bytes that are no gzip", body: "{}", headers: { "content-encoding": "gzip" } },
  { name: "an empty Idempotency-Key", body: valid(), headers: { "idempotency-key": "" } },
  { name: "an Idempotency-Key with a space", body: valid(), headers: { "idempotency-key": "a b" } },
  { name: "an Idempotency-Key of 256 characters", body: valid(), headers: { "idempotency-key": "k".repeat(256) } },
  { name: "an Idempotency-Key beyond ASCII", body: valid(), headers: { "idempotency-key": "sch\u00fcssel" } },
  { name: "a timeout that is no number", body: valid(), headers: { "connect-timeout-ms": "soon" } },
];

test.for(malformed)("$name is INVALID_ARGUMENT", async ({ body, headers }) => {
  const failure = await failureOf(post(createCustomer, body, headers));
  expect(failure).toMatchObject({ code: "InvalidArgument" });
  expect(failure.message).not.toMatch(telling);
});

const odd: { name: string; body: string }[] = [
  {
    name: "__proto__ in metadata",
    body: metadata('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
  },
  { name: "__proto__ beside the fields", body: `{"__proto__":{"polluted":true},"customer":{"email":"${email()}"}}` },
  { name: "metadata nested 50 deep", body: metadata(`{"a":${deep(50)}}`) },
  { name: "metadata nested 500 deep", body: metadata(`{"a":${deep(500)}}`) },
  { name: "metadata nested 4 000 deep", body: metadata(`{"a":${deep(4_000)}}`) },
  { name: "metadata nested 100 000 deep", body: metadata(`{"a":${deep(100_000)}}`) },
  { name: "an unknown field nested 100 000 deep", body: `{"x":${deep(100_000)}}` },
  {
    name: "numbers at the edge",
    body: metadata('{"a":1.7976931348623157e308,"b":5e-324,"c":-0,"d":9007199254740993}'),
  },
  {
    name: "10 000 keys",
    body: metadata(JSON.stringify(Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [i, i])))),
  },
];

test.for(odd)("$name is accepted or refused, and reaches no prototype", async ({ name, body }) => {
  const { testKey } = await clientele.createAccount();
  await expectTyped(post(createCustomer, body, { "api-key": testKey }), name);
  expect(Reflect.get({}, "polluted")).toBeUndefined();
});

test("metadata keeps the keys __proto__ and constructor as keys", async () => {
  const given = JSON.parse('{"__proto__":"a","constructor":"b"}') as JsonObject;
  const { customer } = await account.test.customers.createCustomer({ customer: { email: email(), metadata: given } });
  const { customer: read } = await account.test.customers.getCustomer({ id: customer!.id });
  expect(JSON.stringify(read!.metadata)).toBe(JSON.stringify(given));
});

const texts = methods.flatMap((method) =>
  textsOf(method.input).map(({ path, field }) => ({ at: `${nameOf(method)} ${path.join(".")}`, method, path, field })),
);

test.for(texts)("text that Postgres cannot keep is refused in $at", async ({ method, path, field }) => {
  const call = (text: string) => {
    const value = field.fieldKind === "list" ? [text] : text;
    const request = replaceField(method, requestFor(method, world), path, () => value);
    return failureOf(overFetch(clientele.httpUrl, account.testKey)(method, request));
  };
  const failure = await call("a\0b");
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
  expect(Object.keys(failure.fields)[0]).toContain(field.name);
  expect(await call("a\ud800b")).toMatchObject({ code: "InvalidArgument" });
});

// In a tenant of their own, because a text that is ignored lets the call have its effect.
describe("a very long text", () => {
  let own: TestAccount;
  let ownWorld: World;
  beforeAll(async () => {
    own = await clientele.createAccount();
    ownWorld = await populate(own.test);
  });

  test.for(texts)("fails in a typed way in $at", async ({ at, method, path, field }) => {
    // As long as a request may be.
    const long = "x".repeat(250_000);
    const value = field.fieldKind === "list" ? [long] : long;
    const request = replaceField(method, requestFor(method, ownWorld), path, () => value);
    await expectTyped(overFetch(clientele.httpUrl, own.testKey)(method, request), at);
  });
});

const enums = methods.flatMap((method) =>
  leavesOf(method.input)
    .filter(({ field }) => field.fieldKind === "enum")
    .map(({ path }) => ({ at: `${nameOf(method)} ${path.join(".")}`, method, path })),
);

test.for(enums)("a value beyond the enum fails in a typed way, or is ignored, in $at", async ({ at, method, path }) => {
  for (const value of [99, -1]) {
    const request = replaceField(method, requestFor(method, world), path, () => value);
    await expectTyped(overFetch(clientele.httpUrl, account.testKey)(method, request), at);
  }
});

const lists = casesOf(methods.filter((method) => method.input.fields.some((field) => field.name === "page_size")));

describe.for(lists)("$name", ({ method }) => {
  const list = (page: JsonObject) =>
    overFetch(clientele.httpUrl, account.testKey)(method, { ...requestFor(method, world), ...page });

  test("takes a huge page size for the largest", async () => {
    expect(await list({ pageSize: 2 ** 31 - 1 })).toEqual(await list({ pageSize: 100 }));
  });

  test.for([-1, -(2 ** 31)])("refuses a page size of %i", async (pageSize) => {
    expect(await failureOf(list({ pageSize }))).toMatchObject({
      reason: "FIELDS_INVALID",
      fields: { page_size: expect.anything() },
    });
  });

  test.for(["x", "AAAA", "A".repeat(1024), "\u00e4\u00f6\u00fc", "=", Buffer.alloc(80).toString("base64url")])(
    "refuses the page token %s",
    async (pageToken) => {
      expect(await failureOf(list({ pageToken }))).toMatchObject({
        code: "InvalidArgument",
        reason: "PAGE_TOKEN_INVALID",
      });
    },
  );
});

test("every byte of a page token counts", async () => {
  const list = (pageToken: string) => account.test.customers.listCustomers({ pageSize: 1, pageToken });
  await account.test.customers.createCustomer({ customer: { email: email() } });
  const { nextPageToken: token } = await list("");
  for (let at = 0; at < token.length; at++) {
    const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
    expect(await failureOf(list(changed))).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
  }
});

test.for(["nothing", "live_mode.id", "create_time", "name.first", "metadata..", "email,nothing", "x".repeat(10_000)])(
  "the mask path %s fails in a typed way",
  async (path) => {
    const paths = path.split(",");
    const update = account.test.customers.updateCustomer({ customer: { id: world.customer }, updateMask: { paths } });
    await expectTyped(update, path);
  },
);

describe.for(Object.entries(transports).map(([name, open]) => ({ name, open })))("over $name", ({ open }) => {
  test("a message of more than 4 MiB is RESOURCE_EXHAUSTED", async () => {
    const customer = { email: email(), name: "x".repeat(4 * 1024 * 1024) };
    const call = open(clientele, account.testKey).unary(createCustomer, undefined, undefined, undefined, { customer });
    expect(await failureOf(call)).toMatchObject({ code: "ResourceExhausted", reason: "MESSAGE_TOO_LARGE" });
  });

  test("header fields of more than 16 KiB fail the call and not the service", async () => {
    const call = (headers: Record<string, string>) =>
      open(clientele, account.testKey)
        .unary(getCustomer, undefined, undefined, headers, { id: world.customer })
        .then(
          () => "accepted",
          () => "refused",
        );
    expect(await call({ "x-large": "x".repeat(32 * 1024) })).toBe("refused");
    expect(await call({ "x-large": "x".repeat(8 * 1024) })).toBe("accepted");
  });
});

const binary = Object.entries(transports).filter(([name]) => name !== "Connect in JSON");
const fuzzed = [
  ...binary.map(([name, open]) => ({ name, open, headers: () => ({}) })),
  { name: "gRPC with an Idempotency-Key", open: binary[0]![1], headers: () => ({ "idempotency-key": randomUUID() }) },
];

describe.for(fuzzed)("a random request over $name", ({ open, headers }) => {
  test.for(casesOf(methods))("makes $name fail in a typed way at most", async ({ name, method }) => {
    const transport = open(clientele, account.testKey);
    const call = async (request: Record<string, unknown>) =>
      await expectTyped(transport.unary(method, undefined, undefined, headers(), create(method.input, request)), name);
    await fc.assert(fc.asyncProperty(messagesOf(method.input, Object.values(world)), call), { numRuns: 15 });
  });
});

test("updateCustomer with the metadata of any JSON keeps or refuses it", async () => {
  const call = overFetch(clientele.httpUrl, account.testKey);
  const update = async (value: JsonValue) => {
    const request = { customer: { id: world.customer, metadata: { value } }, updateMask: "metadata" };
    await expectTyped(call(updateCustomer, request), JSON.stringify(value));
  };
  await fc.assert(fc.asyncProperty(fc.jsonValue() as fc.Arbitrary<JsonValue>, update), { numRuns: 50 });
});

test.for(casesOf(methods))("random bytes make $name fail in a typed way at most", async ({ name, method }) => {
  const send = async (body: Uint8Array<ArrayBuffer>) => await expectTyped(post(method, body, proto), name);
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 60 }) as fc.Arbitrary<Uint8Array<ArrayBuffer>>, send), {
    numRuns: 20,
  });
});
