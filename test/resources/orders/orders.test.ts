import { beforeAll, expect, test } from "vitest";
import { DeletionMode, PaymentMethodDetachment, SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Checkout, CheckoutState } from "../../../gen/clientele/v1/checkouts_pb.js";
import type { Order } from "../../../gen/clientele/v1/orders_pb.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout, createOrder, guest } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});

async function order(by: Clients, { id: checkoutId }: Checkout): Promise<Order> {
  const { order } = await by.orders.createOrder({ checkoutId });
  return order!;
}

async function getCheckout(by: Clients, id: string): Promise<Checkout> {
  const { checkout } = await by.checkouts.getCheckout({ id });
  return checkout!;
}

/** A customer with all that an order needs. */
async function createBuyer(by: Clients): Promise<string> {
  const { id } = await createCustomer(by);
  await createAddress(by, id);
  await attachPaymentMethod(by, id);
  return id;
}

test("an order holds what its checkout holds, and completes it", async () => {
  const customerId = await createBuyer(clients);
  const checkout = await createCheckout(clients, { customerId, locale: "en_US" });
  now = new Date(start.getTime() + 1000);
  const placed = await order(clients, checkout);
  const { url, displayName, contact, shipping, paymentMethod, locale, customerType } = checkout;
  const copied = { customerId, url, displayName, contact, shipping, paymentMethod, locale, customerType };
  expect(placed).toMatchObject({
    checkoutId: checkout.id,
    ...copied,
    createTime: { seconds: BigInt(now.getTime() / 1000) },
  });
  expect(placed.id).toMatch(/^ord_[0-9a-z]{26}$/);
  expect(await clients.orders.getOrder({ id: placed.id })).toMatchObject({ order: placed });
  const completed = await getCheckout(clients, checkout.id);
  expect(completed).toMatchObject({ state: CheckoutState.COMPLETED, updateTime: placed.createTime, contact, shipping });
  expect(completed.etag).not.toBe(checkout.etag);
  now = start;
});

test("whether the customer is tax exempt is copied with the checkout, and stays so", async () => {
  const customerId = await createBuyer(clients);
  await clients.customers.updateCustomer({ customer: { id: customerId, taxExempt: true } });
  const checkout = await createCheckout(clients, { customerId });
  expect(checkout).toMatchObject({ taxExempt: true });
  await clients.customers.updateCustomer({ customer: { id: customerId, taxExempt: false } });
  expect(await order(clients, checkout)).toMatchObject({ taxExempt: true });
  expect(await createCheckout(clients, guest())).toMatchObject({ taxExempt: false });
});

test("a checkout has one order", async () => {
  const checkout = await createCheckout(clients, guest());
  const placed = await order(clients, checkout);
  const completed = await getCheckout(clients, checkout.id);
  expect(await failureOf(order(clients, checkout))).toMatchObject({
    code: "FailedPrecondition",
    reason: "CHECKOUT_NOT_PENDING",
  });
  expect(await getCheckout(clients, checkout.id)).toEqual(completed);
  const { orders } = await clients.orders.listOrders({ pageSize: 100 });
  expect(orders.filter(({ checkoutId }) => checkoutId === checkout.id)).toEqual([placed]);
});

test("a guest's order belongs to nobody", async () => {
  const { test: own } = await clientele.createAccount();
  const placed = await createOrder(own);
  expect(placed).toMatchObject({ customerId: "", displayName: "guest@example.com" });
  expect((await own.orders.listOrders({})).orders).toEqual([placed]);
});

test("the database links no guest's checkout or order to a customer", async () => {
  const { test: own } = await clientele.createAccount();
  const { id: customerId } = await createCustomer(own);
  // The address is the customer's, and yet the guest is nobody.
  const { email } = (await own.customers.getCustomer({ id: customerId })).customer!;
  const asked = { ...guest(), contact: { email: email! } };
  const placed = await order(own, await createCheckout(own, asked));
  const stored = async (table: string) => {
    return await clientele.db(table).where({ id: table === "orders" ? placed.id : placed.checkoutId });
  };
  for (const table of ["orders", "checkouts"]) expect(await stored(table)).toMatchObject([{ customer_id: null }]);
  expect((await own.orders.listOrders({ customerId })).orders).toEqual([]);
  const linked = clientele.db("orders").where({ id: placed.id }).update({ customer_id: customerId });
  await expect(linked).rejects.toMatchObject({ constraint: "orders_owner_fkey" });
});

test("a disabled customer can start a purchase, and complete it once enabled", async () => {
  const customerId = await createBuyer(clients);
  await clients.customers.updateCustomer({ customer: { id: customerId, enabled: false } });
  const checkout = await createCheckout(clients, { customerId });
  expect(checkout).toMatchObject({ state: CheckoutState.PENDING, customerId });
  expect(await failureOf(order(clients, checkout))).toMatchObject({
    code: "FailedPrecondition",
    reason: "CUSTOMER_DISABLED",
  });
  expect(await getCheckout(clients, checkout.id)).toEqual(checkout);
  await clients.customers.updateCustomer({ customer: { id: customerId, enabled: true } });
  expect(await order(clients, checkout)).toMatchObject({ checkoutId: checkout.id });
});

test("a softly deleted customer's checkout cannot be completed", async () => {
  const customerId = await createBuyer(clients);
  const checkout = await createCheckout(clients, { customerId });
  await clients.customers.deleteCustomer({ id: customerId });
  expect(await failureOf(order(clients, checkout))).toMatchObject({ reason: "CUSTOMER_DELETED" });
});

test("an order of a checkout that the buyer has not seen in its present state is refused", async () => {
  const { id: checkoutId, etag: checkoutEtag } = await createCheckout(clients, guest());
  const { checkout } = await clients.checkouts.updateCheckout({ id: checkoutId, checkout: { locale: "en_US" } });
  const stale = clients.orders.createOrder({ checkoutId, checkoutEtag });
  expect(await failureOf(stale)).toMatchObject({ code: "Aborted", reason: "ETAG_STALE" });
  const { order } = await clients.orders.createOrder({ checkoutId, checkoutEtag: checkout!.etag });
  expect(order).toMatchObject({ checkoutId, locale: "en_US" });
});

test("there is no order without a shipping address", async () => {
  const { id: customerId } = await createCustomer(clients);
  await attachPaymentMethod(clients, customerId);
  const failure = await failureOf(order(clients, await createCheckout(clients, { customerId })));
  expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "SHIPPING_MISSING" });
});

test("a shipping address without a place is refused, and never makes an order possible", async () => {
  const { test: own } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
  const { id: customerId } = await createCustomer(own);
  for (const shipping of [{}, { name: "Ada Lovelace" }]) {
    for (const buyer of [
      { ...guest(), shipping },
      { customerId, shipping },
    ]) {
      const { code, fields } = await failureOf(createCheckout(own, buyer));
      expect([code, ...Object.keys(fields)]).toEqual(["InvalidArgument", "checkout.shipping"]);
    }
  }
  // As stored before the rule.
  const { id } = await createAddress(own, customerId);
  await own.addresses.setDefaultAddress({ customerId, id });
  const nowhere = { line1: null, city: null, state: null, postal_code: null, country: null };
  await clientele.db("addresses").where({ id }).update(nowhere);
  await own.paymentMethods.setDefaultPaymentMethod({ customerId, id: newToken() });
  for (const input of [{ customerId }, { customerId, addressId: id }]) {
    const checkout = await createCheckout(own, input);
    expect(await failureOf(order(own, checkout))).toMatchObject({ reason: "SHIPPING_MISSING" });
  }
});

const unchargeable: { name: string; prepare: (customerId: string) => Promise<Checkout> }[] = [
  {
    name: "there is none",
    prepare: (customerId) => createCheckout(clients, { customerId }),
  },
  {
    name: "the one given is expired",
    prepare: (customerId) => createCheckout(clients, { customerId, paymentMethodId: newToken("expired") }),
  },
  {
    name: "a guest's is expired",
    prepare: () => createCheckout(clients, { ...guest(), paymentMethodId: newToken("expired") }),
  },
  {
    name: "it was detached and consumed since",
    async prepare(customerId) {
      const { id } = await attachPaymentMethod(clients, customerId);
      const checkout = await createCheckout(clients, { customerId });
      await clients.paymentMethods.detachPaymentMethod({ customerId, id });
      return checkout;
    },
  },
];

test.for(unchargeable)("there is no order without a chargeable payment method: $name", async ({ prepare }) => {
  const { id: customerId } = await createCustomer(clients);
  await createAddress(clients, customerId);
  const checkout = await prepare(customerId);
  const failure = await failureOf(order(clients, checkout));
  expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "PAYMENT_METHOD_NOT_CHARGEABLE" });
  expect(await getCheckout(clients, checkout.id)).toEqual(checkout);
});

test("a card that expires between checkout and order is not charged", async () => {
  const request = guest();
  const { expYear, expMonth } = (await createCheckout(clients, request)).paymentMethod!.card!;
  const end = Date.UTC(expYear, expMonth);
  now = new Date(end - 1);
  const checkout = await createCheckout(clients, request);
  now = new Date(end);
  const failure = await failureOf(order(clients, checkout));
  now = new Date(end - 1);
  expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "PAYMENT_METHOD_NOT_CHARGEABLE" });
  expect(await order(clients, checkout)).toMatchObject({ checkoutId: checkout.id });
  now = start;
});

test("a removed card that another customer has attached is not charged", async () => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { paymentMethodDetachment: PaymentMethodDetachment.REMOVE });
  const [customerId, other] = [await createBuyer(own), await createCustomer(own)];
  const checkout = await createCheckout(own, { customerId });
  const { id } = checkout.paymentMethod!;
  await own.paymentMethods.detachPaymentMethod({ customerId, id });
  await attachPaymentMethod(own, other.id, { id });
  expect(await failureOf(order(own, checkout))).toMatchObject({ reason: "PAYMENT_METHOD_NOT_CHARGEABLE" });
});

test.for([DeletionMode.SOFT, DeletionMode.PERMANENT])("orders outlive their customer (deletion: %i)", async (mode) => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { deletion: { mode } });
  const customerId = await createBuyer(own);
  const placed = await order(own, await createCheckout(own, { customerId }));
  await own.customers.updateCustomer({ customer: { id: customerId, name: "New" } });
  await own.customers.deleteCustomer({ id: customerId });
  expect((await own.orders.listOrders({ customerId })).orders).toEqual([placed]);
  expect((await own.orders.getOrder({ id: placed.id })).order).toEqual(placed);
});

test("orders are listed by customer", async () => {
  const { test: own } = await clientele.createAccount();
  const [ada, bea] = [await createBuyer(own), await createBuyer(own)];
  const placed = [await createOrder(own, ada), await createOrder(own, bea), await createOrder(own)];
  const ids = async (customerId: string) => (await own.orders.listOrders({ customerId })).orders.map(({ id }) => id);
  expect(await ids(ada)).toEqual([placed[0]!.id]);
  expect(await ids(bea)).toEqual([placed[1]!.id]);
  expect((await ids("")).sort()).toEqual(placed.map(({ id }) => id).sort());
  expect(await ids("cus_absent")).toEqual([]);
});

test("another tenant's checkout and order are not found, as if they were absent", async () => {
  const { test: own, live } = await clientele.createAccount();
  const [pending, placed] = [await createCheckout(own, guest()), await createOrder(own)];
  const create = await failureOf(order(live, pending));
  expect(create).toMatchObject({ code: "NotFound", message: "The checkout could not be found, please check the id." });
  expect(create).toEqual(await failureOf(live.orders.createOrder({ checkoutId: "chk_absent" })));
  const read = await failureOf(live.orders.getOrder({ id: placed.id }));
  expect(read).toMatchObject({ code: "NotFound", message: "The order could not be found, please check the id." });
  expect(read).toEqual(await failureOf(live.orders.getOrder({ id: "ord_absent" })));
  expect((await live.orders.listOrders({})).orders).toEqual([]);
});
