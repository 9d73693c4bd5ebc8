import { describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

const clientele = useClientele();

const home = {
  name: "John Smith",
  line1: "10380 Bren Rd W",
  city: "Minnetonka",
  state: "MN",
  postalCode: "55129",
  country: "US",
};

describe("external references", () => {
  test("belong to one customer each", async () => {
    const { test: clients } = await clientele.createAccount();
    const externalReferences = [{ name: "stripe", id: "cus_NHLcuJNDnJDTnK" }];
    const first = await clients.customers.createCustomer({ customer: { email: "a@example.com", externalReferences } });
    expect(first.customer!.externalReferences).toMatchObject(externalReferences);
    const second = clients.customers.createCustomer({ customer: { email: "b@example.com", externalReferences } });
    expect(await failureOf(second)).toMatchObject({ reason: "EXTERNAL_REFERENCE_TAKEN" });
    const { customers } = await clients.customers.listCustomers({});
    expect(customers.map(({ email }) => email)).toEqual(["a@example.com"]);
  });

  test("are replaced by an update, and freed by a deletion", async () => {
    const { test: clients } = await clientele.createAccount();
    const reference = { name: "stripe", id: "cus_1" };
    const make = (email: string) =>
      clients.customers.createCustomer({ customer: { email, externalReferences: [reference] } });
    const { customer } = await make("a@example.com");
    const other = { id: customer!.id, externalReferences: [{ name: "adyen", id: "1" }] };
    await clients.customers.updateCustomer({ customer: other });
    const second = await make("b@example.com");
    await clients.customers.deleteCustomer({ id: second.customer!.id });
    await make("c@example.com");
    const undeleted = clients.customers.undeleteCustomer({ id: second.customer!.id });
    expect(await failureOf(undeleted)).toMatchObject({ reason: "EXTERNAL_REFERENCE_TAKEN" });
  });

  test("have unique names", async () => {
    const { test: clients } = await clientele.createAccount();
    const externalReferences = [1, 2].map((id) => ({ name: "stripe", id: String(id) }));
    const failure = await failureOf(
      clients.customers.createCustomer({ customer: { email: "a@example.com", externalReferences } }),
    );
    expect(failure.fields).toHaveProperty("customer.external_references");
  });
});

describe("shipping", () => {
  test("makes the default address when a customer is made", async () => {
    const { test: clients } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const { customer } = await clients.customers.createCustomer({ customer: { id: "5823594806", shipping: home } });
    expect(customer!.shipping).toMatchObject({ ...home, isDefault: true, id: customer!.defaultAddressId });
    const { addresses } = await clients.addresses.listAddresses({ customerId: customer!.id });
    expect(addresses).toMatchObject([home]);
    expect((await clients.customers.getCustomer({ id: customer!.id })).customer).toEqual(customer);
  });

  test("changes the default address, and keeps its id", async () => {
    const { test: clients } = await clientele.createAccount();
    const made = (await clients.customers.createCustomer({ customer: { email: "a@example.com", shipping: home } }))
      .customer!;
    const shipping = { ...home, city: "Edina" };
    const { customer } = await clients.customers.updateCustomer({ customer: { id: made.id, shipping } });
    expect(customer!.shipping).toMatchObject({ city: "Edina", id: made.defaultAddressId });
    expect((await clients.addresses.listAddresses({ customerId: made.id })).addresses).toHaveLength(1);
  });

  test("that is written back as it was read changes nothing", async () => {
    const { test: clients } = await clientele.createAccount();
    const made = (await clients.customers.createCustomer({ customer: { email: "a@example.com", shipping: home } }))
      .customer!;
    const { customer } = await clients.customers.updateCustomer({ customer: made });
    expect(customer).toEqual(made);
  });

  test("that is cleared leaves the address, but no default", async () => {
    const { test: clients } = await clientele.createAccount();
    const made = (await clients.customers.createCustomer({ customer: { email: "a@example.com", shipping: home } }))
      .customer!;
    const update = { customer: { id: made.id }, updateMask: { paths: ["shipping"] } };
    const { customer } = await clients.customers.updateCustomer(update);
    expect(customer!.shipping).toBeUndefined();
    expect((await clients.addresses.listAddresses({ customerId: made.id })).addresses).toMatchObject([
      { isDefault: false },
    ]);
  });

  test("keeps the rules of addresses", async () => {
    const { test: clients } = await clientele.createAccount();
    const shipping = { ...home, postalCode: "78701" };
    const failure = await failureOf(
      clients.customers.createCustomer({ customer: { email: "a@example.com", shipping } }),
    );
    expect(Object.keys(failure.fields)).toEqual(["customer.shipping.postal_code"]);
    expect((await clients.customers.listCustomers({})).customers).toEqual([]);
  });
});

test.for([
  { name: "a stale etag", shipping: { etag: "v0" } },
  { name: "another id", shipping: { id: "adr_other" } },
])("a default address with $name is aborted, and none is written", async ({ shipping }) => {
  const { test: clients } = await clientele.createAccount();
  const { customer } = await clients.customers.createCustomer({ customer: { email: "a@example.com", shipping: home } });
  const { id, shipping: before } = customer!;
  const write = (paths: string[]) =>
    clients.customers.updateCustomer({
      customer: { id, name: "Ada", shipping: { ...before!, ...shipping, city: "Edina" } },
      updateMask: { paths },
    });
  for (const paths of [[], ["*"], ["shipping"]]) {
    expect(await failureOf(write(paths))).toMatchObject({ code: "Aborted", reason: "ETAG_STALE" });
  }
  expect((await write(["name"])).customer).toMatchObject({ name: "Ada", shipping: { city: "Minnetonka" } });
});

test("a default address that was read is written back once: the second writer is aborted", async () => {
  const { test: clients } = await clientele.createAccount();
  const { customer } = await clients.customers.createCustomer({ customer: { email: "a@example.com", shipping: home } });
  const { id, shipping } = customer!;
  const write = (city: string) =>
    clients.customers.updateCustomer({ customer: { id, shipping: { ...shipping!, city } } });
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, index) => write(`City ${index}`)));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("whether a customer is tax exempt is written by the merchant, filtered by, and false at first", async () => {
  const { test: clients } = await clientele.createAccount();
  const { customer } = await clients.customers.createCustomer({ customer: { id: "ada", email: "a@example.com" } });
  expect(customer).toMatchObject({ taxExempt: false });
  const update = await clients.customers.updateCustomer({ customer: { id: "ada", taxExempt: true } });
  expect(update.customer).toMatchObject({ taxExempt: true });
  const exempt = async (value: boolean) =>
    (await clients.customers.listCustomers({ filter: `eq(tax_exempt,${value})` })).customers.map(({ id }) => id);
  expect([await exempt(true), await exempt(false)]).toEqual([["ada"], []]);
});

describe("undelete", () => {
  test("brings a softly deleted customer back as it was", async () => {
    const { test: clients } = await clientele.createAccount();
    const made = (await clients.customers.createCustomer({ customer: { email: "a@example.com", shipping: home } }))
      .customer!;
    await clients.customers.deleteCustomer({ id: made.id });
    const { customer } = await clients.customers.undeleteCustomer({ id: made.id });
    expect(customer).toEqual({ ...made, etag: customer!.etag, updateTime: customer!.updateTime });
  });

  test("is refused when the e-mail address is taken, and when nothing is deleted", async () => {
    const { test: clients } = await clientele.createAccount();
    const customer = { email: "a@example.com" };
    const made = (await clients.customers.createCustomer({ customer })).customer!;
    expect(await failureOf(clients.customers.undeleteCustomer({ id: made.id }))).toMatchObject({
      reason: "CUSTOMER_NOT_DELETED",
    });
    await clients.customers.deleteCustomer({ id: made.id });
    await clients.customers.createCustomer({ customer });
    expect(await failureOf(clients.customers.undeleteCustomer({ id: made.id }))).toMatchObject({
      reason: "EMAIL_TAKEN",
    });
  });
});

describe("the fields that a shopper writes", () => {
  const wrong = [
    { customer: { phone: "abc" }, field: "customer.phone" },
    { customer: { locale: "xx_US" }, field: "customer.locale" },
    { customer: { country: "Atlantis" }, field: "customer.country" },
    { customer: { email: "nobody" }, field: "customer.email" },
  ];
  test.for(wrong)("is refused when $field makes no sense", async ({ customer, field }) => {
    const { test: clients } = await clientele.createAccount();
    const failure = await failureOf(
      clients.customers.createCustomer({ customer: { email: "a@example.com", ...customer } }),
    );
    expect(Object.keys(failure.fields)).toEqual([field]);
  });

  test("is stored as its code or number", async () => {
    const { test: clients } = await clientele.createAccount();
    const given = { email: "a@example.com", country: "Costa Rica", phone: "8323-6988" };
    const { customer } = await clients.customers.createCustomer({ customer: given });
    expect(customer).toMatchObject({ country: "CR", countryName: "Costa Rica", phone: "+50683236988" });
  });
});
