import { randomBytes, randomInt } from "node:crypto";
import { expect } from "vitest";
import { AddressPurpose } from "../../gen/clientele/v1/addresses_pb.js";
import { CustomerType } from "../../gen/clientele/v1/customers_pb.js";
import type { Clientele, Clients, TestAccount } from "./clientele.js";
import { plain } from "./images.js";

/** A customer with one of everything, and the values by which one would know the person. */
export interface Person {
  readonly id: string;
  readonly values: Readonly<Record<"email" | "contact" | "token", string>> & Readonly<Record<string, string | Buffer>>;
}

/** Makes a customer, every value of which is nobody else's; under presets that take an address in Texas. */
export async function newPerson(clientele: Clientele, { test: clients }: TestAccount): Promise<Person> {
  // Too short for the number of a card.
  const unique = randomBytes(5).toString("hex");
  const values: Record<string, string | Buffer> = {};
  const say = (name: string, value = `${name} ${unique}`): string => {
    values[name] = value;
    return value;
  };
  const key = (name: string) => ({ headers: { "idempotency-key": say(`key-${name}`, `key-${name}-${unique}`) } });
  const addressOf = (kind: string) => ({
    ...Object.fromEntries(addressTexts.map((field) => [field, say(`${kind} ${field}`)])),
    email: say(`${kind} email`, `${kind}.${unique}@example.com`),
    additionalAddressInfo: { neighborhood: say(`${kind} hood`), phoneticName: say(`${kind} sound`) },
    ...{ state: "TX", postalCode: "78701", country: "US" },
  });
  const { customer } = await clients.customers.createCustomer(
    {
      customer: {
        email: say("email", `Person.${unique}@Example.com`),
        name: say("name"),
        firstName: say("first"),
        lastName: say("last"),
        displayName: say("display"),
        phone: say("phone", `+1555${String(parseInt(unique.slice(0, 6), 16) % 10_000_000).padStart(7, "0")}`),
        country: "CR",
        locale: "es_CR",
        type: CustomerType.BUSINESS,
        metadata: { [`${say("metakey", `k${unique}`)}`]: { deep: [say("meta value")] } },
        externalReferences: [{ name: "stripe", id: say("reference", `cus_${unique}`) }],
      },
    },
    key("create"),
  );
  const { id } = customer!;
  const token = (name: string) => say(name, `cct_sandbox_${name}_${unique}`);
  const shipping = addressOf("home");
  await clients.customers.updateCustomer({ customer: { id, shipping } }, key("update"));
  const work = await clients.addresses.createAddress({ customerId: id, address: addressOf("work") }, key("address"));
  const billed = { customerId: id, id: work.address!.id, purpose: AddressPurpose.BILLING };
  await clients.addresses.setDefaultAddress(billed);
  const attach = (method: string) =>
    clients.paymentMethods.attachPaymentMethod(
      { customerId: id, paymentMethod: { id: method, label: say(`label of ${method}`) } },
      key(method),
    );
  await attach(token("token"));
  const detached = token("tokenDetached");
  await attach(detached);
  await clients.paymentMethods.detachPaymentMethod({ customerId: id, id: detached }, key("detach"));
  delete values[`label of ${detached}`];
  await clients.paymentMethods.setDefaultPaymentMethod({ customerId: id, id: values.token as string });
  // As the vault's answer does it, so that checkouts copy it.
  const owner = { name: say("owner"), line1: say("owner street") };
  await clientele.db("payment_methods").where({ customer_id: id }).update({ billing: owner });
  await clients.photos.uploadPhoto({ customerId: id, content: await plain("jpeg", 64, 64) }, key("photo"));
  const { content, token: photoToken } = await clientele.db("photos").where({ customer_id: id }).first();
  values.photo = content.subarray(-200);
  values.photoToken = photoToken;
  await login(clientele, clients, id, say);
  await taxes(clients, id, say);
  // As the verifier's answer does it, so that checkouts copy it.
  const verified = { state: "verified", next_attempt_time: null };
  await clientele.db("tax_identifiers").where({ customer_id: id }).update(verified);
  const endpoint = await clients.webhooks.createWebhookEndpoint({ webhookEndpoint: { url: "https://192.0.2.1" } });
  const sent = { customerId: id, resourceId: values.token, type: "payment_method.attached" };
  // As the dispatcher makes it.
  await clientele.db.raw(
    `insert into webhook_deliveries (tenant_id, id, endpoint_id, event_id, event_type, payload, state, create_time)
     select tenant_id, ?, id, 'evt_1', ?, ?, 'succeeded', create_time from webhook_endpoints where id = ?`,
    [`whd_${unique}`, sent.type, JSON.stringify(sent), endpoint.webhookEndpoint!.id],
  );
  const checkout = {
    url: say("url", `https://shop.example/${unique}`),
    customerId: id,
    contact: { email: say("contact", `contact.${unique}@example.com`), name: say("contact name") },
    shipping: addressOf("inline"),
    billing: addressOf("billing"),
    displayName: say("called"),
  };
  const { checkout: bought } = await clients.checkouts.createCheckout({ checkout }, key("checkout"));
  await clients.orders.createOrder({ checkoutId: bought!.id }, key("order"));
  await clients.checkouts.createCheckout({ checkout: { ...checkout, displayName: say("pending") } });
  return { id, values: values as Person["values"] };
}

type Say = (name: string, value?: string) => string;

// A password, a token and an identity at a provider.
async function login({ db }: Clientele, clients: Clients, id: string, say: Say): Promise<void> {
  await clients.customers.updateCustomer({ customer: { id, password: "correct horse battery" } });
  const { hash } = await db("passwords").where({ customer_id: id }).first();
  say("password hash", hash);
  const { secret } = await clients.customerTokens.createCustomerToken({
    credential: { case: "customerId", value: id },
  });
  const { secret_hash } = await db("customer_tokens").where({ customer_id: id }).first();
  say("secret hash", secret_hash.toString("hex"));
  expect(secret).not.toBe("");
  const identity = { id: `cid_${id}`, issuer: say("issuer"), subject: say("subject"), customer_id: id };
  const { tenant_id } = await db("customers").where({ id }).first("tenant_id");
  await db("customer_identities").insert({ tenant_id, ...identity, create_time: new Date() });
}

// Tax identifiers, one of which was taken away again, and a certificate with its file.
async function taxes({ taxIdentifiers, taxCertificates }: Clients, customerId: string, say: Say): Promise<void> {
  const identify = async (name: string) => {
    const value = say(name, `53${randomInt(10 ** 6, 10 ** 7)}`);
    const created = await taxIdentifiers.createTaxIdentifier({ customerId, taxIdentifier: { type: "us_ein", value } });
    return created.taxIdentifier!.id;
  };
  await taxIdentifiers.detachTaxIdentifier({ customerId, id: await identify("former tax id") });
  await identify("tax id");
  const taxCertificate = {
    companyName: say("company"),
    taxAuthority: "TX",
    startDate: "2026-01-01",
    endDate: "2026-12-31",
  };
  await taxCertificates.createTaxCertificate({ customerId, taxCertificate, content: await plain("png", 32, 32) });
}

const addressTexts = [
  "label",
  "name",
  "firstName",
  "lastName",
  "organization",
  "line1",
  "line2",
  "city",
  "instructions",
];
