import { beforeAll, expect, test } from "vitest";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { clientsWith, signInById } from "../../support/shoppers.js";

let merchant: Clients;
const clientele = useClientele();
beforeAll(async () => {
  merchant = (await clientele.createAccount()).test;
});

async function newShopper() {
  const { id } = await createCustomer(merchant, {
    name: "Ada",
    metadata: { tier: "gold" },
    externalReferences: [{ name: "stripe", id: newEmail() }],
  });
  const { secret } = await signInById(merchant, id);
  return { id, shopper: clientsWith(clientele, secret) };
}

test("a shopper may send back what GetCustomer returned, with a change of its own", async () => {
  const { id, shopper } = await newShopper();
  const { customer: read } = await shopper.customers.getCustomer({ id: "me" });
  const { customer } = await shopper.customers.updateCustomer({ customer: { ...read!, name: "Ada L." } });
  expect(customer).toMatchObject({ id, name: "Ada L.", metadata: { tier: "gold" }, enabled: true });
  const updateMask = { paths: ["name", "metadata", "enabled", "external_references", "create_time", "has_password"] };
  const again = await shopper.customers.updateCustomer({ customer: { ...customer!, name: "Ada" }, updateMask });
  expect(again.customer).toMatchObject({ name: "Ada", metadata: { tier: "gold" } });
});

test("a shopper that changes what the merchant writes is refused, with the paths", async () => {
  const { id, shopper } = await newShopper();
  const { customer: read } = await shopper.customers.getCustomer({ id });
  const change = { ...read!, enabled: false, metadata: { tier: "platinum" } };
  const failure = await failureOf(shopper.customers.updateCustomer({ customer: change }));
  expect(failure).toMatchObject({ code: "PermissionDenied", reason: "FIELDS_NOT_PERMITTED" });
  expect(Object.keys(failure.fields).sort()).toEqual(["customer.enabled", "customer.metadata"]);
});

test("a merchant may name output-only fields that stay as they are, and no changed one", async () => {
  const { id } = await newShopper();
  const { customer: read } = await merchant.customers.getCustomer({ id });
  const updateMask = { paths: ["name", "live_mode", "create_time", "etag"] };
  const { customer } = await merchant.customers.updateCustomer({ customer: { ...read!, name: "Bea" }, updateMask });
  expect(customer).toMatchObject({ name: "Bea" });
  const change = { ...customer!, liveMode: true };
  expect(await failureOf(merchant.customers.updateCustomer({ customer: change, updateMask }))).toMatchObject({
    reason: "FIELDS_INVALID",
    fields: { update_mask: "live_mode is not a path that can be updated" },
  });
});
