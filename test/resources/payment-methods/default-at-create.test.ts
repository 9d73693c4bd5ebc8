import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { PaymentMethodAttachment, PaymentMethodDetachment } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import type { Card, CardVault } from "../../../src/external/card-vault.js";
import { unavailable } from "../../../src/rpc/errors.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { changeSettings } from "../../support/settings.js";
import { clientsWith, newPublishableKey } from "../../support/shoppers.js";
import { ways } from "../../support/ways.js";

const card: Card = { brand: "visa", last4: "4242", expMonth: 12, expYear: 2040 };
let asked: string[] = [];
const vault: CardVault = {
  async describe(token) {
    asked.push(token);
    if (token.includes("down")) throw unavailable();
    if (token.includes("unknown")) return undefined;
    return token.includes("declined") ? "declined" : card;
  },
};

let clients: Clients;
let testKey: string;
let publishableKey: string;
const clientele = useClientele({ cardVault: vault });
beforeAll(async () => {
  ({ test: clients, testKey } = await clientele.createAccount());
  publishableKey = await newPublishableKey(clients);
});

test.for(ways.filter(({ name }) => name !== "buf curl, Connect"))(
  "the default payment method of a new customer is attached to it: $name",
  async ({ open }) => {
    const call = open(clientele, testKey);
    const id = newToken();
    const { createCustomer: method } = CustomerService.method;
    const answer = await call(method, { customer: { email: newEmail(), defaultPaymentMethodId: ` ${id} ` } });
    expect(answer).toMatchObject({ customer: { defaultPaymentMethodId: id } });
    const { id: customerId } = Reflect.get(Object(answer), "customer");
    const { paymentMethods } = await clients.paymentMethods.listPaymentMethods({ customerId });
    expect(paymentMethods).toMatchObject([{ id, customerId, isDefault: true, card }]);
    const { createTime, updateTime, etag, ...created } = await getCustomer(clients, customerId);
    expect([createTime, etag]).toEqual([updateTime, expect.any(String)]);
    expect(created.defaultPaymentMethodId).toBe(id);
    const events = await clientele.db("events").where({ customer_id: customerId }).orderBy("position").pluck("type");
    expect(events).toEqual(["customer.created", "payment_method.attached"]);
  },
);

test.for(Object.entries(PaymentMethodAttachment).filter(([, value]) => typeof value === "number" && value > 0))(
  "a new customer may name its default payment method where tokens are attached by %s",
  async ([, attachment]) => {
    const { test: own } = await clientele.createAccount();
    await changeSettings(own, { paymentMethodAttachment: attachment as PaymentMethodAttachment });
    const id = randomUUID();
    const { defaultPaymentMethodId } = await createCustomer(own, { defaultPaymentMethodId: id.toUpperCase() });
    expect(defaultPaymentMethodId).toBe(id);
  },
);

const unusable = [
  { name: "unknown", token: () => newToken("unknown"), want: { code: "NotFound", reason: "RESOURCE_NOT_FOUND" } },
  { name: "declined", token: () => newToken("declined"), want: { reason: "CARD_DECLINED" } },
  {
    name: "another customer's",
    token: async () => (await attachPaymentMethod(clients, (await createCustomer(clients)).id)).id,
    want: { reason: "PAYMENT_METHOD_UNAVAILABLE" },
  },
  {
    name: "consumed",
    token: async () => {
      const { id: customerId } = await createCustomer(clients);
      const { id } = await attachPaymentMethod(clients, customerId);
      await clients.paymentMethods.detachPaymentMethod({ customerId, id });
      return id;
    },
    want: { reason: "PAYMENT_METHOD_CONSUMED" },
  },
  { name: "one that the vault gives no answer for", token: () => newToken("down"), want: { code: "Unavailable" } },
];

test.for(unusable)("a token that is $name makes no customer, whichever call names it", async ({ token, want }) => {
  const defaultPaymentMethodId = await token();
  const { id: customerId } = await createCustomer(clients);
  const email = newEmail();
  const customer = { email, defaultPaymentMethodId };
  const failures = await Promise.all(
    [
      clients.customers.createCustomer({ customer }),
      clients.customers.getOrCreateCustomer({ customer }),
      attachPaymentMethod(clients, customerId, { id: defaultPaymentMethodId }),
      clients.checkouts.createCheckout({
        checkout: { url: "https://shop.example", customerId, paymentMethodId: defaultPaymentMethodId },
      }),
    ].map(failureOf),
  );
  const [{ code, reason }] = failures as [(typeof failures)[number]];
  expect({ code, reason }).toMatchObject(want);
  expect(failures.map((failure) => [failure.code, failure.reason])).toEqual(failures.map(() => [code, reason]));
  const { customers } = await clients.customers.listCustomers({ filter: `eq(email,${email})` });
  expect(customers).toEqual([]);
});

test("the vault is asked for a customer that is made, not for one that exists", async () => {
  const email = newEmail();
  const customer = { email, defaultPaymentMethodId: newToken() };
  const first = await clients.customers.getOrCreateCustomer({ customer });
  expect(first).toMatchObject({ created: true, customer });
  asked = [];
  const again = await clients.customers.getOrCreateCustomer({
    customer: { email, defaultPaymentMethodId: newToken("down") },
  });
  expect(again).toMatchObject({ created: false, customer });
  expect(asked).toEqual([]);
});

test("under REMOVE a new customer names the card of a deleted one", async () => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { paymentMethodDetachment: PaymentMethodDetachment.REMOVE });
  const defaultPaymentMethodId = newToken();
  const { id } = await createCustomer(own, { defaultPaymentMethodId });
  await own.customers.deleteCustomer({ id });
  expect(await createCustomer(own, { defaultPaymentMethodId })).toMatchObject({ defaultPaymentMethodId });
  expect((await getCustomer(own, id)).defaultPaymentMethodId).toBeUndefined();
});

test("an update names a payment method by a UUID in any case of its letters", async () => {
  const id = randomUUID();
  const { id: customerId } = await createCustomer(clients, { defaultPaymentMethodId: newToken() });
  await attachPaymentMethod(clients, customerId, { id });
  for (const defaultPaymentMethodId of [id.toUpperCase(), ` ${id.toUpperCase()} `, id]) {
    const { customer } = await clients.customers.updateCustomer({
      customer: { id: customerId, defaultPaymentMethodId },
    });
    expect(customer!.defaultPaymentMethodId).toBe(id);
  }
  const updates = clientele.db("events").where({ customer_id: customerId, type: "customer.updated" });
  expect(await updates.pluck("changed_paths")).toEqual([["default_payment_method_id"]]);
});

test("of 50 new customers that name one payment method one gets it, and the others are not made", async () => {
  const { test: own, testKey: ownKey } = await clientele.createAccount();
  const id = randomUUID();
  const callers = createCallers(clientele, ownKey);
  const { answers, failures } = await allAtOnce(callers, ({ customers }, index) => {
    const defaultPaymentMethodId = index % 2 === 0 ? id : id.toUpperCase();
    return customers.createCustomer({ customer: { email: newEmail(), defaultPaymentMethodId } });
  });
  expect(answers.map(({ customer }) => customer!.defaultPaymentMethodId)).toEqual([id]);
  expect(failures.map(({ code, reason }) => ({ code, reason }))).toEqual(
    Array(49).fill({ code: "FailedPrecondition", reason: "PAYMENT_METHOD_UNAVAILABLE" }),
  );
  const { customers } = await own.customers.listCustomers({ pageSize: 100, showDeleted: true });
  expect(customers.map((customer) => customer.id)).toEqual([answers[0]!.customer!.id]);
  const { paymentMethods } = await own.paymentMethods.listPaymentMethods({ customerId: customers[0]!.id });
  expect(paymentMethods).toMatchObject([{ id, isDefault: true }]);
});

test("a sign-up with a publishable key names no payment method", async () => {
  const page = clientsWith(clientele, publishableKey);
  const customer = { email: newEmail(), defaultPaymentMethodId: newToken() };
  const failure = await failureOf(page.customers.createCustomer({ customer }));
  expect(failure).toMatchObject({ code: "PermissionDenied" });
});
