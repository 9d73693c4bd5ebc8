import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { EmailUniqueness } from "../../../gen/clientele/v1/accounts_pb.js";
import {
  type Checkout,
  type CheckoutInputSchema,
  ResolutionSource,
  SkippedDefault,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout, guest, url } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";
import { snapshot } from "../../support/snapshot.js";

type Input = Exclude<MessageInitShape<typeof CheckoutInputSchema>, { readonly $typeName: string }>;

let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
  const lenient = { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED, firstAddressBecomesDefault: false };
  await changeSettings(clients, lenient, [
    "email_uniqueness",
    "required_customer_fields",
    "first_address_becomes_default",
  ]);
});

const { REQUEST, CUSTOMER_DEFAULT, CUSTOMER_PROFILE, NONE } = ResolutionSource;
const { NOT_SET, EXPIRED } = SkippedDefault;
const { INDIVIDUAL, BUSINESS, UNSPECIFIED: NO_TYPE } = CustomerType;

// What a customer may have of each field.
const customers = {
  "a customer without it": { profile: {}, hasDefaults: false },
  "a customer with it": {
    profile: { email: "ada@example.com", name: "Ada", phone: "111", locale: "en_GB", type: INDIVIDUAL },
    hasDefaults: true,
  },
  "a customer whose card is expired": { profile: {}, hasDefaults: false, defaultCard: "expired" },
};
type Kind = keyof typeof customers;

/** A customer with an address "Office" and a card "Other card", and perhaps defaults. */
async function createBuyer(kind: Kind) {
  const {
    profile,
    hasDefaults,
    defaultCard = hasDefaults ? "card" : undefined,
  } = { ...customers[kind] } as {
    profile: object;
    hasDefaults: boolean;
    defaultCard?: string;
  };
  const { customer } = await clients.customers.createCustomer({ customer: profile });
  const { id: customerId } = customer!;
  if (hasDefaults) {
    const { id } = await createAddress(clients, customerId, { label: "Home" });
    await clients.addresses.setDefaultAddress({ customerId, id });
  }
  const office = await createAddress(clients, customerId, { label: "Office" });
  const other = await attachPaymentMethod(clients, customerId, { label: "Other card" });
  await clients.customers.updateCustomer({ customer: { id: customerId, defaultPaymentMethodId: "" } });
  if (defaultCard !== undefined) {
    const { id } = await attachPaymentMethod(clients, customerId, { id: newToken(defaultCard), label: "Default card" });
    await clients.paymentMethods.setDefaultPaymentMethod({ customerId, id });
  }
  return { customerId, office: office.id, otherCard: other.id };
}
type Buyer = Awaited<ReturnType<typeof createBuyer>>;

// What a request may say of each field, by a name for it.
const fresh = newToken();
const says: Readonly<Record<string, Readonly<Record<string, (buyer: Buyer) => Input>>>> = {
  shipping: {
    nothing: () => ({}),
    "an inline address": () => ({ shipping: { ...houston, label: "Inline" } }),
    "a saved address": ({ office }) => ({ addressId: office }),
  },
  payment_method: {
    nothing: () => ({}),
    "an attached token": ({ otherCard }) => ({ paymentMethodId: otherCard }),
    "a new token": ({ customerId }) => ({ paymentMethodId: `${fresh}_${customerId}` }),
    "an expired token": ({ customerId }) => ({ paymentMethodId: `${fresh}_expired_${customerId}` }),
  },
  "contact.email": {
    nothing: () => ({}),
    "a blank": () => ({ contact: { email: "", name: "B" } }),
    something: () => ({ contact: { email: " b@x.io " } }),
  },
  "contact.name": {
    nothing: () => ({ contact: { phone: "222" } }),
    "a blank": () => ({ contact: { name: "  " } }),
    something: () => ({ contact: { name: " B " } }),
  },
  "contact.phone": {
    nothing: () => ({ contact: {} }),
    "a blank": () => ({ contact: { phone: "" } }),
    something: () => ({ contact: { phone: "222" } }),
  },
  locale: {
    nothing: () => ({}),
    "a blank": () => ({ locale: "" }),
    something: () => ({ locale: "es_CR" }),
  },
  customer_type: {
    nothing: () => ({}),
    something: () => ({ customerType: BUSINESS }),
  },
};

const valueIn: Readonly<Record<string, (checkout: Checkout) => unknown>> = {
  shipping: ({ shipping }) => shipping?.label,
  payment_method: ({ paymentMethod }) => paymentMethod && (paymentMethod.label ?? paymentMethod.id.split("_")[3]),
  "contact.email": ({ contact }) => contact?.email,
  "contact.name": ({ contact }) => contact?.name,
  "contact.phone": ({ contact }) => contact?.phone,
  locale: ({ locale }) => locale,
  customer_type: ({ customerType }) => customerType,
};
const newCard = fresh.split("_")[3];
const [without, having, expired] = Object.keys(customers) as [Kind, Kind, Kind];

// Every combination: the field, what the request says, who asks, what comes of it and from where.
const cells: [string, string, Kind, unknown, ResolutionSource, SkippedDefault?][] = [
  ["shipping", "nothing", without, undefined, NONE, NOT_SET],
  ["shipping", "nothing", having, "Home", CUSTOMER_DEFAULT],
  ["shipping", "an inline address", without, "Inline", REQUEST],
  ["shipping", "an inline address", having, "Inline", REQUEST],
  ["shipping", "a saved address", without, "Office", REQUEST],
  ["shipping", "a saved address", having, "Office", REQUEST],
  ["payment_method", "nothing", without, undefined, NONE, NOT_SET],
  ["payment_method", "nothing", having, "Default card", CUSTOMER_DEFAULT],
  ["payment_method", "nothing", expired, undefined, NONE, EXPIRED],
  ["payment_method", "an attached token", without, "Other card", REQUEST],
  ["payment_method", "an attached token", having, "Other card", REQUEST],
  ["payment_method", "an attached token", expired, "Other card", REQUEST],
  ["payment_method", "a new token", without, newCard, REQUEST],
  ["payment_method", "a new token", having, newCard, REQUEST],
  ["payment_method", "a new token", expired, newCard, REQUEST],
  // It says so in its state, and no order is made of it.
  ["payment_method", "an expired token", without, newCard, REQUEST],
  ["payment_method", "an expired token", having, newCard, REQUEST],
  ["payment_method", "an expired token", expired, newCard, REQUEST],
  ["contact.email", "nothing", without, undefined, NONE],
  ["contact.email", "nothing", having, "ada@example.com", CUSTOMER_PROFILE],
  ["contact.email", "a blank", without, undefined, NONE],
  ["contact.email", "a blank", having, "ada@example.com", CUSTOMER_PROFILE],
  ["contact.email", "something", without, "b@x.io", REQUEST],
  ["contact.email", "something", having, "b@x.io", REQUEST],
  ["contact.name", "nothing", without, undefined, NONE],
  ["contact.name", "nothing", having, "Ada", CUSTOMER_PROFILE],
  ["contact.name", "a blank", without, undefined, NONE],
  ["contact.name", "a blank", having, "Ada", CUSTOMER_PROFILE],
  ["contact.name", "something", without, "B", REQUEST],
  ["contact.name", "something", having, "B", REQUEST],
  ["contact.phone", "nothing", without, undefined, NONE],
  ["contact.phone", "nothing", having, "111", CUSTOMER_PROFILE],
  ["contact.phone", "a blank", without, undefined, NONE],
  ["contact.phone", "a blank", having, "111", CUSTOMER_PROFILE],
  ["contact.phone", "something", without, "222", REQUEST],
  ["contact.phone", "something", having, "222", REQUEST],
  ["locale", "nothing", without, undefined, NONE],
  ["locale", "nothing", having, "en_GB", CUSTOMER_PROFILE],
  ["locale", "a blank", without, undefined, NONE],
  ["locale", "a blank", having, "en_GB", CUSTOMER_PROFILE],
  ["locale", "something", without, "es_CR", REQUEST],
  ["locale", "something", having, "es_CR", REQUEST],
  ["customer_type", "nothing", without, NO_TYPE, NONE],
  ["customer_type", "nothing", having, INDIVIDUAL, CUSTOMER_PROFILE],
  ["customer_type", "something", without, BUSINESS, REQUEST],
  ["customer_type", "something", having, BUSINESS, REQUEST],
];

test("every combination stands in the table", () => {
  const wanted = Object.entries(says).flatMap(([field, texts]) =>
    Object.keys(texts).flatMap((text) => {
      const kinds = field === "payment_method" ? [without, having, expired] : [without, having];
      return kinds.map((kind) => `${field} ${text} ${kind}`);
    }),
  );
  expect(cells.map(([field, text, kind]) => `${field} ${text} ${kind}`).sort()).toEqual(wanted.sort());
});

// What is drawn when a checkout is stored, and a payment method attached.
function resolvedOf({ shipping, paymentMethod, ...checkout }: Checkout) {
  const { id: _, state: __, createTime, updateTime, expireTime, etag, ...resolved } = checkout;
  const { createTime: ___, updateTime: ____, etag: _____, ...card } = { ...paymentMethod };
  return { ...resolved, shipping, card };
}

test.for(cells)("of %s a request says %s: %s", async ([field, text, kind, want, source, skipped]) => {
  const buyer = await createBuyer(kind);
  const request = { url, customerId: buyer.customerId, ...says[field]![text]!(buyer) };
  const before = await snapshot(clientele.db);
  const { checkout: preview } = await clients.checkouts.previewCheckout({ checkout: request });
  expect(await snapshot(clientele.db)).toEqual(before);
  const checkout = await createCheckout(clients, request);
  for (const resolved of [preview!, checkout]) {
    expect(valueIn[field]!(resolved)).toEqual(want);
    const resolution = resolved.resolutions.filter((one) => one.field === field);
    expect(resolution).toEqual([
      expect.objectContaining({ source, skippedDefault: skipped ?? SkippedDefault.UNSPECIFIED }),
    ]);
  }
  expect(preview).toMatchObject({ id: "", etag: "", state: 0, url, customerId: buyer.customerId });
  expect(resolvedOf(preview!)).toEqual(resolvedOf(checkout));
  const others = ["billing", "display_name", "tax_identifiers", "tax_certificates"];
  expect(checkout.resolutions.map((one) => one.field).sort()).toEqual([...Object.keys(valueIn), ...others].sort());
  expect((await clients.checkouts.getCheckout({ id: checkout.id })).checkout).toEqual(checkout);
});

// A guest has what the request says, and must say some of it.
const guests: [string, Input, unknown, ResolutionSource][] = [
  ["shipping", {}, undefined, REQUEST],
  ["payment_method", { paymentMethodId: `${fresh}_guest` }, newCard, REQUEST],
  ["contact.email", {}, "guest@example.com", REQUEST],
  ["contact.name", {}, undefined, NONE],
  ["contact.name", { contact: { email: "b@x.io", name: "B" } }, "B", REQUEST],
  ["contact.phone", {}, undefined, NONE],
  ["contact.phone", { contact: { email: "b@x.io", phone: "222" } }, "222", REQUEST],
  ["locale", {}, undefined, NONE],
  ["locale", { locale: "es_CR" }, "es_CR", REQUEST],
  ["customer_type", {}, NO_TYPE, NONE],
  ["customer_type", { customerType: BUSINESS }, BUSINESS, REQUEST],
];

test.for(guests)("of a guest's %s the request says %j", async ([field, says, want, source]) => {
  const request = { url, ...guest(), ...says };
  const before = await snapshot(clientele.db);
  const { checkout: preview } = await clients.checkouts.previewCheckout({ checkout: request });
  expect(await snapshot(clientele.db)).toEqual(before);
  const checkout = await createCheckout(clients, request);
  expect(valueIn[field]!(checkout)).toEqual(want);
  expect(checkout.resolutions.find((one) => one.field === field)).toMatchObject({ source, skippedDefault: 0 });
  expect(resolvedOf(preview!)).toEqual(resolvedOf(checkout));
});

// How the buyer is called: what the request says of the display name, the e-mail address and the name; who asks.
const given = { displayName: " Countess ", email: "b@x.io", name: "B" };
type Given = keyof typeof given;
const names: [readonly Given[], Kind | "a guest", string, ResolutionSource][] = [
  [[], having, "ada@example.com", CUSTOMER_PROFILE],
  [[], without, "", CUSTOMER_PROFILE],
  [["name"], having, "ada@example.com", CUSTOMER_PROFILE],
  [["name"], without, "B", REQUEST],
  [["email"], having, "b@x.io", REQUEST],
  [["email"], without, "b@x.io", REQUEST],
  [["email"], "a guest", "b@x.io", REQUEST],
  [["email", "name"], having, "b@x.io", REQUEST],
  [["email", "name"], without, "b@x.io", REQUEST],
  [["email", "name"], "a guest", "b@x.io", REQUEST],
  [["displayName"], having, "Countess", REQUEST],
  [["displayName"], without, "Countess", REQUEST],
  [["displayName", "name"], having, "Countess", REQUEST],
  [["displayName", "name"], without, "Countess", REQUEST],
  [["displayName", "email"], having, "Countess", REQUEST],
  [["displayName", "email"], without, "Countess", REQUEST],
  [["displayName", "email"], "a guest", "Countess", REQUEST],
  [["displayName", "email", "name"], having, "Countess", REQUEST],
  [["displayName", "email", "name"], without, "Countess", REQUEST],
  [["displayName", "email", "name"], "a guest", "Countess", REQUEST],
];

test.for(names)("a buyer who gives %j is called, for %s, %s", async ([says, kind, want, source]) => {
  const { displayName, ...contact } = Object.fromEntries(says.map((part) => [part, given[part]])) as typeof given;
  const request = { url, ...(displayName && { displayName }), contact };
  const customerId = kind === "a guest" ? "" : (await createBuyer(kind)).customerId;
  const buyer = kind === "a guest" ? { ...guest(), ...request } : { customerId, ...request };
  const checkout = await createCheckout(clients, buyer);
  expect(checkout.displayName).toBe(want || customerId);
  expect(checkout.resolutions.find(({ field }) => field === "display_name")).toMatchObject({ source });
  const { checkout: preview } = await clients.checkouts.previewCheckout({ checkout: buyer });
  expect(preview!.displayName).toBe(checkout.displayName);
});
