import { create, toBinary } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { AccountService } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerService, GetCustomerRequestSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { PrivacyService } from "../../../gen/clientele/v1/privacy_pb.js";
import { maxValues } from "../../../src/rpc/requests/binary.js";
import { parseJson } from "../../../src/rpc/requests/json.js";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { type Call, overFetch, pathOf } from "../../support/ways.js";

const { createCustomer, getCustomer, listCustomers, updateCustomer } = CustomerService.method;
const { updateAccountSettings } = AccountService.method;

const clientele = useClientele();
let account: TestAccount;
let call: Call;
beforeAll(async () => {
  account = await clientele.createAccount();
  call = overFetch(clientele.httpUrl, account.testKey);
});

describe("an unknown name in JSON is refused", () => {
  test.for([
    {
      name: "a mistyped field",
      method: createCustomer,
      request: { customer: { emial: "a@b.co" } },
      at: "customer.emial",
      near: "email",
    },
    { name: "a field of the request", method: listCustomers, request: { filters: "x" }, at: "filters", near: "filter" },
    {
      name: "a field beside the right ones",
      method: updateAccountSettings,
      request: { validate: true },
      at: "validate",
      near: "validateOnly",
    },
    {
      name: "a field in an item of a list",
      method: createCustomer,
      request: { customer: { externalReferences: [{ name: "x", id: "1" }, { nane: "x" }] } },
      at: "customer.external_references[1].nane",
      near: "name",
    },
    {
      name: "an enum value",
      method: createCustomer,
      request: { customer: { type: "individul" } },
      at: "customer.type",
      near: "INDIVIDUAL",
    },
    {
      name: "an enum value under a mask",
      method: updateCustomer,
      request: { customer: { id: "x", type: "Busines" }, updateMask: "type" },
      at: "customer.type",
      near: "BUSINESS",
    },
  ])("$name", async ({ method, request, at, near }) => {
    const failure = await failureOf(call(method, request));
    expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
    expect(Object.keys(failure.fields)).toEqual([at]);
    if (near !== "validateOnly") expect(failure.fields[at]).toContain(`did you mean ${near}?`);
    expect(failure.fields[at]).toMatch(/Permitted are .*\w/);
  });

  test("each unknown name is told, not only the first", async () => {
    const failure = await failureOf(call(createCustomer, { customer: { emial: "a@b.co", frist_name: "A" }, x: 1 }));
    expect(Object.keys(failure.fields).sort()).toEqual(["customer.emial", "customer.frist_name", "x"]);
  });
});

test.for(["individual", "Individual", "INDIVIDUAL", "CUSTOMER_TYPE_INDIVIDUAL", "customer_type_individual", 1])(
  "a type may be spelled %s",
  async (type) => {
    const made = await call(createCustomer, { customer: { email: `${crypto.randomUUID()}@example.com`, type } });
    expect(made).toMatchObject({ customer: { type: "CUSTOMER_TYPE_INDIVIDUAL" } });
  },
);

test("a field may be spelled as in the contract or in JSON", async () => {
  const email = `${crypto.randomUUID()}@example.com`;
  const made = await call(createCustomer, { customer: { email, first_name: "Ada", lastName: "Byron" } });
  expect(made).toMatchObject({ customer: { firstName: "Ada", lastName: "Byron" } });
});

test("an unknown field in binary is passed over", async () => {
  const known = toBinary(GetCustomerRequestSchema, create(GetCustomerRequestSchema, { id: "cus_absent" }));
  const answer = await fetch(clientele.httpUrl + pathOf(getCustomer), {
    method: "POST",
    headers: { "api-key": account.testKey, "content-type": "application/proto" },
    body: Buffer.concat([known, Buffer.from([0xfa, 0x3f, 1, 0x61])]),
  });
  expect(answer.status).toBe(404);
});

test.for([
  { name: "numbers", metadata: { a: Array.from({ length: maxValues }, () => 0) } },
  { name: "objects", metadata: { a: Array.from({ length: maxValues }, () => ({})) } },
])("more values than any call needs are refused before they are read: $name", async ({ metadata }) => {
  const bytes = Buffer.from(JSON.stringify({ customer: { metadata } }));
  const started = process.cpuUsage();
  expect(() => parseJson(createCustomer.input, bytes)).toThrow("more than");
  expect(process.cpuUsage(started).user).toBeLessThan(100_000);
});

test.for([
  { name: "an unknown field", message: '{"id":"x","naem":1}', at: "naem" },
  { name: "a number that a double would change", message: '{"id":"x","readMask":1e400}', at: "read_mask" },
])("$name is refused with its path over Connect GET too", async ({ message, at }) => {
  const url = `${clientele.httpUrl}${pathOf(getCustomer)}?${new URLSearchParams({ connect: "v1", encoding: "json", message })}`;
  const answer = await fetch(url, { headers: { "api-key": account.testKey } });
  const { details } = (await answer.json()) as { details: { debug?: { fieldViolations?: object[] } }[] };
  const violations = details.flatMap(({ debug }) => debug?.fieldViolations ?? []);
  expect({ status: answer.status, violations }).toMatchObject({ status: 400, violations: [{ field: at }] });
});

describe("what JSON would lose or change in silence is refused:", () => {
  test.for([
    { body: '{"customer":{"email":"a@example.com","email":"b@example.com"}}', field: "email", says: "is given twice" },
    { body: '{"customer":{"metadata":{"a":1,"b":{"a":2,"a":3}}}}', field: "a", says: "is given twice" },
    { body: '{"customer":{"metadata":{"n":1234567890123456,"n":1}}}', field: "n", says: "is given twice" },
    { body: '{"customer":{},"customer":{"name":"Ada"}}', field: "customer", says: "is given twice" },
  ])("$body", async ({ body, field, says }) => {
    const answer = await fetch(clientele.httpUrl + pathOf(createCustomer), {
      method: "POST",
      headers: { "api-key": account.testKey, "content-type": "application/json" },
      body,
    });
    const { code, details } = (await answer.json()) as { code: string; details: { debug?: object }[] };
    expect(code).toBe("invalid_argument");
    expect(details.map(({ debug }) => debug)).toContainEqual({ fieldViolations: [{ field, description: says }] });
  });

  test.for(["2027-02-30T00:00:00Z", "2027-01-01T24:00:00Z"])("the time %s", async (notBeforeTime) => {
    const request = { customer_id: "cus_absent", notBeforeTime };
    expect(await failureOf(call(PrivacyService.method.requestErasure, request))).toMatchObject({
      fields: { not_before_time: "is no time of the calendar" },
    });
  });

  test("the same key in other objects, and keys within texts, are none", async () => {
    const metadata = { a: { a: { a: '"a":1,"a":2' } }, b: [{ a: 1 }, { a: 2 }], "": 0, __proto: 1, 'q":': "x" };
    const { customer } = Object(await call(createCustomer, { customer: { email: "keys@example.com", metadata } }));
    expect(customer.metadata).toEqual(metadata);
  });
});
