import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { AddressPurpose } from "../../../gen/clientele/v1/addresses_pb.js";
import { filterableFields, orderableFields } from "../../../src/resources/customers/list-fields.js";
import { houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { newToken } from "../../support/payment-methods.js";

const now = new Date("2026-03-01T12:00:00Z");
const time = "2026-03-01T12:00:00Z";
const card = newToken();

let clients: Clients;
let addressId: string;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  clients = (await clientele.createAccount()).test;
  const { id } = await createCustomer(clients, {
    ...{ id: "ada", email: "ada@example.com", name: "Ada L", firstName: "Ada", lastName: "L", displayName: "A" },
    ...{
      phone: "+50683236988",
      country: "CR",
      locale: "en_GB",
      type: 1,
      shipping: houston,
      metadata: { tier: "gold" },
    },
  });
  await clients.paymentMethods.setDefaultPaymentMethod({ customerId: id, id: card });
  const { customer } = await clients.customers.getCustomer({ id });
  addressId = customer!.defaultAddressId!;
  await clients.addresses.setDefaultAddress({ customerId: id, id: addressId, purpose: AddressPurpose.BILLING });
  await clients.customers.deleteCustomer({ id });
});

// One clause for each field, that holds for her.
const clauses: Readonly<Record<string, () => string>> = {
  id: () => "eq(id,ada)",
  email: () => "eq(email,ADA@example.com)",
  name: () => "like(name,ada*)",
  first_name: () => "in(first_name,Ada,Bea)",
  last_name: () => "ge(last_name,L)",
  display_name: () => "eq(display_name,A)",
  phone: () => "eq(phone,+50683236988)",
  country: () => "eq(country,CR)",
  locale: () => "eq(locale,en_GB)",
  type: () => "eq(type,INDIVIDUAL)",
  enabled: () => "eq(enabled,true)",
  tax_exempt: () => "eq(tax_exempt,false)",
  request_to_be_forgotten: () => "eq(request_to_be_forgotten,false)",
  default_address_id: () => `eq(default_address_id,${addressId})`,
  default_billing_address_id: () => `eq(default_billing_address_id,${addressId})`,
  default_payment_method_id: () => `eq(default_payment_method_id,${card})`,
  create_time: () => `le(create_time,${time})`,
  update_time: () => `ge(update_time,${time})`,
  delete_time: () => `eq(delete_time,${time})`,
  purge_time: () => `gt(purge_time,${time})`,
  metadata: () => "eq(metadata.tier,gold)",
  custom_fields: () => "",
};

test("each field that a filter may name is known here, and named by the contract", () => {
  const names = Object.keys(filterableFields([])).sort();
  expect(Object.keys(clauses).sort()).toEqual(names);
  const contract = readFileSync(join(import.meta.dirname, "../../../proto/clientele/v1/customers.proto"), "utf8");
  const [, said = ""] = /\/\/ Fields are (.*?)which compares/s.exec(contract) ?? [];
  expect(
    said
      .replace(/ \(.*?\)/g, "")
      .match(/[a-z_]{2,}(?=[,.]| and)/g)
      ?.sort(),
  ).toEqual(names);
});

test.for(Object.keys(clauses).filter((name) => name !== "custom_fields"))("a filter by %s is kept", async (name) => {
  const found = async (filter: string) =>
    (await clients.customers.listCustomers({ filter, showDeleted: true })).customers.map(({ id }) => id);
  expect(await found(clauses[name]!())).toEqual(["ada"]);
  expect(await found(`is_null(${name === "metadata" ? "metadata.tier" : name})`)).toEqual([]);
});

test.for([
  "eq(email,info@xn--mller-beispiel-gsb.de)",
  "in(email,INFO@MÜLLER-BEISPIEL.DE,a@example.com)",
  'eq(email," info@mu\u0308ller-beispiel.de\u200b")',
  'eq(phone,"+1 (202) 555-0143")',
  "eq(phone,tel:+1-202-555-0143)",
  "eq(country,Costa Rica)",
  "in(country,CRI,PA)",
  "like(email,info@müller*)",
])("%s finds the customer whose value is stored in another spelling", async (filter) => {
  const { test: other } = await clientele.createAccount();
  const email = "info@müller-beispiel.de";
  const { id } = await createCustomer(other, { email, phone: "+12025550143", country: "CR" });
  await createCustomer(other);
  const { customers } = await other.customers.listCustomers({ filter });
  expect(customers.map((customer) => customer.id)).toEqual([id]);
});

test.for(Object.keys(orderableFields([])))("an order by %s is kept, either way", async (name) => {
  for (const orderBy of [name, `${name} desc`]) {
    const { customers } = await clients.customers.listCustomers({ orderBy, showDeleted: true });
    expect(customers.map(({ id }) => id)).toEqual(["ada"]);
  }
});
