import type { MessageInitShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeletionMode, EmailUniqueness } from "../gen/clientele/v1/accounts_pb.js";
import type { Address } from "../gen/clientele/v1/addresses_pb.js";
import {
  type Checkout,
  CheckoutState,
  type CreateCheckoutRequestSchema,
  ResolutionSource,
  SkippedDefault,
} from "../gen/clientele/v1/checkouts_pb.js";
import { type Customer, CustomerType } from "../gen/clientele/v1/customers_pb.js";
import { PaymentMethodState } from "../gen/clientele/v1/payment_methods_pb.js";
import { createAddress, houston } from "./support/addresses.js";
import { type Clientele, type Clients, startClientele } from "./support/clientele.js";
import { createCustomer } from "./support/customers.js";
import { failureOf } from "./support/errors.js";
import { attachPaymentMethod, newToken } from "./support/payment-methods.js";
import { createCheckout, guest, url } from "./support/purchases.js";
import { changeSettings } from "./support/settings.js";

type Request = MessageInitShape<typeof CreateCheckoutRequestSchema>;

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
let clientele: Clientele;
let clients: Clients;
beforeAll(async () => {
  clientele = await startClientele({ clock: () => now });
  ({ test: clients } = await clientele.createAccount());
  const lenient = { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED };
  await changeSettings(clients, lenient, ["email_uniqueness", "required_customer_fields"]);
});
afterAll(() => clientele.stop());

// A customer with a default address and card, and others; one whose default card is expired; one with nothing at all.
type Kind = "full" | "expired" | "bare";

interface Buyer {
  readonly customer: Customer;
  readonly office?: Address;
  readonly otherCard?: string;
}

async function createBuyer(kind: Kind): Promise<Buyer> {
  const { customer } = await clients.customers.createCustomer({ customer: kind === "bare" ? {} : profile });
  if (kind === "bare") return { customer: customer! };
  const { id } = customer!;
  await createAddress(clients, id, { label: "Home" });
  const office = await createAddress(clients, id, { label: "Office" });
  await attachPaymentMethod(clients, id, {
    id: newToken(kind === "expired" ? "expired" : "card"),
    label: "Default card",
  });
  const { id: otherCard } = await attachPaymentMethod(clients, id, { label: "Other card" });
  return { customer: customer!, office, otherCard };
}

const { REQUEST, CUSTOMER_DEFAULT, CUSTOMER_PROFILE, NONE } = ResolutionSource;
const { NOT_SET, EXPIRED } = SkippedDefault;
const { INDIVIDUAL, BUSINESS, UNSPECIFIED: NO_TYPE } = CustomerType;
const profile = { email: "ada@example.com", name: "Ada", phone: "111", locale: "en_GB", type: INDIVIDUAL };
const inline = { ...houston, label: "Inline" };

const resolvedValue: Readonly<Record<string, (checkout: Checkout) => unknown>> = {
  shipping: ({ shipping }) => shipping?.label,
  payment_method: ({ paymentMethod }) => paymentMethod?.label,
  "contact.email": ({ contact }) => contact?.email,
  "contact.name": ({ contact }) => contact?.name,
  "contact.phone": ({ contact }) => contact?.phone,
  locale: ({ locale }) => locale,
  type: ({ type }) => type,
};

type Asks = Request | ((buyer: Buyer) => Request);
const office = (buyer: Buyer) => ({ addressId: buyer.office!.id });
const otherCard = (buyer: Buyer) => ({ creditCardToken: buyer.otherCard! });

// Requirements §6.
const cases: [string, Kind, Asks, string, ResolutionSource, unknown, SkippedDefault?][] = [
  ["the inline address", "full", { shipping: inline }, "shipping", REQUEST, "Inline"],
  ["the saved address that is named", "full", office, "shipping", REQUEST, "Office"],
  ["the default address", "full", {}, "shipping", CUSTOMER_DEFAULT, "Home"],
  ["no address", "bare", {}, "shipping", NONE, undefined, NOT_SET],
  ["the token given", "full", otherCard, "payment_method", REQUEST, "Other card"],
  ["the token given, not the expired default", "expired", otherCard, "payment_method", REQUEST, "Other card"],
  ["the default payment method", "full", {}, "payment_method", CUSTOMER_DEFAULT, "Default card"],
  ["no payment method as the default is expired", "expired", {}, "payment_method", NONE, undefined, EXPIRED],
  ["no payment method", "bare", {}, "payment_method", NONE, undefined, NOT_SET],
  ["the e-mail address given", "full", { contact: { email: "b@x.io" } }, "contact.email", REQUEST, "b@x.io"],
  [
    "the customer's e-mail address",
    "full",
    { contact: { name: "B" } },
    "contact.email",
    CUSTOMER_PROFILE,
    profile.email,
  ],
  ["no e-mail address", "bare", {}, "contact.email", NONE, undefined],
  ["the name given", "full", { contact: { name: " B " } }, "contact.name", REQUEST, "B"],
  ["the customer's name", "full", { contact: { name: " " } }, "contact.name", CUSTOMER_PROFILE, "Ada"],
  ["no name", "bare", {}, "contact.name", NONE, undefined],
  ["the phone given", "full", { contact: { phone: "222" } }, "contact.phone", REQUEST, "222"],
  ["the customer's phone", "full", {}, "contact.phone", CUSTOMER_PROFILE, "111"],
  ["no phone", "bare", {}, "contact.phone", NONE, undefined],
  ["the locale given", "full", { locale: "es_CR" }, "locale", REQUEST, "es_CR"],
  ["the customer's locale", "full", { locale: "" }, "locale", CUSTOMER_PROFILE, "en_GB"],
  ["no locale", "bare", {}, "locale", NONE, undefined],
  ["the type given", "full", { type: BUSINESS }, "type", REQUEST, BUSINESS],
  ["the customer's type", "full", {}, "type", CUSTOMER_PROFILE, INDIVIDUAL],
  ["no type", "bare", {}, "type", NONE, NO_TYPE],
];

test.for(cases)("a checkout resolves %s (customer: %s)", async ([, kind, asks, field, source, want, skipped]) => {
  const buyer = await createBuyer(kind);
  const request = typeof asks === "function" ? asks(buyer) : asks;
  const checkout = await createCheckout(clients, { customerId: buyer.customer.id, ...request });
  expect(checkout).toMatchObject({ customerId: buyer.customer.id, url, state: CheckoutState.PENDING });
  expect(resolvedValue[field]!(checkout)).toEqual(want);
  expect(checkout.resolutions.map((one) => one.field).sort()).toEqual(Object.keys(resolvedValue).sort());
  const resolution = checkout.resolutions.find((one) => one.field === field);
  expect(resolution).toMatchObject({ source, skippedDefault: skipped ?? SkippedDefault.UNSPECIFIED });
  expect((await clients.checkouts.getCheckout({ id: checkout.id })).checkout).toEqual(checkout);
});

const displayNames: [string, Kind, Request, string | undefined][] = [
  ["as the request says", "full", { displayName: " Countess ", contact: { email: "b@x.io" } }, "Countess"],
  ["by the e-mail address given", "full", { displayName: " ", contact: { email: "b@x.io" } }, "b@x.io"],
  ["by the customer's e-mail address", "full", {}, profile.email],
  ["by the name without an e-mail address", "bare", { contact: { name: "B" } }, "B"],
  ["by the id without anything else", "bare", {}, undefined],
];

test.for(displayNames)("a checkout calls the buyer %s", async ([, kind, request, want]) => {
  const { customer } = await createBuyer(kind);
  const checkout = await createCheckout(clients, { customerId: customer.id, ...request });
  expect(checkout.displayName).toBe(want ?? customer.id);
});

test("an address in the request has no id, a saved one keeps its own", async () => {
  const { customer, office } = await createBuyer("full");
  const own = await createCheckout(clients, { customerId: customer.id, addressId: office!.id });
  expect(own.shipping).toEqual(office);
  const other = await createCheckout(clients, {
    customerId: customer.id,
    shipping: { ...houston, id: "mine", isDefault: true },
  });
  expect(other.shipping).toMatchObject({ ...houston, id: "", isDefault: false });
});

test("a default that expires between two checkouts is skipped by the second one", async () => {
  const { customer } = await createBuyer("full");
  const first = await createCheckout(clients, { customerId: customer.id });
  expect(first.paymentMethod).toMatchObject({ isDefault: true, state: PaymentMethodState.CHARGEABLE });
  now = new Date(Date.UTC(first.paymentMethod!.expYear, first.paymentMethod!.expMonth));
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
    paymentMethod: { id: asked.creditCardToken, customerId: "", state: PaymentMethodState.CHARGEABLE },
  });
  const sources = Object.fromEntries(checkout.resolutions.map(({ field, source }) => [field, source]));
  expect(sources).toMatchObject({ shipping: REQUEST, payment_method: REQUEST, "contact.email": REQUEST, locale: NONE });
});

const required = "This field is required.";
const guests: [string, object, Record<string, unknown>][] = [
  ["contact.email", { contact: { email: "", name: "B" } }, { "contact.email": required }],
  ["shipping", { shipping: undefined }, { shipping: required }],
  ["credit_card_token", { creditCardToken: "" }, { credit_card_token: required }],
  ["line1 of shipping", { shipping: { ...houston, line1: "" } }, { "shipping.line1": required }],
  ["url", { url: "" }, { url: required }],
];

test.for(guests)("a guest without %s is told so", async ([, request, fields]) => {
  const failure = await failureOf(createCheckout(clients, { ...guest(), ...request }));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID", message: required, fields });
});

test("a guest without anything is told of every missing part at once", async () => {
  const { fields } = await failureOf(createCheckout(clients, {}));
  expect(fields).toEqual({ "contact.email": required, shipping: required, credit_card_token: required });
});

test("a guest cannot pay with a customer's token", async () => {
  const { otherCard } = await createBuyer("full");
  const failure = await failureOf(createCheckout(clients, { ...guest(), creditCardToken: otherCard! }));
  expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "PAYMENT_METHOD_UNAVAILABLE" });
});

test.for(["HTTPS://shop.example.com", "Http://shop.example.com/a?b#c"])("a URL may be spelled %s", async (url) => {
  expect(await createCheckout(clients, { ...guest(), url })).toMatchObject({ url });
});

const invalid: [string, Request][] = [
  ["url", { url: "shop" }],
  ["url", { url: "ftp://shop.example.com" }],
  ["url", { url: "JavaScript:alert(1)" }],
  ["contact.email", { contact: { email: "nonsense" } }],
  ["locale", { locale: "english" }],
  ["type", { type: 99 as CustomerType }],
  ["shipping.country", { shipping: { ...houston, country: "Atlantis" } }],
  ["", { addressId: "adr_absent", shipping: houston }],
];

test.for(invalid)("a wrong %s is refused: %j", async ([field, request]) => {
  const { customer } = await createBuyer("bare");
  const { code, fields } = await failureOf(createCheckout(clients, { customerId: customer.id, ...request }));
  expect([code, ...Object.keys(fields)]).toEqual(["InvalidArgument", field]);
});

test("only the customer's own addresses can be named", async () => {
  const [buyer, other] = [await createBuyer("full"), await createBuyer("full")];
  const request = (addressId: string) => createCheckout(clients, { customerId: buyer.customer.id, addressId });
  const failure = await failureOf(request(other.office!.id));
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
