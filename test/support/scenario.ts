import { randomBytes } from "node:crypto";
import type { DescMethod, DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { expect } from "vitest";
import { ApiKeyKind } from "../../gen/clientele/v1/api_keys_pb.js";
import { services } from "../../src/routes.js";
import type { Clients } from "./clientele.js";

/** Every method of the contract that takes one request and gives one answer. */
export const methods: readonly DescMethodUnary[] = services.flatMap((service) =>
  service.methods.filter((method): method is DescMethodUnary => method.methodKind === "unary"),
);

/** Those that change nothing. */
export const reads = methods.filter(isRead);

/** Those that change something. */
export const mutations = methods.filter((method) => !isRead(method));

/** The cases of `test.for`: each method under its name, such as `CustomerService.GetCustomer`. */
export function casesOf(among: readonly DescMethodUnary[]) {
  return among.map((method) => ({ name: nameOf(method), method }));
}

/** Such as `CustomerService.GetCustomer`. */
export function nameOf(method: DescMethod): string {
  return `${method.parent.name}.${method.name}`;
}

// A look-up of a secret value is no side effect either, although it must not stand in a URL.
function isRead(method: DescMethod): boolean {
  const { NO_SIDE_EFFECTS } = MethodOptions_IdempotencyLevel;
  return method.idempotency === NO_SIDE_EFFECTS || /^(Get|List|Search)(?!Or)/.test(method.name);
}

/** Stands in every text of `requestFor` that a client types freely, so that one can look where it went. */
export const canary = "Canary";
export const canaryPhone = "+15550177299";

/** Ids of resources that one tenant has. What is named `spare` is nobody's default and in no use. */
export interface World {
  readonly apiKey: string;
  readonly customer: string;
  /** Softly deleted. */
  readonly deletedCustomer: string;
  readonly address: string;
  readonly spareAddress: string;
  readonly paymentMethod: string;
  readonly sparePaymentMethod: string;
  /** A token that nobody has used. */
  readonly freshToken: string;
  /** Pending, of the customer. */
  readonly checkout: string;
  readonly order: string;
  /** Makes values unique that must be. */
  readonly unique: string;
}

/** A PNG of one pixel. */
export const tinyPhoto =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

const url = `https://shop.example/${canary}`;

const address = {
  label: `${canary} label`,
  name: `${canary} name`,
  firstName: `${canary} first`,
  lastName: `${canary} last`,
  organization: `${canary} Inc`,
  phone: canaryPhone,
  email: `${canary}@example.com`,
  line1: `1 ${canary} St`,
  line2: `${canary} line2`,
  city: `${canary} City`,
  county: `${canary} County`,
  state: "TX",
  postalCode: "78701",
  country: "US",
  instructions: `${canary} bell`,
  additionalAddressInfo: {
    neighborhood: `${canary} hood`,
    division: `${canary} division`,
    phoneticName: `${canary} sound`,
  },
};

const customerOf = ({ unique }: Pick<World, "unique">) => ({
  email: `${canary}.${unique}@example.com`,
  name: `${canary} name`,
  firstName: `${canary} first`,
  lastName: `${canary} last`,
  displayName: `${canary} display`,
  phone: canaryPhone,
  country: "US",
  locale: "en_US",
  type: "CUSTOMER_TYPE_BUSINESS",
  enabled: true,
  metadata: { note: `${canary} note`, [`${canary}Key`]: { deep: [1, true, `${canary}`] } },
  externalReferences: [{ name: "stripe", id: `${canary}-${unique}` }],
  shipping: address,
});

/** Gives a tenant one of each resource. `clients` carry a key of its test half. */
export async function populate(clients: Clients): Promise<World> {
  const unique = randomBytes(6).toString("hex");
  const token = (name: string) => `cct_sandbox_${name}_${unique}`;
  const created = await clients.customers.createCustomer({
    customer: { email: `first.${unique}@example.com`, name: `${canary} before` },
  });
  const customerId = created.customer!.id;
  const newAddress = async () => (await clients.addresses.createAddress({ customerId, address })).address!.id;
  const attach = async (id: string) =>
    (await clients.paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id } })).paymentMethod!.id;
  const newCheckout = async () => (await clients.checkouts.createCheckout({ url, customerId })).checkout!.id;
  const newKey = async () =>
    (await clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET, label: "spare" } })).apiKey!.id;
  const newDeleted = async () => {
    const { customer } = await clients.customers.createCustomer({ customer: { email: `gone.${unique}@example.com` } });
    await clients.customers.deleteCustomer({ id: customer!.id });
    return customer!.id;
  };
  await clients.photos.uploadPhoto({ customerId, content: Buffer.from(tinyPhoto, "base64") });
  return {
    unique,
    apiKey: await newKey(),
    customer: customerId,
    deletedCustomer: await newDeleted(),
    address: await newAddress(),
    spareAddress: await newAddress(),
    paymentMethod: await attach(token("first")),
    sparePaymentMethod: await attach(token("spare")),
    freshToken: token("fresh"),
    order: (await clients.orders.createOrder({ checkoutId: await newCheckout() })).order!.id,
    checkout: await newCheckout(),
  };
}

// A request for each RPC that succeeds in a fresh world and fills every field that a client may fill.
const requests: Readonly<Record<string, (world: World) => JsonObject>> = {
  "AccountService.GetAccount": () => ({}),
  "AccountService.GetAccountSettings": () => ({}),
  "AccountService.UpdateAccountSettings": () => ({
    settings: { etag: "v1", maxAddressesPerCustomer: 7, allowedCountries: ["US", "CA"], erasureDelay: "86400s" },
    updateMask: "maxAddressesPerCustomer,allowedCountries,erasureDelay",
  }),
  "ApiKeyService.CreateApiKey": () => ({ apiKey: { label: `${canary} key`, kind: "API_KEY_KIND_PUBLISHABLE" } }),
  "ApiKeyService.GetApiKey": ({ apiKey }) => ({ id: apiKey }),
  "ApiKeyService.ListApiKeys": () => ({ pageSize: 1 }),
  "ApiKeyService.RevokeApiKey": ({ apiKey }) => ({ id: apiKey }),
  "CustomerService.CreateCustomer": (world) => ({ customer: { id: `own-${world.unique}`, ...customerOf(world) } }),
  "CustomerService.GetCustomer": ({ customer }) => ({ id: customer }),
  "CustomerService.BatchGetCustomers": ({ customer }) => ({ ids: [customer] }),
  "CustomerService.GetOrCreateCustomer": (world) => ({ customer: { id: `own-${world.unique}`, ...customerOf(world) } }),
  "CustomerService.SearchCustomers": () => ({ query: canary, pageSize: 1 }),
  "CustomerService.ListCustomers": () => ({ pageSize: 1, showDeleted: true }),
  "CustomerService.UpdateCustomer": (world) => ({
    customer: {
      id: world.customer,
      ...customerOf(world),
      defaultAddressId: world.spareAddress,
      defaultPaymentMethodId: world.sparePaymentMethod,
    },
    updateMask: "email,name,firstName,lastName,displayName,phone,country,locale,type,metadata,defaultAddressId",
  }),
  "CustomerService.DeleteCustomer": ({ customer }) => ({ id: customer }),
  "CustomerService.UndeleteCustomer": ({ deletedCustomer }) => ({ id: deletedCustomer }),
  "AddressService.CreateAddress": ({ customer }) => ({ customerId: customer, address }),
  "AddressService.GetAddress": (world) => ({ customerId: world.customer, id: world.address }),
  "AddressService.ListAddresses": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
  "AddressService.UpdateAddress": (world) => ({
    customerId: world.customer,
    address: { id: world.address, ...address, line1: `2 ${canary} St`, city: `${canary} Town` },
    updateMask: "line1,city",
  }),
  "AddressService.DeleteAddress": (world) => ({ customerId: world.customer, id: world.address }),
  "AddressService.SetDefaultAddress": (world) => ({ customerId: world.customer, id: world.spareAddress }),
  "PaymentMethodService.AttachPaymentMethod": (world) => ({
    customerId: world.customer,
    paymentMethod: { id: world.freshToken, label: `${canary} card` },
  }),
  "PaymentMethodService.GetPaymentMethod": (world) => ({ customerId: world.customer, id: world.paymentMethod }),
  "PaymentMethodService.ListPaymentMethods": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
  "PaymentMethodService.UpdatePaymentMethod": (world) => ({
    customerId: world.customer,
    paymentMethod: { id: world.paymentMethod, label: `${canary} card` },
    updateMask: "label",
  }),
  "PaymentMethodService.SetDefaultPaymentMethod": (world) => ({ customerId: world.customer, id: world.freshToken }),
  "PaymentMethodService.DetachPaymentMethod": (world) => ({ customerId: world.customer, id: world.paymentMethod }),
  "PhotoService.UploadPhoto": (world) => ({ customerId: world.customer, content: tinyPhoto }),
  "PhotoService.DeletePhoto": (world) => ({ customerId: world.customer }),
  "CheckoutService.CreateCheckout": (world) => ({
    url,
    customerId: world.customer,
    creditCardToken: world.freshToken,
    contact: { email: `${canary}@example.com`, name: `${canary} name`, phone: canaryPhone },
    shipping: address,
    displayName: `${canary} display`,
    locale: "en_US",
    type: "CUSTOMER_TYPE_BUSINESS",
  }),
  "CheckoutService.GetCheckout": ({ checkout }) => ({ id: checkout }),
  "CheckoutService.ListCheckouts": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
  "OrderService.CreateOrder": ({ checkout }) => ({ checkoutId: checkout }),
  "OrderService.GetOrder": ({ order }) => ({ id: order }),
  "OrderService.ListOrders": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
};

/** A request for a method, in proto JSON. Fails the test of a method that has none here: give it one. */
export function requestFor(method: DescMethod, world: World): JsonObject {
  const request = requests[nameOf(method)];
  return request?.(world) ?? expect.fail(`test/support/scenario.ts has no request for ${nameOf(method)}`);
}

/** The request of a method, changed in one text so that it is valid and another one. */
export function otherRequest(request: JsonObject): JsonObject {
  const path = firstText(request) ?? expect.fail("the request has no text to change");
  return replaceAt(request, path, (text) => `${text}0`) as JsonObject;
}

function firstText(value: unknown, path: readonly string[] = []): readonly string[] | undefined {
  if (typeof value === "string") return path;
  const inner = typeof value === "object" && value !== null ? Object.entries(value) : [];
  return inner.map(([key, next]) => firstText(next, [...path, key])).find((found) => found !== undefined);
}

/** A copy of a JSON value in which what lies at a path is another; what is missing on the way is made. */
export function replaceAt(
  value: unknown,
  [key, ...rest]: readonly string[],
  by: (before: unknown) => unknown,
): unknown {
  if (key === undefined) return by(value);
  if (Array.isArray(value)) return value.map((item, at) => (String(at) === key ? replaceAt(item, rest, by) : item));
  const object = Object(value ?? {});
  return { ...object, [key]: replaceAt(object[key], rest, by) };
}
