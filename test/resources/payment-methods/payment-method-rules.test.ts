import { randomUUID } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { PaymentMethodAttachment, PaymentMethodDetachment } from "../../../gen/clientele/v1/accounts_pb.js";
import { PaymentMethodService, PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";
import type { CardVault } from "../../../src/external/card-vault.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout, guest } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";
import { ways } from "../../support/ways.js";

const { CHARGEABLE, EXPIRED } = PaymentMethodState;
const { CONSUME, REMOVE } = PaymentMethodDetachment;
const start = new Date("2026-03-01T12:00:00Z");
let now = start;

// A token such as cct_sandbox_2028-02-x expires in that month, any other one in 2040.
const datedVault: CardVault = {
  async describe(token) {
    const [, year, month] = /_(\d{4})-(\d{2})-/.exec(token) ?? [];
    return { brand: "visa", last4: "4242", expMonth: Number(month ?? 12), expYear: Number(year ?? 2040) };
  },
};

let clients: Clients;
const clientele = useClientele({ clock: () => now, cardVault: datedVault }, { CLIENTELE_POOL_SIZE: "40" });
beforeEach(async () => {
  now = start;
  ({ test: clients } = await clientele.createAccount());
});

async function stateOf(customerId: string, id: string): Promise<PaymentMethodState[]> {
  const { paymentMethod } = await clients.paymentMethods.getPaymentMethod({ customerId, id });
  const { paymentMethods } = await clients.paymentMethods.listPaymentMethods({ customerId });
  return [paymentMethod!, ...paymentMethods].map(({ state }) => state);
}

async function detach(customerId: string, id: string): Promise<void> {
  await clients.paymentMethods.detachPaymentMethod({ customerId, id });
}

const months = [
  { month: "2027-01", end: "2027-02-01T00:00:00.000Z" },
  { month: "2027-02", end: "2027-03-01T00:00:00.000Z" },
  { month: "2028-02", end: "2028-03-01T00:00:00.000Z" },
  { month: "2027-04", end: "2027-05-01T00:00:00.000Z" },
  { month: "2027-12", end: "2028-01-01T00:00:00.000Z" },
];

test.for(months)("a card of $month can be charged until $end, and not from then on", async ({ month, end }) => {
  const { id: customerId } = await createCustomer(clients);
  const { id } = await attachPaymentMethod(clients, customerId, { id: newToken(`${month}-x`) });
  const { paymentMethodId: _, ...rest } = guest();
  now = new Date(Date.parse(end) - 1);
  expect(await stateOf(customerId, id)).toEqual([CHARGEABLE, CHARGEABLE]);
  const before = await createCheckout(clients, { customerId, ...rest });
  expect(before.paymentMethod).toMatchObject({ id, state: CHARGEABLE });
  now = new Date(end);
  expect(await stateOf(customerId, id)).toEqual([EXPIRED, EXPIRED]);
  expect((await createCheckout(clients, { customerId, ...rest })).paymentMethod).toBeUndefined();
  const order = clients.orders.createOrder({ checkoutId: before.id });
  expect(await failureOf(order)).toMatchObject({ reason: "PAYMENT_METHOD_NOT_CHARGEABLE" });
});

test("an expired card can be attached, made the default and detached, and stays expired", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id, state } = await attachPaymentMethod(clients, customerId, { id: newToken("2026-02-x") });
  expect(state).toBe(EXPIRED);
  const { paymentMethod } = await clients.paymentMethods.setDefaultPaymentMethod({ customerId, id });
  expect(paymentMethod).toMatchObject({ isDefault: true, state: EXPIRED });
  await detach(customerId, id);
  expect((await getCustomer(clients, customerId)).defaultPaymentMethodId).toBeUndefined();
});

test("under REMOVE a token comes back as if it were new, to the same customer too", async () => {
  await changeSettings(clients, { paymentMethodDetachment: REMOVE });
  const { id: customerId } = await createCustomer(clients);
  await attachPaymentMethod(clients, customerId);
  const first = await attachPaymentMethod(clients, customerId, { label: "Mine" });
  await clients.paymentMethods.setDefaultPaymentMethod({ customerId, id: first.id });
  await detach(customerId, first.id);
  now = new Date("2026-03-02T12:00:00Z");
  const again = await attachPaymentMethod(clients, customerId, { id: first.id });
  expect(again).toMatchObject({ id: first.id, isDefault: false, state: CHARGEABLE });
  expect(again.label).toBeUndefined();
  expect(again.createTime?.seconds).toBe(BigInt(now.getTime() / 1000));
});

test("a token stays consumed when the settings change afterwards, and for a UUID in any case of its letters", async () => {
  const [{ id: customerId }, other] = [await createCustomer(clients), await createCustomer(clients)];
  const id = randomUUID();
  await attachPaymentMethod(clients, customerId, { id: id.toUpperCase() });
  await detach(customerId, id);
  await changeSettings(clients, { paymentMethodDetachment: REMOVE });
  for (const owner of [customerId, other.id]) {
    for (const token of [id, id.toUpperCase()]) {
      const failure = await failureOf(attachPaymentMethod(clients, owner, { id: token }));
      expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "PAYMENT_METHOD_CONSUMED" });
    }
  }
});

test("a token whose customer is deleted softly stays that customer's", async () => {
  const [{ id: customerId }, other] = [await createCustomer(clients), await createCustomer(clients)];
  const { id } = await attachPaymentMethod(clients, customerId);
  await clients.customers.deleteCustomer({ id: customerId });
  const unavailable = { code: "FailedPrecondition", reason: "PAYMENT_METHOD_UNAVAILABLE" };
  expect(await failureOf(attachPaymentMethod(clients, other.id, { id }))).toMatchObject(unavailable);
  await clients.customers.undeleteCustomer({ id: customerId });
  expect(await stateOf(customerId, id)).toEqual([CHARGEABLE, CHARGEABLE]);
});

const claims: { name: string; claim: (customerId: string, id: string) => Promise<unknown> }[] = [
  { name: "attached", claim: (customerId, id) => attachPaymentMethod(clients, customerId, { id }) },
  {
    name: "made the default",
    claim: (customerId, id) => clients.paymentMethods.setDefaultPaymentMethod({ customerId, id }),
  },
  {
    name: "used in a checkout",
    claim: (customerId, id) => createCheckout(clients, { customerId, paymentMethodId: id }),
  },
];

test.for(claims)(
  "under REMOVE the card of a softly deleted customer can be $name by a new customer",
  async ({ claim }) => {
    await changeSettings(clients, { paymentMethodDetachment: REMOVE });
    const [{ id: former }, { id: customerId }] = [await createCustomer(clients), await createCustomer(clients)];
    const { id, card } = await attachPaymentMethod(clients, former, { label: "Mine" });
    const unavailable = { reason: "PAYMENT_METHOD_UNAVAILABLE" };
    expect(await failureOf(claim(customerId, id))).toMatchObject(unavailable);
    await clients.customers.deleteCustomer({ id: former });
    const { checkout: preview } = await clients.checkouts.previewCheckout({
      checkout: { url: "https://shop.example", customerId, paymentMethodId: id },
    });
    expect(preview!.paymentMethod).toMatchObject({ id, customerId, card });
    await claim(customerId, id);
    const { paymentMethods } = await clients.paymentMethods.listPaymentMethods({ customerId });
    expect(paymentMethods).toMatchObject([{ id, customerId, card, isDefault: true }]);
    expect(paymentMethods[0]!.label).toBeUndefined();
    await clients.customers.undeleteCustomer({ id: former });
    expect((await clients.paymentMethods.listPaymentMethods({ customerId: former })).paymentMethods).toEqual([]);
    expect((await getCustomer(clients, former)).defaultPaymentMethodId).toBeUndefined();
  },
);

test.for(ways.filter(({ name }) => name !== "buf curl, Connect"))(
  "under REMOVE a new customer gets the card of a deleted one: $name",
  async ({ open }) => {
    const account = await clientele.createAccount();
    await changeSettings(account.test, { paymentMethodDetachment: REMOVE });
    const [{ id: former }, { id: customerId }] = [
      await createCustomer(account.test),
      await createCustomer(account.test),
    ];
    const { id } = await attachPaymentMethod(account.test, former);
    const call = open(clientele, account.testKey);
    const { attachPaymentMethod: method } = PaymentMethodService.method;
    const attach = () => call(method, { customerId, paymentMethod: { id } });
    expect(await failureOf(attach())).toMatchObject({ reason: "PAYMENT_METHOD_UNAVAILABLE" });
    await account.test.customers.deleteCustomer({ id: former });
    expect(await attach()).toMatchObject({ paymentMethod: { id, customerId } });
    const events = await clientele
      .db("events")
      .where({ resource_id: id })
      .orderBy("position")
      .select("type", "customer_id");
    expect(events).toEqual([
      { type: "payment_method.attached", customer_id: former },
      { type: "payment_method.detached", customer_id: former },
      { type: "payment_method.attached", customer_id: customerId },
    ]);
  },
);

test.for([
  { name: "stays deleted", undeleted: false },
  { name: "is brought back meanwhile", undeleted: true },
])("of 50 customers that want the card of a deleted one that $name, one has it in the end", async ({ undeleted }) => {
  const account = await clientele.createAccount();
  clients = account.test;
  await changeSettings(clients, { paymentMethodDetachment: REMOVE });
  const owner = await createCustomer(clients);
  const { id } = await attachPaymentMethod(clients, owner.id);
  await clients.customers.deleteCustomer({ id: owner.id });
  const callers = createCallers(clientele, account.testKey);
  const customers = await Promise.all(callers.map((by) => createCustomer(by)));
  const { failures } = await allAtOnce(callers, async (by, index) => {
    if (undeleted && index === 10) return await by.customers.undeleteCustomer({ id: owner.id });
    return await attachPaymentMethod(by, customers[index]!.id, { id });
  });
  expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["PAYMENT_METHOD_UNAVAILABLE"]));
  const rows = await clientele.db("payment_methods").where({ id });
  expect(rows).toHaveLength(1);
  const wasTaken = rows[0].customer_id !== owner.id;
  if (!undeleted) expect(wasTaken).toBe(true);
  expect(failures).toHaveLength(callers.length - Number(undeleted) - Number(wasTaken));
  const types = await clientele.db("events").where({ resource_id: id }).orderBy("position").pluck("type");
  const taken = wasTaken ? ["payment_method.detached", "payment_method.attached"] : [];
  expect(types).toEqual(["payment_method.attached", ...taken]);
  const holder = await getCustomer(clients, rows[0].customer_id);
  expect(holder.defaultPaymentMethodId).toBe(id);
  if (wasTaken) expect((await getCustomer(clients, owner.id)).defaultPaymentMethodId).toBeUndefined();
});

test("under CONSUME the card of a deleted customer stays where it is", async () => {
  await changeSettings(clients, { paymentMethodDetachment: CONSUME });
  const [{ id: former }, { id: customerId }] = [await createCustomer(clients), await createCustomer(clients)];
  const { id } = await attachPaymentMethod(clients, former);
  await clients.customers.deleteCustomer({ id: former });
  for (const { claim } of claims) {
    expect(await failureOf(claim(customerId, id))).toMatchObject({ reason: "PAYMENT_METHOD_UNAVAILABLE" });
  }
});

test("the error of a token in use does not tell who has it", async () => {
  const [one, two, asking] = [
    await createCustomer(clients),
    await createCustomer(clients),
    await createCustomer(clients),
  ];
  const tokens = await Promise.all([one, two].map(({ id }) => attachPaymentMethod(clients, id, { label: "Private" })));
  const uses = [
    (id: string) => attachPaymentMethod(clients, asking.id, { id }),
    (id: string) => clients.paymentMethods.setDefaultPaymentMethod({ customerId: asking.id, id }),
    (id: string) => createCheckout(clients, { customerId: asking.id, paymentMethodId: id }),
    (id: string) => createCheckout(clients, { ...guest(), paymentMethodId: id }),
  ];
  for (const use of uses) {
    const [first, second] = [await failureOf(use(tokens[0]!.id)), await failureOf(use(tokens[1]!.id))];
    expect(first).toEqual(second);
    expect(first).toMatchObject({ code: "FailedPrecondition", reason: "PAYMENT_METHOD_UNAVAILABLE" });
    expect(JSON.stringify(first)).not.toMatch(/cus_|cct_|Private|Lovelace|@/);
  }
});

test("a token that a guest paid with belongs to no customer", async () => {
  const { paymentMethodId, ...rest } = guest();
  await createCheckout(clients, { ...rest, paymentMethodId });
  const { id: customerId } = await createCustomer(clients);
  expect(await attachPaymentMethod(clients, customerId, { id: paymentMethodId })).toMatchObject({ customerId });
});

test.for([
  { name: "CONSUME", detachment: CONSUME, most: 0 },
  { name: "REMOVE", detachment: REMOVE, most: 1 },
])("of 49 customers that want a token while it is detached under $name, $most get it at most", async (mode) => {
  const account = await clientele.createAccount();
  clients = account.test;
  await changeSettings(clients, { paymentMethodDetachment: mode.detachment });
  const owner = await createCustomer(clients);
  const { id } = await attachPaymentMethod(clients, owner.id);
  const callers = createCallers(clientele, account.testKey);
  const customers = await Promise.all(callers.map((by) => createCustomer(by)));
  const { failures } = await allAtOnce(callers, async (by, index) => {
    if (index === 10) return await by.paymentMethods.detachPaymentMethod({ customerId: owner.id, id });
    return await attachPaymentMethod(by, customers[index]!.id, { id });
  });
  // CONFLICT where the token was detached between the look at it and the attempt: worth another try.
  const reasons = ["PAYMENT_METHOD_UNAVAILABLE", "PAYMENT_METHOD_CONSUMED", "CONFLICT"];
  expect(failures.filter(({ reason }) => !reasons.includes(reason))).toEqual([]);
  const got = callers.length - 1 - failures.length;
  expect(got).toBeLessThanOrEqual(mode.most);
  expect(await clientele.db("payment_methods").where({ id }).whereNotNull("customer_id")).toHaveLength(got);
  const events = await clientele.db("events").where({ resource_id: id }).pluck("type");
  expect(events.sort()).toEqual([...Array(got + 1).fill("payment_method.attached"), "payment_method.detached"]);
});

test("a repeated attachment answers the payment method, unless it gives another label", async () => {
  const { id: customerId } = await createCustomer(clients);
  const attached = await attachPaymentMethod(clients, customerId, { label: "Mine" });
  const { id } = attached;
  for (const repeat of [{ id }, { id, label: " Mine " }]) {
    expect(await attachPaymentMethod(clients, customerId, repeat)).toEqual(attached);
  }
  const failure = await failureOf(attachPaymentMethod(clients, customerId, { id, label: "Another" }));
  expect(failure).toMatchObject({ code: "AlreadyExists", reason: "PAYMENT_METHOD_ATTACHED" });
  expect(await clientele.db("events").where({ resource_id: id })).toHaveLength(1);
});

test("where tokens are attached explicitly, neither a checkout, a preview nor an update takes another one", async () => {
  const own = clients;
  await changeSettings(own, { paymentMethodAttachment: PaymentMethodAttachment.EXPLICIT });
  const { id: customerId } = await createCustomer(own);
  const request = { url: "https://shop.example", customerId, paymentMethodId: newToken() };
  const { id } = await createCheckout(own, { customerId });
  const calls = [
    () => own.checkouts.createCheckout({ checkout: request }),
    () => own.checkouts.previewCheckout({ checkout: request }),
    () => own.checkouts.updateCheckout({ id, checkout: { paymentMethodId: newToken() } }),
  ];
  for (const call of calls) expect(await failureOf(call())).toMatchObject({ reason: "ATTACHMENT_EXPLICIT_ONLY" });
});
