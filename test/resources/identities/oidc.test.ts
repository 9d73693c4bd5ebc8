import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerTokenMethod } from "../../../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { failureOf } from "../../support/errors.js";
import { customersOf, type Mall, openMall } from "../../support/shop.js";
import { overFetch } from "../../support/ways.js";

let mall: Mall;
beforeAll(async () => {
  mall = await openMall();
});
afterAll(async () => await mall[Symbol.asyncDispose]());

test("the first sign-in makes a customer of the provider's claims, and later ones return it", async () => {
  const shop = await mall.newShop();
  const ada = mall.person({
    given_name: "Ada",
    family_name: "Lovelace",
    locale: "en-GB",
    phone_number: "+50683236988",
    phone_number_verified: true,
  });
  const { customerToken, secret } = await mall.signIn(shop, ada);
  expect(customerToken).toMatchObject({ method: CustomerTokenMethod.IDENTITY_PROVIDER });
  const [customer, ...others] = await customersOf(shop.account);
  expect(others).toEqual([]);
  expect(customer).toMatchObject({
    id: customerToken!.customerId,
    email: `${ada}@example.com`,
    name: `Name of ${ada}`,
    firstName: "Ada",
    lastName: "Lovelace",
    locale: "en_GB",
    phone: "+50683236988",
    hasPassword: false,
  });
  const own = await overFetch(mall.clientele.httpUrl, "")(
    CustomerService.method.getCustomer,
    { id: customer!.id },
    { authorization: `Bearer ${secret}` },
  );
  expect(own).toMatchObject({ customer: { id: customer!.id } });

  mall.provider.people.set(ada, { email: "moved@example.com", email_verified: true });
  expect((await mall.signIn(shop, ada)).customerToken!.customerId).toBe(customer!.id);
  expect((await customersOf(shop.account))[0]!.email).toBe(`${ada}@example.com`);
});

test("each new customer, identity and token leaves one event", async () => {
  const shop = await mall.newShop();
  await mall.signIn(shop, mall.person());
  const events = await mall.clientele
    .db("events")
    .where("create_time", ">", new Date(Date.now() - 60_000))
    .orderBy("position");
  const { customerId } = (
    await shop.account.test.customerTokens.listCustomerTokens({ customerId: (await customersOf(shop.account))[0]!.id })
  ).customerTokens[0]!;
  const types = events.filter((event) => event.customer_id === customerId).map(({ type }) => type);
  expect(types).toEqual(["customer.created", "customer_identity.created", "customer_token.created"]);
});

describe("an existing customer", () => {
  test("with the verified address and without a way to sign in becomes the identity's own", async () => {
    const shop = await mall.newShop();
    const bea = mall.person({ email: "Bea@Example.com" });
    const { customer } = await shop.account.test.customers.createCustomer({ customer: { email: " bea@example.COM " } });
    for (let turn = 0; turn < 2; turn++)
      expect((await mall.signIn(shop, bea)).customerToken!.customerId).toBe(customer!.id);
    expect(await customersOf(shop.account)).toHaveLength(1);
  });

  test("is not given to a person with only the address of a customer with a password", async () => {
    const shop = await mall.newShop();
    await shop.account.test.customers.createCustomer({
      customer: { email: "owned@example.com", password: "correct horse" },
    });
    const failure = await failureOf(mall.signIn(shop, mall.person({ email: "owned@example.com" })));
    expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "IDENTITY_NOT_LINKED" });
  });

  test("is not given to a person with only the address of a customer with a password, where addresses are shared", async () => {
    const shop = await mall.newShop(SettingsPreset.ELASTIC_PATH);
    const shared = { email: "owned@example.com", name: "Shared" };
    const { customers } = shop.account.test;
    for (let other = 0; other < 2; other++) await customers.createCustomer({ customer: shared });
    await customers.createCustomer({ customer: { ...shared, password: "correct horse" } });
    const failure = await failureOf(mall.signIn(shop, mall.person(shared)));
    expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "IDENTITY_NOT_LINKED" });
    expect(await customersOf(shop.account)).toHaveLength(3);
  });

  test("is not given to a second identity with the same address", async () => {
    const shop = await mall.newShop();
    await mall.signIn(shop, mall.person({ email: "twice@example.com" }));
    expect(await failureOf(mall.signIn(shop, mall.person({ email: "twice@example.com" })))).toMatchObject({
      reason: "IDENTITY_NOT_LINKED",
    });
  });

  test("is not found by an address that nobody has verified", async () => {
    const shop = await mall.newShop();
    await shop.account.test.customers.createCustomer({ customer: { email: "claimed@example.com" } });
    for (const verified of [false, "true", undefined]) {
      const failure = await failureOf(
        mall.signIn(shop, mall.person({ email: "claimed@example.com", email_verified: verified })),
      );
      expect(failure).toMatchObject({
        reason: "IDENTITY_INCOMPLETE",
        message: expect.stringContaining("email: This field is required."),
      });
    }
  });

  test("is not found by another address that Postgres takes for the same in lower case", async () => {
    const shop = await mall.newShop();
    await shop.account.test.customers.createCustomer({ customer: { email: "victim@example.com" } });
    const failure = await failureOf(mall.signIn(shop, mall.person({ email: "v\u0130ctim@example.com" })));
    expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "IDENTITY_NOT_LINKED" });
  });

  test("is not chosen among several who share the address", async () => {
    const shop = await mall.newShop(SettingsPreset.ELASTIC_PATH);
    const shared = { email: "shared@example.com", name: "Shared" };
    const present = await Promise.all(
      [1, 2].map(() => shop.account.test.customers.createCustomer({ customer: shared })),
    );
    const { customerToken } = await mall.signIn(shop, mall.person(shared));
    expect(present.map(({ customer }) => customer!.id)).not.toContain(customerToken!.customerId);
    expect(await customersOf(shop.account)).toHaveLength(3);
  });

  test("is needed where the provider is for present customers only", async () => {
    const shop = await mall.newShop(SettingsPreset.OPEN, { existingCustomersOnly: true });
    const known = mall.person();
    expect(await failureOf(mall.signIn(shop, known))).toMatchObject({
      code: "FailedPrecondition",
      reason: "IDENTITY_UNKNOWN",
    });
    const { customer } = await shop.account.test.customers.createCustomer({
      customer: { email: `${known}@example.com` },
    });
    expect((await mall.signIn(shop, known)).customerToken!.customerId).toBe(customer!.id);
  });
});

test("where no field is required, an identity without an address makes a customer", async () => {
  const shop = await mall.newShop(SettingsPreset.DIGITAL_RIVER);
  const nobody = mall.person({
    email: undefined,
    name: "x".repeat(300),
    given_name: 7,
    family_name: "\u0000",
    locale: "klingon",
  });
  const { customerToken } = await mall.signIn(shop, nobody);
  const { customer } = await shop.account.test.customers.getCustomer({ id: customerToken!.customerId });
  for (const field of ["email", "name", "firstName", "lastName", "locale"] as const)
    expect(customer![field]).toBeUndefined();
});

describe("a customer who is deleted", () => {
  test("leaves no identity when it is deleted for good, and comes back as another", async () => {
    const shop = await mall.newShop(SettingsPreset.ELASTIC_PATH);
    const gone = mall.person();
    const { customerToken } = await mall.signIn(shop, gone);
    await shop.account.test.customers.deleteCustomer({ id: customerToken!.customerId });
    expect(await mall.clientele.db("customer_identities").where({ subject: gone })).toEqual([]);
    expect((await mall.signIn(shop, gone)).customerToken!.customerId).not.toBe(customerToken!.customerId);
  });

  test("comes back as another when it is deleted softly", async () => {
    const shop = await mall.newShop();
    const gone = mall.person();
    const { customerToken } = await mall.signIn(shop, gone);
    await shop.account.test.customers.deleteCustomer({ id: customerToken!.customerId });
    const { customerToken: anew } = await mall.signIn(shop, gone);
    expect(anew!.customerId).not.toBe(customerToken!.customerId);
    expect((await mall.signIn(shop, gone)).customerToken!.customerId).toBe(anew!.customerId);
  });
});

test("an identity is one tenant's: the same person is another customer elsewhere", async () => {
  const [here, there] = [await mall.newShop(), await mall.newShop()];
  const both = mall.person();
  const [one, other] = [await mall.signIn(here, both), await mall.signIn(there, both)];
  expect(one.customerToken!.customerId).not.toBe(other.customerToken!.customerId);
});
