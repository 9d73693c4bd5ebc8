import { create, toBinary } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CreateCustomerRequestSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { generousMs } from "../../support/time.js";

let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  clients = (await clientele.createAccount()).test;
});

describe("a request that is as wide as a message may be", () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => index);
  const wide = [
    {
      name: "distinct external references",
      customer: { externalReferences: many(40_000).map((id) => ({ name: `n${id}`, id: "1" })) },
    },
    {
      name: "equal external references",
      customer: { externalReferences: many(150_000).map(() => ({ name: "n", id: "1" })) },
    },
    { name: "numbers in the metadata", customer: { metadata: { a: many(300_000).map(() => 0) } } },
    {
      name: "keys in the metadata",
      customer: { metadata: Object.fromEntries(many(100_000).map((key) => [`k${key}`, 1])) },
    },
    { name: "letters in the country", customer: { country: "ﷺ".repeat(500_000) } },
  ];
  test.for(wide)("with $name is refused in a typed way, and soon", async ({ customer }) => {
    const started = performance.now();
    const call = clients.customers.createCustomer({ customer: { email: "wide@example.com", ...customer } });
    expect((await failureOf(call)).code).toMatch(/^(InvalidArgument|ResourceExhausted)$/);
    expect(performance.now() - started).toBeLessThan(2 * generousMs);
  });

  test("with the same path a thousand times costs what one does", async () => {
    const metadata = Object.fromEntries(many(40).map((key) => [`k${key}`, "x"]));
    const { customer } = await clients.customers.createCustomer({ customer: { email: "mask@example.com" } });
    const paths = many(1_000).map(() => "metadata");
    const update = { customer: { id: customer!.id, metadata }, updateMask: { paths } };
    expect((await clients.customers.updateCustomer(update)).customer!.metadata).toEqual(metadata);
    const tooMany = { ...update, updateMask: { paths: [...paths, "name"] } };
    expect((await failureOf(clients.customers.updateCustomer(tooMany))).fields).toHaveProperty("update_mask");
  });
});

test.for(["base64=1&message=!!!", "message=%FF%FE", "message=%7B"])(
  "a GET that cannot be read is malformed: %s",
  async (query) => {
    const path = "/clientele.v1.AccountService/GetAccount";
    const { testKey } = await clientele.createAccount();
    const headers = { "api-key": testKey };
    const answer = await fetch(`${clientele.httpUrl}${path}?connect=v1&encoding=json&${query}`, { headers });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("REQUEST_MALFORMED")]);
  },
);

test("a source is one in either case of its digits", async () => {
  const { test: own } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  for (const id of ["x", "y"]) await own.customers.createCustomer({ customer: { id } });
  const [lower, upper] = ["fd74a5c5-0163-469a-ae8e-031f0259b576", "FD74A5C5-0163-469A-AE8E-031F0259B576"];
  const attach = (customerId: string, id: string) =>
    own.paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id } });
  await attach("x", upper);
  expect((await own.paymentMethods.getPaymentMethod({ customerId: "x", id: upper })).paymentMethod!.id).toBe(lower);
  expect(await failureOf(attach("y", lower))).toMatchObject({ reason: "PAYMENT_METHOD_UNAVAILABLE" });
  await own.paymentMethods.detachPaymentMethod({ customerId: "x", id: upper });
  expect(await failureOf(attach("x", "Fd74a5c5-0163-469a-ae8e-031f0259b576"))).toMatchObject({
    reason: "PAYMENT_METHOD_CONSUMED",
  });
});

test.for([
  { query: "민", found: ["김민수"] },
  { query: "민수", found: ["김민수"] },
  { query: "ギグ", found: ["ガギグ"] },
  { query: "ギ", found: ["ガギグ"] },
])("a search finds $query inside of a name", async ({ query, found }) => {
  const { test: own } = await clientele.createAccount();
  for (const [index, name] of ["김민수", "ガギグ"].entries()) {
    await own.customers.createCustomer({ customer: { email: `${index}@example.com`, name } });
  }
  expect((await own.customers.searchCustomers({ query })).customers.map(({ name }) => name)).toEqual(found);
});

test("a search for accents alone is a search for nothing", async () => {
  expect(await failureOf(clients.customers.searchCustomers({ query: "\u0301\u0301" }))).toMatchObject({
    message: "The search query cannot be empty.",
  });
});

test("get-or-create says what is taken when no retry can help", async () => {
  const reference = { name: "stripe", id: "cus_1" };
  await clients.customers.createCustomer({ customer: { email: "one@example.com", externalReferences: [reference] } });
  const call = clients.customers.getOrCreateCustomer({
    customer: { email: "two@example.com", externalReferences: [reference] },
  });
  expect(await failureOf(call)).toMatchObject({ reason: "EXTERNAL_REFERENCE_TAKEN", retryable: false });
});

test("a protobuf that is nested too deeply is as wrong in terms of HTTP as it is in those of Connect", async () => {
  const { testKey } = await clientele.createAccount();
  const metadata = JSON.parse(`{"a":${"[".repeat(200)}${"]".repeat(200)}}`);
  const answer = await fetch(`${clientele.httpUrl}/clientele.v1.CustomerService/CreateCustomer`, {
    method: "POST",
    headers: { "api-key": testKey, "content-type": "application/proto" },
    body: toBinary(CreateCustomerRequestSchema, create(CreateCustomerRequestSchema, { customer: { metadata } })),
  });
  expect([answer.status, await answer.json()]).toMatchObject([400, { code: "invalid_argument" }]);
});
