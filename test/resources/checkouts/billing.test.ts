import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { type Checkout, type CheckoutInputSchema, ResolutionSource } from "../../../gen/clientele/v1/checkouts_pb.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod } from "../../support/payment-methods.js";
import { createCheckout, guest } from "../../support/purchases.js";

const { REQUEST, SHIPPING, NONE } = ResolutionSource;
const office = { ...houston, line1: "1 Main Street", label: "Office" };

let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});

function billingOf({ billing, resolutions }: Checkout) {
  return [billing?.line1, resolutions.find(({ field }) => field === "billing")?.source];
}

async function update(
  id: string,
  checkout: MessageInitShape<typeof CheckoutInputSchema>,
  paths: string[] = [],
): Promise<Checkout> {
  const answer = await clients.checkouts.updateCheckout({ id, checkout, updateMask: { paths } });
  return answer.checkout!;
}

test("the billing address is the inline one, else the saved one, else the shipping address", async () => {
  const { id: customerId } = await createCustomer(clients);
  expect(billingOf(await createCheckout(clients, { customerId }))).toEqual([undefined, NONE]);
  await createAddress(clients, customerId);
  const saved = await createAddress(clients, customerId, office);
  expect(billingOf(await createCheckout(clients, { customerId }))).toEqual([houston.line1, SHIPPING]);
  const inline = await createCheckout(clients, { customerId, billing: office });
  expect(billingOf(inline)).toEqual([office.line1, REQUEST]);
  const named = await createCheckout(clients, { customerId, billingAddressId: saved.id });
  expect(billingOf(named)).toEqual([office.line1, REQUEST]);
  expect(named.billing).toEqual({ ...saved, etag: "" });
  expect(billingOf(await createCheckout(clients, { ...guest(), billing: office }))).toEqual([office.line1, REQUEST]);
});

test("a billing address that no input gave follows the shipping address, a given one stays", async () => {
  const { id } = await createCheckout(clients, guest());
  const moved = { ...houston, line1: "2 High Street" };
  expect(billingOf(await update(id, { shipping: moved }))).toEqual([moved.line1, SHIPPING]);
  expect(billingOf(await update(id, { billing: office }))).toEqual([office.line1, REQUEST]);
  expect(billingOf(await update(id, { shipping: houston }))).toEqual([office.line1, REQUEST]);
  expect(billingOf(await update(id, {}, ["billing_address_id"]))).toEqual([houston.line1, SHIPPING]);
});

test("an order holds the billing address of its checkout, whatever becomes of the saved one", async () => {
  const { id: customerId } = await createCustomer(clients);
  await createAddress(clients, customerId);
  const { id: billingAddressId } = await createAddress(clients, customerId, office);
  await attachPaymentMethod(clients, customerId);
  const checkout = await createCheckout(clients, { customerId, billingAddressId });
  await clients.addresses.deleteAddress({ customerId, id: billingAddressId });
  const { order } = await clients.orders.createOrder({ checkoutId: checkout.id });
  expect(order!.billing).toEqual(checkout.billing);
});

const wrong: [string, object, object][] = [
  [
    "InvalidArgument",
    { ...guest(), billingAddressId: "adr_1" },
    { "checkout.billing_address_id": "belongs to a customer" },
  ],
  [
    "InvalidArgument",
    { ...guest(), billing: { ...office, country: "Atlantis" } },
    { "checkout.billing.country": expect.any(String) },
  ],
  [
    "InvalidArgument",
    { ...guest(), billing: { name: "Ada" } },
    { "checkout.billing.line1": "This field is required." },
  ],
  ["InvalidArgument", { ...guest(), billing: office, billingAddressId: "adr_1" }, { checkout: expect.any(String) }],
];

test.for(wrong)("a wrong billing address is %s: %j", async ([code, input, fields]) => {
  expect(await failureOf(createCheckout(clients, input))).toMatchObject({ code, fields });
});

test("another customer's address is no billing address", async () => {
  const [buyer, other] = [await createCustomer(clients), await createCustomer(clients)];
  const { id: billingAddressId } = await createAddress(clients, other.id);
  const failure = await failureOf(createCheckout(clients, { customerId: buyer.id, billingAddressId }));
  expect(failure).toMatchObject({ code: "NotFound" });
});
