import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { DeletionMode } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Checkout, type CheckoutInputSchema, ResolutionSource } from "../../../gen/clientele/v1/checkouts_pb.js";
import { CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout, guest } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";

type Input = MessageInitShape<typeof CheckoutInputSchema>;
type Update = Input & { readonly id: string; readonly etag?: string };

let clients: Clients;
const clientele = useClientele();
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});

async function update(by: Clients, { id, etag = "", ...input }: Update, paths: string[] = []): Promise<Checkout> {
  const { checkout } = await by.checkouts.updateCheckout({ id, etag, checkout: input, updateMask: { paths } });
  return checkout!;
}

async function get(id: string): Promise<Checkout> {
  const { checkout } = await clients.checkouts.getCheckout({ id });
  return checkout!;
}

const sourceOf = (checkout: Checkout, field: string) =>
  ResolutionSource[checkout.resolutions.find((one) => one.field === field)!.source];

// A customer whose every value and default has changed since its checkout was made.
async function changedSince() {
  const customer = await createCustomer(clients, { name: "Old", phone: "111", locale: "en_GB", email: newEmail() });
  const customerId = customer.id;
  await createAddress(clients, customerId, { label: "Old" });
  await attachPaymentMethod(clients, customerId, { label: "Old" });
  const checkout = await createCheckout(clients, { customerId });
  const address = await createAddress(clients, customerId, { label: "New" });
  const other = await createAddress(clients, customerId, { label: "Other" });
  const card = await attachPaymentMethod(clients, customerId, { label: "New" });
  const changed = { name: "New", phone: "222", locale: "de_CH", type: CustomerType.BUSINESS, email: newEmail() };
  const defaults = { defaultAddressId: address.id, defaultPaymentMethodId: card.id };
  await clients.customers.updateCustomer({ customer: { id: customerId, ...changed, ...defaults } });
  return { checkout, changed, other };
}
type Changed = Awaited<ReturnType<typeof changedSince>>;

// The parts of a checkout that an update can change, spelled shortly.
function partsOf(checkout: Checkout) {
  const { url, displayName, contact, shipping, paymentMethod, locale, customerType } = checkout;
  const { email, name, phone } = contact!;
  const labels = { shipping: shipping?.label, card: paymentMethod?.label };
  return { url, displayName, email, name, phone, locale, customerType, ...labels };
}
type Parts = Partial<Record<keyof ReturnType<typeof partsOf>, unknown>>;

const updates: {
  name: string;
  request?: (changed: Changed) => Input;
  paths?: string[];
  want: (changed: Changed) => Parts;
}[] = [
  { name: "without anything changes nothing", want: () => ({}) },
  { name: "takes an empty address for the present default", paths: ["shipping"], want: () => ({ shipping: "New" }) },
  { name: "takes either path of the address", paths: ["address_id"], want: () => ({ shipping: "New" }) },
  {
    name: "takes a saved address",
    request: ({ other }) => ({ addressId: other.id }),
    want: () => ({ shipping: "Other" }),
  },
  {
    name: "takes an inline address",
    request: () => ({ shipping: { ...houston, label: "Inline" } }),
    want: () => ({ shipping: "Inline" }),
  },
  {
    name: "takes an empty token for the present default",
    paths: ["payment_method_id"],
    want: () => ({ card: "New" }),
  },
  { name: "attaches a token", request: () => ({ paymentMethodId: newToken() }), want: () => ({ card: undefined }) },
  {
    name: "takes the present name and phone, and leaves the e-mail address",
    paths: ["contact.name", "contact.phone"],
    want: () => ({ name: "New", phone: "222" }),
  },
  {
    name: "takes the whole contact anew, and the display name follows",
    paths: ["contact"],
    want: ({ changed: { email } }) => ({ name: "New", phone: "222", email, displayName: email }),
  },
  {
    name: "writes one part of the contact, and leaves the others",
    request: () => ({ contact: { phone: "333" } }),
    want: () => ({ phone: "333" }),
  },
  {
    name: "heeds only the part that the mask names",
    request: () => ({ contact: { phone: "none", name: "Named" }, locale: "zz_ZZ", addressId: "adr_absent" }),
    paths: ["contact.name"],
    want: () => ({ name: "Named" }),
  },
  {
    name: "writes an e-mail address, and the display name follows",
    request: () => ({ contact: { email: "b@x.io" } }),
    want: () => ({ email: "b@x.io", displayName: "b@x.io" }),
  },
  { name: "writes a display name", request: () => ({ displayName: " B " }), want: () => ({ displayName: "B" }) },
  { name: "writes the locale", request: () => ({ locale: "es_CR" }), want: () => ({ locale: "es_CR" }) },
  { name: "takes the present locale", paths: ["locale"], want: () => ({ locale: "de_CH" }) },
  { name: "takes the present type", paths: ["customer_type"], want: () => ({ customerType: CustomerType.BUSINESS }) },
  {
    name: "writes the url",
    request: () => ({ url: "https://shop.example/other" }),
    want: () => ({ url: "https://shop.example/other" }),
  },
  {
    name: "of everything takes all that the customer has now",
    paths: ["*"],
    want: ({ changed: { email, name, phone, locale, type: customerType } }) => {
      return { email, displayName: email, name, phone, locale, customerType, shipping: "New", card: "New" };
    },
  },
];

test.for(updates)("an update $name", async ({ request, paths = [], want }) => {
  const changed = await changedSince();
  const { id, etag, expireTime } = changed.checkout;
  const before = partsOf(changed.checkout);
  const wanted = want(changed);
  const updated = await update(clients, { id, etag, ...request?.(changed) }, paths);
  expect(partsOf(updated)).toEqual({ ...before, ...wanted });
  expect(await get(id)).toEqual(updated);
  expect(updated.expireTime).toEqual(expireTime);
  const changes = Object.keys(wanted).length > 0 ? 1 : 0;
  expect(Number((await clientele.db("checkouts").where({ id }).first()).version)).toBe(1 + changes);
  expect(await clientele.db("events").where({ resource_id: id, type: "checkout.updated" })).toHaveLength(changes);
});

test("an update renews the provenance of the parts that it resolves, and of no other", async () => {
  const { checkout } = await changedSince();
  const given = await update(clients, { id: checkout.id, contact: { email: "b@x.io" }, displayName: "B" });
  expect(sourceOf(given, "contact.email")).toBe("REQUEST");
  expect(sourceOf(given, "display_name")).toBe("REQUEST");
  expect(sourceOf(given, "contact.name")).toBe("CUSTOMER_PROFILE");
  expect(sourceOf(given, "shipping")).toBe("CUSTOMER_DEFAULT");
  const kept = await update(clients, { id: checkout.id, contact: { email: "c@x.io" } });
  expect(kept.displayName).toBe("B");
  const freed = await update(clients, { id: checkout.id }, ["display_name", "contact"]);
  expect([sourceOf(freed, "contact.email"), sourceOf(freed, "display_name")]).toEqual(
    Array(2).fill("CUSTOMER_PROFILE"),
  );
  expect(freed.displayName).toBe(freed.contact!.email);
});

test("the same again is no change", async () => {
  const { checkout } = await changedSince();
  const request = { id: checkout.id, locale: "es_CR", contact: { name: "B" }, shipping: houston };
  const updated = await update(clients, request);
  expect(await update(clients, { ...request, etag: updated.etag, contact: { name: " B " } })).toEqual(updated);
});

test("the event of an update names what it changed", async () => {
  const { checkout } = await changedSince();
  await update(clients, { id: checkout.id, locale: "es_CR", displayName: "B" });
  const [event] = await clientele.db("events").where({ resource_id: checkout.id, type: "checkout.updated" });
  expect(event.changed_paths.toSorted()).toEqual(["display_name", "locale", "resolutions"]);
});

test("a checkout whose order was refused can be updated and tried again", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id } = await createCheckout(clients, { customerId });
  const order = () => clients.orders.createOrder({ checkoutId: id });
  expect(await failureOf(order())).toMatchObject({ reason: "SHIPPING_MISSING" });
  await createAddress(clients, customerId);
  await update(clients, { id }, ["shipping"]);
  expect(await failureOf(order())).toMatchObject({ reason: "PAYMENT_METHOD_NOT_CHARGEABLE" });
  await update(clients, { id, paymentMethodId: newToken("expired") });
  expect(await failureOf(order())).toMatchObject({ reason: "PAYMENT_METHOD_NOT_CHARGEABLE" });
  const token = newToken();
  await update(clients, { id, paymentMethodId: token });
  expect(await order()).toMatchObject({ order: { checkoutId: id, customerId, paymentMethod: { id: token } } });
});

const required = "This field is required.";
const guests: [string, Input, string[], object][] = [
  ["its e-mail address", {}, ["contact.email"], { "checkout.contact.email": required }],
  ["its contact", { contact: { name: "B" } }, ["contact"], { "checkout.contact.email": required }],
  ["its address", {}, ["shipping"], { "checkout.shipping": required }],
  ["its card", {}, ["payment_method_id"], { "checkout.payment_method_id": required }],
  ["its url", {}, ["url"], { "checkout.url": required }],
  [
    "what it has not",
    { addressId: "adr_1" },
    [],
    { "checkout.address_id": "belongs to a customer", "checkout.shipping": required },
  ],
];

test.for(guests)("a guest cannot update away %s", async ([, request, paths, fields]) => {
  const checkout = await createCheckout(clients, guest());
  const failure = await failureOf(update(clients, { id: checkout.id, ...request }, paths));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID", fields });
  expect(await get(checkout.id)).toEqual(checkout);
});

test("a guest's checkout is updated part by part and stays a guest's", async () => {
  const checkout = await createCheckout(clients, guest());
  const token = newToken();
  const request = { contact: { phone: "713 555 0100" }, paymentMethodId: token, locale: "en_US" };
  const updated = await update(clients, { id: checkout.id, ...request });
  expect(updated).toMatchObject({
    customerId: "",
    // As dialled where the address is.
    contact: { email: "guest@example.com", phone: "+17135550100" },
    shipping: houston,
    paymentMethod: { id: token, customerId: "" },
    locale: "en_US",
  });
  expect(await clientele.db("payment_methods").where({ id: token })).toEqual([]);
});

const invalid: [string, Input, string[]][] = [
  ["update_mask", {}, ["customer_id"]],
  ["update_mask", {}, ["contact.fax"]],
  ["update_mask", {}, ["__proto__"]],
  ["update_mask", {}, ["state"]],
  ["checkout.url", { url: "ftp://x" }, []],
  ["checkout.url", { url: "" }, []],
  ["checkout.customer_id", { customerId: "cus_absent" }, []],
  ["checkout.contact.email", { contact: { email: "nonsense" } }, []],
  ["checkout.shipping.country", { shipping: { ...houston, country: "Atlantis" } }, []],
  ["checkout", { shipping: houston, addressId: "adr_1" }, []],
];

test.for(invalid)("an update with a wrong %s is refused: %j, %j", async ([field, request, paths]) => {
  const { checkout } = await changedSince();
  const failure = await failureOf(update(clients, { id: checkout.id, ...request }, paths));
  expect([failure.code, ...Object.keys(failure.fields)]).toEqual(["InvalidArgument", field]);
  expect(await get(checkout.id)).toEqual(checkout);
});

const refusals: { name: string; request: (changed: Changed) => Promise<Input>; failure: object }[] = [
  {
    name: "an address of nobody",
    request: async () => ({ addressId: "adr_absent" }),
    failure: { code: "NotFound", message: "The address could not be found, please check the id." },
  },
  {
    name: "another customer's address",
    request: async () => ({ addressId: (await createAddress(clients, (await createCustomer(clients)).id)).id }),
    failure: { code: "NotFound", message: "The address could not be found, please check the id." },
  },
  {
    name: "another customer's token",
    request: async () => {
      const { id } = await createCustomer(clients);
      return { paymentMethodId: (await attachPaymentMethod(clients, id)).id };
    },
    failure: { code: "FailedPrecondition", reason: "PAYMENT_METHOD_UNAVAILABLE" },
  },
  {
    name: "a token that the vault does not know",
    request: async () => ({ paymentMethodId: newToken("unknown") }),
    failure: { code: "NotFound", message: "The payment method could not be found, please check the id." },
  },
];

test.for(refusals)("an update to $name is refused and changes nothing", async ({ request, failure }) => {
  const changed = await changedSince();
  const { id } = changed.checkout;
  expect(await failureOf(update(clients, { id, ...(await request(changed)) }))).toMatchObject(failure);
  expect(await get(id)).toEqual(changed.checkout);
});

test.for([DeletionMode.SOFT, DeletionMode.PERMANENT])(
  "a checkout of a customer that is gone is not updated (deletion: %i)",
  async (mode) => {
    const { test: own } = await clientele.createAccount();
    await changeSettings(own, { deletion: { mode } });
    const { id: customerId } = await createCustomer(own);
    const { id } = await createCheckout(own, { customerId });
    await own.customers.deleteCustomer({ id: customerId });
    const failure = await failureOf(update(own, { id, locale: "en_US" }));
    expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "CUSTOMER_DELETED" });
  },
);
