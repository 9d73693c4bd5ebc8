import type { DescMethodUnary, JsonValue } from "@bufbuild/protobuf";
import { beforeEach, expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { AddressService } from "../../gen/clientele/v1/addresses_pb.js";
import { CheckoutService } from "../../gen/clientele/v1/checkouts_pb.js";
import { CustomerTokenService } from "../../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { OrderService } from "../../gen/clientele/v1/orders_pb.js";
import { houston } from "../support/addresses.js";
import { useClientele } from "../support/clientele.js";
import { failureOf } from "../support/errors.js";
import { newToken } from "../support/payment-methods.js";
import { newPublishableKey } from "../support/shoppers.js";
import { ways } from "../support/ways.js";

const { createCustomer, getCustomer, updateCustomer, deleteCustomer } = CustomerService.method;
const { createCustomerToken, revokeCustomerToken } = CustomerTokenService.method;
const { createAddress, listAddresses } = AddressService.method;
const { createCheckout } = CheckoutService.method;
const { createOrder, getOrder, listOrders } = OrderService.method;

interface Answer {
  readonly customer: { readonly id: string; readonly hasPassword?: boolean };
  readonly customerToken: { readonly id: string };
  readonly secret: string;
  readonly checkout: { readonly id: string };
  readonly order: { readonly id: string };
}

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
const clientele = useClientele({ clock: () => now });
beforeEach(() => {
  now = start;
});

const ron = { name: "Ron Swanson", email: "ron@example.com" };
const password = "mysecretpassword";
const invalid = { code: "Unauthenticated", reason: "CREDENTIALS_INVALID" };
const absent = { code: "NotFound", reason: "RESOURCE_NOT_FOUND" };

// A merchant's life under the preset ELASTIC_PATH.
test.for(ways)("a shopper lives through ELASTIC_PATH over $name", { timeout: 120_000 }, async ({ open }) => {
  const account = await clientele.createAccount(SettingsPreset.ELASTIC_PATH);
  const publishableKey = await newPublishableKey(account.test);
  const opened = (key: string) => {
    const call = open(clientele, key);
    return async (method: DescMethodUnary, request: JsonValue, headers?: Record<string, string>) =>
      (await call(method, request, headers)) as unknown as Answer;
  };
  const [merchant, page] = [opened(account.testKey), opened(publishableKey)];
  const shopper =
    (secret: string): typeof page =>
    (method, request) =>
      page(method, request, { "x-customer-token": secret });
  const signIn = (typed: string) =>
    page(createCustomerToken, { emailPassword: { email: "RON@example.com", password: typed } });

  // With and without a password; one is added later.
  const { customer: leslie } = await page(createCustomer, {
    customer: { name: "Leslie Knope", email: "leslie@example.com", password },
  });
  expect(leslie.hasPassword).toBe(true);
  expect(JSON.stringify(leslie)).not.toContain(password);
  const { customer } = await page(createCustomer, { customer: ron });
  expect(customer.hasPassword ?? false).toBe(false);
  const { id } = customer;
  expect(await failureOf(signIn(password))).toMatchObject({ code: "Unauthenticated", reason: "LOGIN_FAILED" });
  expect((await merchant(updateCustomer, { customer: { id, password } })).customer.hasPassword).toBe(true);

  // A token by the password reaches the own profile, addresses and orders.
  const { secret, customerToken } = await signIn(password);
  const own = shopper(secret);
  expect(await own(getCustomer, { id })).toMatchObject({ customer: ron });
  expect(await own(updateCustomer, { customer: { id, name: "Ron" } })).toMatchObject({ customer: { name: "Ron" } });
  await own(createAddress, { customerId: id, address: houston });
  expect(await own(listAddresses, { customerId: id })).toMatchObject({ addresses: [houston] });
  const purchase = { url: "https://shop.example", shipping: houston };
  const { checkout } = await own(createCheckout, { checkout: { ...purchase, paymentMethodId: newToken() } });
  const { order } = await own(createOrder, { checkoutId: checkout.id });
  expect(await own(listOrders, {})).toMatchObject({ orders: [{ id: order.id, customerId: id }] });

  // Nothing of another customer's is reached.
  const { customerToken: hers, secret: herSecret } = await page(createCustomerToken, {
    emailPassword: { email: "leslie@example.com", password },
  });
  const other = shopper(herSecret);
  for (const [method, request] of [
    [getCustomer, { id }],
    [updateCustomer, { customer: { id, name: "Mine now" } }],
    [deleteCustomer, { id }],
    [listAddresses, { customerId: id }],
    [getOrder, { id: order.id }],
    [listOrders, { customerId: id }],
    [revokeCustomerToken, { customerId: id, id: customerToken.id }],
  ] as const) {
    expect(await failureOf(other(method, request)), method.name).toMatchObject(absent);
  }

  // A revoked token is refused, and so is an expired one.
  await other(revokeCustomerToken, { customerId: leslie.id, id: hers.id });
  expect(await failureOf(other(getCustomer, { id: leslie.id }))).toMatchObject(invalid);
  now = new Date(start.getTime() + 24 * 60 * 60 * 1000);
  expect(await failureOf(own(getCustomer, { id }))).toMatchObject(invalid);

  // Who deletes oneself is signed out everywhere, and the orders stay.
  const [last, elsewhere] = [await signIn(password), await signIn(password)];
  await shopper(last.secret)(deleteCustomer, { id });
  for (const ended of [last, elsewhere]) {
    expect(await failureOf(shopper(ended.secret)(getCustomer, { id }))).toMatchObject(invalid);
  }
  expect(await failureOf(merchant(getCustomer, { id }))).toMatchObject(absent);
  expect(await failureOf(signIn(password))).toMatchObject({ reason: "LOGIN_FAILED" });
  expect(await merchant(listOrders, { customerId: id })).toMatchObject({ orders: [{ id: order.id }] });

  // The order of a guest has no customer.
  const guest = await page(createCheckout, {
    checkout: { ...purchase, paymentMethodId: newToken(), contact: { email: "guest@example.com" } },
  });
  const { order: unclaimed } = await merchant(createOrder, { checkoutId: guest.checkout.id });
  expect(unclaimed).not.toHaveProperty("customerId");
});
