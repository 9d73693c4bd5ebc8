import { beforeAll, expect, test } from "vitest";
import { AddressPurpose, AddressService } from "../../../gen/clientele/v1/addresses_pb.js";
import { type Checkout, CheckoutService, ResolutionSource } from "../../../gen/clientele/v1/checkouts_pb.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout, guest, url } from "../../support/purchases.js";
import { ways } from "../../support/ways.js";

const { CUSTOMER_DEFAULT, PAYMENT_METHOD, REQUEST, SHIPPING } = ResolutionSource;
const { BILLING } = AddressPurpose;
const office = { ...houston, line1: "1 Main Street", label: "Office" };
// The sandbox knows the owner of such a token.
const owner = "12 Billing Street";
const owned = () => newToken("owned");

let clients: Clients;
let testKey: string;
const clientele = useClientele();
beforeAll(async () => {
  ({ test: clients, testKey } = await clientele.createAccount());
});

function billingOf({ billing, resolutions }: Checkout) {
  return [billing?.line1, resolutions.find(({ field }) => field === "billing")?.source];
}

async function update(id: string, checkout: object, paths: string[] = []): Promise<Checkout> {
  const answer = await clients.checkouts.updateCheckout({ id, checkout, updateMask: { paths } });
  return answer.checkout!;
}

async function buyerWithOffice() {
  const { id: customerId } = await createCustomer(clients);
  const home = await createAddress(clients, customerId);
  const { id } = await createAddress(clients, customerId, office);
  await clients.addresses.setDefaultAddress({ customerId, id, purpose: BILLING });
  return { customerId, home: home.id, office: id };
}

test.for(ways.filter(({ name }) => name !== "buf curl, Connect"))(
  "the owner of the payment method is billed before the default billing address: $name",
  async ({ open }) => {
    const call = open(clientele, testKey);
    const { customerId, office: officeId } = await buyerWithOffice();
    const customer = await getCustomer(clients, customerId);
    expect(customer.defaultBillingAddressId).toBe(officeId);
    expect(customer.defaultAddressId).not.toBe(officeId);
    const create = async (checkout: object) => {
      const answer = await call(CheckoutService.method.createCheckout, { checkout: { url, customerId, ...checkout } });
      const { billing, resolutions } = Object(answer).checkout;
      return [billing.line1, resolutions.find((one: { field: string }) => one.field === "billing").source];
    };
    expect(await create({})).toEqual([office.line1, "RESOLUTION_SOURCE_CUSTOMER_DEFAULT"]);
    const paymentMethodId = owned();
    expect(await create({ paymentMethodId })).toEqual([owner, "RESOLUTION_SOURCE_PAYMENT_METHOD"]);
    // The vault is not asked again for a token that is attached.
    expect(await create({ paymentMethodId })).toEqual([owner, "RESOLUTION_SOURCE_PAYMENT_METHOD"]);
    const given = { paymentMethodId, billingAddressId: officeId };
    expect(await create(given)).toEqual([office.line1, "RESOLUTION_SOURCE_REQUEST"]);
    const cleared = { customerId, id: officeId };
    await call(AddressService.method.deleteAddress, cleared);
    expect((await getCustomer(clients, customerId)).defaultBillingAddressId).toBeUndefined();
    expect(await create({ paymentMethodId: newToken() })).toEqual([houston.line1, "RESOLUTION_SOURCE_SHIPPING"]);
  },
);

test("a guest is billed as the owner of the card, and an order copies it", async () => {
  const checkout = await createCheckout(clients, { ...guest(), paymentMethodId: owned() });
  expect(billingOf(checkout)).toEqual([owner, PAYMENT_METHOD]);
  const { order } = await clients.orders.createOrder({ checkoutId: checkout.id });
  expect(order!.billing).toEqual(checkout.billing);
  expect(order!.paymentMethod!.billing).toMatchObject({ name: "Ada Lovelace", line1: owner, country: "US" });
});

test("a billing address that no input gave follows the payment method, and no later default", async () => {
  const { customerId, home, office: officeId } = await buyerWithOffice();
  const { id } = await createCheckout(clients, { customerId, paymentMethodId: owned() });
  const { id: plain } = await attachPaymentMethod(clients, customerId);
  expect(billingOf(await update(id, { displayName: "Ada" }))).toEqual([owner, PAYMENT_METHOD]);
  expect(billingOf(await update(id, { paymentMethodId: plain }))).toEqual([office.line1, CUSTOMER_DEFAULT]);
  await clients.addresses.deleteAddress({ customerId, id: officeId });
  expect(billingOf(await update(id, { addressId: home }))).toEqual([office.line1, CUSTOMER_DEFAULT]);
  expect(billingOf(await update(id, {}, ["billing"]))).toEqual([houston.line1, SHIPPING]);
  await clients.addresses.setDefaultAddress({ customerId, id: home, purpose: BILLING });
  expect(billingOf(await update(id, { displayName: "Bea" }))).toEqual([houston.line1, SHIPPING]);
  expect(billingOf(await update(id, { billing: office }))).toEqual([office.line1, REQUEST]);
  expect(billingOf(await update(id, { paymentMethodId: owned() }))).toEqual([office.line1, REQUEST]);
});

test("a default billing address is one of the customer's own, and told in the events", async () => {
  const { customerId, office: officeId } = await buyerWithOffice();
  const { id: other } = await createCustomer(clients);
  const field = "customer.default_billing_address_id";
  const strange = clients.customers.updateCustomer({ customer: { id: other, defaultBillingAddressId: officeId } });
  expect(Object.keys((await failureOf(strange)).fields)).toEqual([field]);
  const atCreate = createCustomer(clients, { defaultBillingAddressId: officeId });
  expect(Object.keys((await failureOf(atCreate)).fields)).toEqual([field]);
  await clients.addresses.deleteAddress({ customerId, id: officeId });
  const rows = await clientele
    .db("events")
    .where({ customer_id: customerId, type: "customer.updated" })
    .orderBy("position")
    .pluck("changed_paths");
  expect(rows.slice(-2)).toEqual([["default_billing_address_id"], ["default_billing_address_id"]]);
});

test("an erasure leaves neither the default billing address nor the owner of a payment method", async () => {
  const { customerId } = await buyerWithOffice();
  const { id: token } = await attachPaymentMethod(clients, customerId, { id: owned() });
  await createCheckout(clients, { customerId });
  await clients.privacy.requestErasure({ customerId });
  const row = await clientele.db("customers").where({ id: customerId }).first();
  expect(row.default_billing_address_id).toBeNull();
  expect(await clientele.db("payment_methods").where({ id: token })).toEqual([]);
  const kept = JSON.stringify([
    await clientele.db("payment_methods").select("billing").whereNotNull("billing").where({ customer_id: customerId }),
    await clientele.db("checkouts").where({ customer_id: customerId }),
  ]);
  expect(kept).not.toContain(owner);
});
