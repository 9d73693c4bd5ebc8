import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { DeletionMode, EmailUniqueness } from "../../../gen/clientele/v1/accounts_pb.js";
import type { Address } from "../../../gen/clientele/v1/addresses_pb.js";
import { type CheckoutInputSchema, ResolutionSource, SkippedDefault } from "../../../gen/clientele/v1/checkouts_pb.js";
import type { Customer, CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod } from "../../support/payment-methods.js";
import { createCheckout, guest } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";

type Input = MessageInitShape<typeof CheckoutInputSchema>;

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
  const lenient = { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED };
  await changeSettings(clients, lenient, ["email_uniqueness", "required_customer_fields"]);
});

interface Buyer {
  readonly customer: Customer;
  readonly office: Address;
  readonly otherCard: string;
}

// A customer with a default address and card, and others.
async function createBuyer(): Promise<Buyer> {
  const customer = await createCustomer(clients);
  await createAddress(clients, customer.id, { label: "Home" });
  const office = await createAddress(clients, customer.id, { label: "Office" });
  await attachPaymentMethod(clients, customer.id, { label: "Default card" });
  const { id: otherCard } = await attachPaymentMethod(clients, customer.id, { label: "Other card" });
  return { customer, office, otherCard };
}

const { REQUEST, NONE } = ResolutionSource;
const { EXPIRED } = SkippedDefault;

test("an address in the request has no id, a saved one keeps its own", async () => {
  const { customer, office } = await createBuyer();
  const own = await createCheckout(clients, { customerId: customer.id, addressId: office.id });
  expect(own.shipping).toEqual({ ...office, etag: "" });
  const other = await createCheckout(clients, {
    customerId: customer.id,
    shipping: { ...houston, id: "mine", isDefault: true },
  });
  expect(other.shipping).toMatchObject({ ...houston, id: "", isDefault: false });
});

test("a default that expires between two checkouts is skipped by the second one", async () => {
  const { customer } = await createBuyer();
  const first = await createCheckout(clients, { customerId: customer.id });
  expect(first.paymentMethod).toMatchObject({ isDefault: false, etag: "", state: PaymentMethodState.CHARGEABLE });
  const { expYear, expMonth } = first.paymentMethod!.card!;
  now = new Date(Date.UTC(expYear, expMonth));
  const second = await createCheckout(clients, { customerId: customer.id });
  now = start;
  expect(second.paymentMethod).toBeUndefined();
  expect(second.resolutions).toContainEqual(
    expect.objectContaining({ field: "payment_method", skippedDefault: EXPIRED }),
  );
});

test("a guest's checkout belongs to nobody", async () => {
  const asked = guest();
  const checkout = await createCheckout(clients, asked);
  expect(checkout).toMatchObject({
    customerId: "",
    displayName: "guest@example.com",
    contact: { email: "guest@example.com" },
    shipping: houston,
    paymentMethod: { id: asked.paymentMethodId, customerId: "", state: PaymentMethodState.CHARGEABLE },
  });
  const sources = Object.fromEntries(checkout.resolutions.map(({ field, source }) => [field, source]));
  expect(sources).toMatchObject({ shipping: REQUEST, payment_method: REQUEST, "contact.email": REQUEST, locale: NONE });
});

const required = "This field is required.";
const guests: [string, object, Record<string, unknown>][] = [
  ["contact.email", { contact: { email: "", name: "B" } }, { "checkout.contact.email": required }],
  ["shipping", { shipping: undefined }, { "checkout.shipping": required }],
  ["payment_method_id", { paymentMethodId: "" }, { "checkout.payment_method_id": required }],
  ["line1 of shipping", { shipping: { ...houston, line1: "" } }, { "checkout.shipping.line1": required }],
  ["url", { url: undefined }, { "checkout.url": required }],
];

test.for(guests)("a guest without %s is told so", async ([, request, fields]) => {
  const failure = await failureOf(createCheckout(clients, { ...guest(), ...request }));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID", message: required, fields });
});

test("a guest without anything is told of every missing part at once", async () => {
  const { fields } = await failureOf(createCheckout(clients, {}));
  const names = ["contact.email", "shipping", "payment_method_id"];
  expect(fields).toEqual(Object.fromEntries(names.map((name) => [`checkout.${name}`, required])));
});

test("a guest cannot pay with a customer's token", async () => {
  const { otherCard } = await createBuyer();
  const failure = await failureOf(createCheckout(clients, { ...guest(), paymentMethodId: otherCard }));
  expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "PAYMENT_METHOD_UNAVAILABLE" });
});

test.for(["HTTPS://shop.example.com", "Http://shop.example.com/a?b#c"])("a URL may be spelled %s", async (url) => {
  expect(await createCheckout(clients, { ...guest(), url })).toMatchObject({ url });
});

const invalid: [string, Input][] = [
  ["checkout.url", { url: "" }],
  ["checkout.url", { url: "shop" }],
  ["checkout.url", { url: "https://" }],
  ["checkout.url", { url: "ftp://shop.example.com" }],
  ["checkout.url", { url: "JavaScript:alert(1)" }],
  ["checkout.contact.email", { contact: { email: "nonsense" } }],
  ["checkout.locale", { locale: "english" }],
  ["checkout.customer_type", { customerType: 99 as CustomerType }],
  ["checkout.shipping.country", { shipping: { ...houston, country: "Atlantis" } }],
  ["checkout", { addressId: "adr_absent", shipping: houston }],
];

test.for(invalid)("a wrong %s is refused: %j", async ([field, request]) => {
  const customer = await createCustomer(clients);
  const { code, fields } = await failureOf(createCheckout(clients, { customerId: customer.id, ...request }));
  expect([code, ...Object.keys(fields)]).toEqual(["InvalidArgument", field]);
});

test("only the customer's own addresses can be named", async () => {
  const [buyer, other] = [await createBuyer(), await createBuyer()];
  const request = (addressId: string) => createCheckout(clients, { customerId: buyer.customer.id, addressId });
  const failure = await failureOf(request(other.office.id));
  expect(failure).toMatchObject({ code: "NotFound", message: "The address could not be found, please check the id." });
  expect(failure).toEqual(await failureOf(request("adr_absent")));
});

test("another tenant's customer and checkout are not found, as if they were absent", async () => {
  const { test: own, live } = await clientele.createAccount();
  const { id: customerId } = await createCustomer(own);
  const { id } = await createCheckout(own, { customerId });
  const foreign = await failureOf(createCheckout(live, { customerId }));
  expect(foreign).toMatchObject({ code: "NotFound", reason: "RESOURCE_NOT_FOUND" });
  expect(foreign).toEqual(await failureOf(createCheckout(live, { customerId: "cus_absent" })));
  const read = await failureOf(live.checkouts.getCheckout({ id }));
  expect(read).toMatchObject({ message: "The checkout could not be found, please check the id." });
  expect(read).toEqual(await failureOf(live.checkouts.getCheckout({ id: "chk_absent" })));
  expect(await live.checkouts.listCheckouts({ customerId })).toMatchObject({ checkouts: [] });
});

test.for([DeletionMode.SOFT, DeletionMode.PERMANENT])(
  "no later change alters a checkout (deletion: %i)",
  async (mode) => {
    const { test: own } = await clientele.createAccount();
    await changeSettings(own, { deletion: { mode } });
    const { id: customerId } = await createCustomer(own);
    const [saved, card] = [await createAddress(own, customerId), await attachPaymentMethod(own, customerId)];
    const checkout = await createCheckout(own, { customerId });
    const unchanged = async () => {
      expect(await own.checkouts.getCheckout({ id: checkout.id })).toMatchObject({ checkout });
      expect(await own.checkouts.listCheckouts({ customerId })).toMatchObject({ checkouts: [checkout] });
    };
    await own.customers.updateCustomer({ customer: { id: customerId, email: "new@example.com", name: "New" } });
    await own.addresses.updateAddress({ customerId, address: { id: saved.id, line1: "Elsewhere" } });
    await own.paymentMethods.updatePaymentMethod({ customerId, paymentMethod: { id: card.id, label: "New" } });
    await unchanged();
    await own.addresses.deleteAddress({ customerId, id: saved.id });
    await own.paymentMethods.detachPaymentMethod({ customerId, id: card.id });
    await unchanged();
    await own.customers.deleteCustomer({ id: customerId });
    await unchanged();
    expect((await failureOf(createCheckout(own, { customerId }))).code).toBe(
      mode === DeletionMode.SOFT ? "FailedPrecondition" : "NotFound",
    );
  },
);
