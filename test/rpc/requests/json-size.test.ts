import type { JsonObject } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { type Clients, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  clients = (await clientele.createAccount()).test;
});

const keys = (count: number, value: JsonObject[string]) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));
const description = "must be at most 131072 characters of JSON";

test.for<{ name: string; metadata: JsonObject }>([
  { name: "very many keys", metadata: keys(9_000, "x".repeat(8)) },
  { name: "a long text", metadata: { text: "x".repeat(140_000) } },
  { name: "a long key", metadata: { ["x".repeat(140_000)]: 1 } },
  { name: "a long list", metadata: { list: Array.from({ length: 18_000 }, () => "four") } },
  { name: "many texts in the depth", metadata: { a: { b: keys(2_000, "x".repeat(80)) } } },
])("metadata of $name is refused at once", async ({ metadata }) => {
  const failure = await failureOf(clients.customers.createCustomer({ customer: { email: "a@example.com", metadata } }));
  expect(failure).toMatchObject({ reason: "FIELDS_INVALID", fields: { "customer.metadata": description } });
});

test("metadata as large as the settings may allow is kept, and all of it can be deleted at once", async () => {
  const settings = { metadataLimits: { maxBytes: 65_536 } };
  await clients.accounts.updateAccountSettings({ settings, updateMask: { paths: ["metadata_limits"] } });
  const metadata = keys(3_000, "x".repeat(10));
  const { customer } = await clients.customers.createCustomer({ customer: { email: "b@example.com", metadata } });
  expect(Object.keys(customer!.metadata!)).toHaveLength(3_000);
  const deleting = { id: customer!.id, metadata: keys(3_000, null) };
  const { customer: emptied } = await clients.customers.updateCustomer({ customer: deleting });
  expect(emptied!.metadata ?? {}).toEqual({});
});
