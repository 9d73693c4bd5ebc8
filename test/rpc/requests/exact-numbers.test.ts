import { beforeAll, describe, expect, test } from "vitest";
import { CustomFieldService } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { breakOf, InexactNumber, parseExactly } from "../../../src/rpc/requests/exact-json.js";
import { parseJson } from "../../../src/rpc/requests/json.js";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { pathOf } from "../../support/ways.js";

const { createCustomer, getCustomer, listCustomers, updateCustomer } = CustomerService.method;
const { createCustomField } = CustomFieldService.method;

const clientele = useClientele();
let account: TestAccount;
beforeAll(async () => {
  account = await clientele.createAccount();
});

/** Sends a body as it is written, because JSON.stringify would round it. */
async function send(method: typeof createCustomer | typeof createCustomField | typeof listCustomers, body: string) {
  const headers = { "api-key": account.testKey, "content-type": "application/json" };
  const answer = await fetch(clientele.httpUrl + pathOf(method), { method: "POST", headers, body });
  const text = await answer.text();
  const details: { debug?: { reason?: string; fieldViolations?: { field: string; description: string }[] } }[] =
    JSON.parse(text).details ?? [];
  const violations = details.flatMap(({ debug }) => debug?.fieldViolations ?? []);
  return { status: answer.status, text, fields: violations.map(({ field }) => field), reason: reasonOf(details) };
}

function reasonOf(details: readonly { debug?: { reason?: string } }[]): string | undefined {
  return details.map(({ debug }) => debug?.reason).find((reason) => reason !== undefined);
}

const customer = (rest: string) => `{"customer":{"email":"${crypto.randomUUID()}@example.com",${rest}}}`;

describe("a number that a double would change is refused with its path", () => {
  test.for([
    { body: customer('"metadata":{"orderId":7234567890123456789}'), at: ["customer.metadata.orderId"] },
    { body: customer('"metadata":{"a":{"b":[1,9007199254740993]}}'), at: ["customer.metadata.a.b[1]"] },
    {
      body: customer('"metadata":{"a":-9007199254740993,"b":1e400}'),
      at: ["customer.metadata.a", "customer.metadata.b"],
    },
    { body: customer('"metadata":{"share":0.1000000000000000055}'), at: ["customer.metadata.share"] },
    { body: customer('"metadata":{"tiny":1e-400}'), at: ["customer.metadata.tiny"] },
    { body: customer('"customFields":{"points":12345678901234567890}'), at: ["customer.custom_fields.points"] },
    {
      body: customer('"externalReferences":[{"name":"x","id":9007199254740993}]'),
      at: ["customer.external_references[0].id"],
    },
    { body: customer('"name":12345678901234567890'), at: ["customer.name"] },
    { body: customer('"emial":1,"metadata":{"a":1e400}'), at: ["customer.metadata.a", "customer.emial"] },
    { body: '{"pageSize":1e400}', method: listCustomers, at: ["page_size"] },
    { body: '{"pageSize":10.00000000000000000001}', method: listCustomers, at: ["page_size"] },
    {
      body: '{"customField":{"slug":"p","name":"P","type":"FLOAT","rules":[{"floatBetween":{"min":0.1000000000000000055}}]}}',
      method: createCustomField,
      at: ["custom_field.rules[0].float_between.min"],
    },
    {
      body: '{"customField":{"slug":"p","name":"P","type":"FLOAT","rules":[{"floatBetween":{"min":"0.1000000000000000055"}}]}}',
      method: createCustomField,
      at: ["custom_field.rules[0].float_between.min"],
    },
  ])("$body", async ({ body, method = createCustomer, at }) => {
    const { status, fields, reason, text } = await send(method, body);
    expect({ status, fields, reason }).toEqual({ status: 400, fields: at, reason: "FIELDS_INVALID" });
    expect(text).toContain("would not keep its digits");
  });
});

test.for([
  '{"n":9007199254740991}',
  '{"n":9007199254740992}',
  '{"n":0.1}',
  '{"n":1e21}',
  '{"n":-12.5}',
  '{"n":1.50}',
  '{"n":"7234567890123456789"}',
  '{"n":"1e400"}',
  '{"7234567890123456789":true}',
  '{"n":"a \\\\\\" 12345678901234567890"}',
])("a number that a double keeps, or any text, is stored as it is: %s", async (metadata) => {
  const made = await send(createCustomer, customer(`"metadata":${metadata}`));
  expect(made.status, made.text).toBe(200);
  const { id } = JSON.parse(made.text).customer;
  const read = await account.test.customers.getCustomer({ id });
  expect(read.customer!.metadata).toEqual(JSON.parse(metadata));
});

test("a card number that is typed as a number is refused as one, whatever its length", async () => {
  const { fields, reason, text } = await send(createCustomer, customer('"metadata":{"card":6304000000000000000}'));
  expect({ fields, reason }).toEqual({ fields: ["customer.metadata.card"], reason: "CARD_NUMBER_GIVEN" });
  expect(text).not.toContain("6304000000000000000");
});

test("a filter takes a number that a double would change for the text that it is", async () => {
  const { customers } = account.test;
  const create = async (value: number | string) =>
    (
      await customers.createCustomer({
        customer: { email: `${crypto.randomUUID()}@example.com`, metadata: { big: value } },
      })
    ).customer!.id;
  await create(9007199254740992);
  const text = await create("9007199254740993");
  const found = await customers.listCustomers({ filter: "eq(metadata.big,9007199254740993)" });
  expect(found.customers.map(({ id }) => id)).toEqual([text]);
});

test("a text without a changed number parses as JSON.parse does", () => {
  for (const text of [
    '{"a":[1,2.5,{"b":"x\\\\\\"9007199254740993"}],"c":null,"d":1e5}',
    '[1234567890123456,"1234567890123456789"]',
    '{"__proto__":{"x":1e3}}',
  ]) {
    expect(parseExactly(text)).toEqual({ value: JSON.parse(text), hasInexact: false });
  }
  expect(parseExactly("[1e400]")).toEqual({ value: [new InexactNumber("1e400")], hasInexact: true });
});

test.for([
  { text: '{"a":}', at: 5 },
  { text: '{"a":1,}', at: 7 },
  { text: '{"a":1', at: 6 },
  { text: "", at: 0 },
  { text: '{"a" 1}', at: 5 },
])("JSON that breaks off is known by its place: $text", ({ text, at }) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(breakOf(text)).toBe(at);
});

test.for([1_000, 100_000])("a number that would change, nested %i deep, is refused as invalid", (depth) => {
  const body = `{"id":"x","a":${"[".repeat(depth)}9007199254740993${"]".repeat(depth)}}`;
  expect(() => parseJson(getCustomer.input, Buffer.from(body))).toThrow(/invalid_argument|resource_exhausted/);
});

test("a request with a long number is read in a few milliseconds, up to the size limit", () => {
  const body = `{"customer":{"metadata":{"a":"${"x".repeat(240_000)}","n":1e400,"s":"${"\\\\".repeat(5_000)}"}}}`;
  const started = process.cpuUsage();
  expect(() => parseJson(updateCustomer.input, Buffer.from(body))).toThrow("invalid_argument");
  expect(process.cpuUsage(started).user).toBeLessThan(200_000);
});
