import { randomBytes } from "node:crypto";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { ApiKeyKind } from "../../gen/clientele/v1/api_keys_pb.js";
import { CustomFieldType } from "../../gen/clientele/v1/custom_fields_pb.js";
import type { Clients } from "./clientele.js";

/** Stands in every text of `requestFor` that a client types freely, so that one can look where it went. */
export const canary = "Canary";
export const canaryPhone = "+15550177299";

/** Ids of resources that one tenant has. What is named `spare` is nobody's default and in no use. */
export interface World {
  readonly apiKey: string;
  readonly customer: string;
  /** The customer's sign-in. */
  readonly email: string;
  readonly password: string;
  readonly customerToken: string;
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
  /** Pending, of a guest, with its secret. */
  readonly guestCheckout: string;
  readonly checkoutSecret: string;
  readonly order: string;
  /** A definition that nothing needs. */
  readonly customField: string;
  readonly webhookEndpoint: string;
  readonly webhookDelivery: string;
  /** Pending, of the customer. */
  readonly taxIdentifier: string;
  readonly spareTaxIdentifier: string;
  readonly taxCertificate: string;
  /** A customer with one of everything, whom no other request needs. */
  readonly person: string;
  /** The erasure of the customer, which is far away. */
  readonly erasure: string;
  /** The first event of the tenant. */
  readonly event: string;
  /** Makes values unique that must be. */
  readonly unique: string;
}

/** A PNG of one pixel. */
export const tinyPhoto =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

export const url = `https://shop.example/${canary}`;

export const address = {
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

/** That of nobody who is exempt any more. */
export const certificate = {
  companyName: `${canary} Inc`,
  taxAuthority: "TX",
  startDate: "2025-01-01",
  endDate: "2025-12-31",
};

export const customerOf = ({ unique }: Pick<World, "unique">) => ({
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
  taxExempt: true,
  requestToBeForgotten: false,
  metadata: { note: `${canary} note`, [`${canary}Key`]: { deep: [1, true, `${canary}`] } },
  externalReferences: [{ name: "stripe", id: `${canary}-${unique}` }],
  shipping: address,
  password: `${canary} pass`,
});

/** Gives a tenant one of each resource. `clients` carry a key of its test half. */
export async function populate(clients: Clients): Promise<World> {
  // Too short for the number of a card, which many digits in a row would be now and then.
  const unique = randomBytes(5).toString("hex");
  const token = (name: string) => `cct_sandbox_${name}_${unique}`;
  const [email, password] = [`first.${unique}@example.com`, `${canary} old pass`];
  const created = await clients.customers.createCustomer({
    customer: { email, name: `${canary} before`, password },
  });
  const customerId = created.customer!.id;
  const newAddress = async () => (await clients.addresses.createAddress({ customerId, address })).address!.id;
  const attach = async (id: string) =>
    (await clients.paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id } })).paymentMethod!.id;
  const newCheckout = async () =>
    (await clients.checkouts.createCheckout({ checkout: { url, customerId } })).checkout!.id;
  const newKey = async () =>
    (await clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET, label: "spare" } })).apiKey!.id;
  const newField = async () => {
    const customField = { slug: `spare_${unique}`, name: "Spare", type: CustomFieldType.STRING };
    return (await clients.customFields.createCustomField({ customField })).customField!.id;
  };
  const newDeleted = async () => {
    const { customer } = await clients.customers.createCustomer({ customer: { email: `gone.${unique}@example.com` } });
    await clients.customers.deleteCustomer({ id: customer!.id });
    return customer!.id;
  };
  const webhook = await clients.webhooks.createWebhookEndpoint({
    webhookEndpoint: { url: `https://192.0.2.1/${canary}` },
  });
  const id = webhook.webhookEndpoint!.id;
  const { webhookDelivery } = await clients.webhooks.pingWebhookEndpoint({ id });
  const newTaxIdentifier = async (owner: string, type: string, value: string) =>
    (await clients.taxIdentifiers.createTaxIdentifier({ customerId: owner, taxIdentifier: { type, value } }))
      .taxIdentifier!.id;
  const newCertificate = async () => {
    const content = Buffer.from(tinyPhoto, "base64");
    const request = { customerId, taxCertificate: certificate, content };
    return (await clients.taxCertificates.createTaxCertificate(request)).taxCertificate!.id;
  };
  const newPerson = async () => {
    const { customer } = await clients.customers.createCustomer({
      customer: { email: `person.${unique}@example.com`, shipping: address },
    });
    const payment = { customerId: customer!.id, paymentMethodId: token("person") };
    const { checkout } = await clients.checkouts.createCheckout({ checkout: { url, ...payment } });
    await clients.orders.createOrder({ checkoutId: checkout!.id });
    return customer!.id;
  };
  const newGuestCheckout = async () => {
    const input = { url, contact: { email: `guest.${unique}@example.com` }, shipping: address };
    const answer = await clients.checkouts.createCheckout({
      checkout: { ...input, paymentMethodId: token("guest") },
    });
    return { guestCheckout: answer.checkout!.id, checkoutSecret: answer.checkoutSecret };
  };
  const newErasure = async () => {
    const far = { customerId, notBeforeTime: timestampFromDate(new Date("2999-01-01")) };
    return (await clients.privacy.requestErasure(far)).erasure!.id;
  };
  const newCustomerToken = async () => {
    const credential = { case: "customerId", value: customerId } as const;
    return (await clients.customerTokens.createCustomerToken({ credential })).customerToken!.id;
  };
  const firstEvent = async () =>
    (await clients.events.listEvents({ pageSize: 1, orderBy: "create_time" })).events[0]!.id;
  // The first of two becomes the default.
  const newAddresses = async () => ({ address: await newAddress(), spareAddress: await newAddress() });
  const newPaymentMethods = async () => ({
    paymentMethod: await attach(token("first")),
    sparePaymentMethod: await attach(token("spare")),
  });
  // The defaults come first, because a checkout takes them.
  const newBelongings = async () => {
    const [addresses, paymentMethods] = await Promise.all([newAddresses(), newPaymentMethods()]);
    const { order } = await clients.orders.createOrder({ checkoutId: await newCheckout() });
    const guestCheckout = await newGuestCheckout();
    return { ...addresses, ...paymentMethods, ...guestCheckout, order: order!.id, checkout: await newCheckout() };
  };
  const [belongings, apiKey, customerToken, deletedCustomer, person, erasure, event, customField, ...tax] =
    await Promise.all([
      newBelongings(),
      newKey(),
      newCustomerToken(),
      newDeleted(),
      newPerson(),
      newErasure(),
      firstEvent(),
      newField(),
      newTaxIdentifier(customerId, "de_vat", "DE136695976"),
      newTaxIdentifier("", "gb_vat", "GB980780684"),
      newCertificate(),
      clients.photos.uploadPhoto({ customerId, content: Buffer.from(tinyPhoto, "base64") }),
    ]);
  const [taxIdentifier, spareTaxIdentifier, taxCertificate] = tax;
  return {
    ...belongings,
    ...{
      unique,
      email,
      password,
      apiKey,
      customer: customerId,
      customerToken,
      deletedCustomer,
      person,
      erasure,
      event,
    },
    ...{ customField, taxIdentifier, spareTaxIdentifier, taxCertificate },
    freshToken: token("fresh"),
    webhookEndpoint: id,
    webhookDelivery: webhookDelivery!.id,
  };
}
