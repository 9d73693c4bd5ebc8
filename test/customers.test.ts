import { afterAll, beforeAll, expect, test } from "vitest";
import { type Clientele, startClientele } from "./support/clientele.js";
import { failureOf } from "./support/errors.js";

let clientele: Clientele;
beforeAll(async () => {
  clientele = await startClientele();
});
afterAll(() => clientele.stop());

test("a customer is created and read back", async () => {
  const { test: clients } = await clientele.createAccount();
  const { customer } = await clients.customers.createCustomer({ customer: { email: "ada@example.com" } });
  expect(await clients.customers.getCustomer({ id: customer!.id })).toMatchObject({ customer: { email: "ada@example.com" } });
});

test("another tenant's customer is not found", async () => {
  const { test: own, live: foreign } = await clientele.createAccount();
  const { customer } = await own.customers.createCustomer({ customer: { email: "ada@example.com" } });
  expect(await failureOf(foreign.customers.getCustomer({ id: customer!.id }))).toMatchObject({
    reason: "RESOURCE_NOT_FOUND",
    message: "The customer could not be found, please check the id.",
  });
});
