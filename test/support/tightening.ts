import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { type AccountSettingsSchema, EmailUniqueness } from "../../gen/clientele/v1/accounts_pb.js";
import { createAddress } from "./addresses.js";
import type { Clients } from "./clientele.js";
import { createCustomer } from "./customers.js";
import type { Failure } from "./errors.js";

type Settings = MessageInitShape<typeof AccountSettingsSchema>;

/** One setting, and data that breaks it. */
interface Case {
  readonly setting: string;
  readonly resourceType: "customer" | "address";
  readonly description: string;
  readonly tightened: Settings;
  /** Makes something that breaks the setting, and something that keeps it; answers the ids of what breaks it. */
  readonly seed: (clients: Clients) => Promise<{ broken: string[]; customerId: string; addressId?: string }>;
  /** Writes what the tightened setting forbids. */
  readonly breakAgain: (clients: Clients, customerId: string) => Promise<unknown>;
  readonly refused: Partial<Failure>;
}

async function seedCustomers(clients: Clients, broken: object, kept: object) {
  const customer = await createCustomer(clients, broken);
  await createCustomer(clients, kept);
  return { broken: [customer.id], customerId: customer.id };
}

async function seedAddresses(clients: Clients, broken: object) {
  const { id: customerId } = await createCustomer(clients);
  await createAddress(clients, customerId);
  const address = await createAddress(clients, customerId, broken);
  return { broken: [address.id], customerId, addressId: address.id };
}

const required = "This field is required.";
const metadataCase = (limits: Settings["metadataLimits"], broken: object, kept: object, field: string): Case => ({
  setting: "metadata_limits",
  resourceType: "customer",
  description: "Customers whose metadata exceeds a limit",
  tightened: { metadataLimits: limits! },
  seed: (clients) => seedCustomers(clients, { metadata: broken }, { metadata: kept }),
  breakAgain: (clients) => createCustomer(clients, { metadata: broken as never }),
  refused: { reason: "FIELDS_INVALID", fields: { [field]: expect.stringMatching(/^must be at most/) } },
});

/** Every setting that present data can break. */
export const brokenSettings: readonly Case[] = [
  {
    setting: "required_customer_fields",
    resourceType: "customer",
    description: "Customers without phone or country",
    tightened: { requiredCustomerFields: ["phone", "country"] },
    seed: (clients) => seedCustomers(clients, { phone: "+50683236988" }, { phone: "+50683236988", country: "CR" }),
    breakAgain: (clients) => createCustomer(clients, { country: "CR" }),
    refused: { reason: "FIELDS_INVALID", fields: { "customer.phone": required } },
  },
  {
    setting: "email_uniqueness",
    resourceType: "customer",
    description: "Customers that share their e-mail address with another one",
    tightened: { emailUniqueness: EmailUniqueness.UNIQUE },
    async seed(clients) {
      const first = await createCustomer(clients, { email: "Shared@Example.com" });
      const second = await createCustomer(clients, { email: "shared@example.com" });
      await createCustomer(clients);
      return { broken: [first.id, second.id], customerId: second.id };
    },
    breakAgain: (clients) => createCustomer(clients, { email: "SHARED@example.com" }),
    refused: { code: "AlreadyExists", reason: "EMAIL_TAKEN" },
  },
  {
    setting: "max_addresses_per_customer",
    resourceType: "customer",
    description: "Customers with more than 1 addresses",
    tightened: { maxAddressesPerCustomer: 1 },
    async seed(clients) {
      const { customerId } = await seedAddresses(clients, {});
      await createAddress(clients, (await createCustomer(clients)).id);
      return { broken: [customerId], customerId };
    },
    breakAgain: (clients, customerId) => createAddress(clients, customerId),
    refused: { reason: "ADDRESS_LIMIT_REACHED", message: "Customer already has 2 addresses registered." },
  },
  {
    setting: "allowed_countries",
    resourceType: "address",
    description: "Addresses in a country that is not allowed",
    tightened: { allowedCountries: ["US", "CR"] },
    seed: (clients) => seedAddresses(clients, { country: "FR", state: "", postalCode: "75001" }),
    breakAgain: (clients, customerId) =>
      createAddress(clients, customerId, { country: "DE", state: "", postalCode: "10115" }),
    refused: { fields: { "address.country": "Addresses in Germany are not accepted." } },
  },
  {
    setting: "required_address_fields",
    resourceType: "address",
    description: "Addresses without line1 or postal_code",
    tightened: { requiredAddressFields: ["line1", "postal_code"] },
    seed: (clients) => seedAddresses(clients, { postalCode: "" }),
    breakAgain: (clients, customerId) => createAddress(clients, customerId, { line1: "" }),
    refused: { fields: { "address.line1": required } },
  },
  // As compact JSON `{"k":[1,1e+21],"é":"\n"}` has 25 bytes, yet 45 as Postgres spells it.
  metadataCase({ maxBytes: 24 }, { k: [1, 1e21], é: "\n" }, { k: [1, 1e21], e: "\n" }, "customer.metadata"),
  metadataCase({ maxKeys: 2 }, { a: 1, b: 2, c: 3 }, { a: 1, b: 2 }, "customer.metadata"),
  metadataCase({ maxKeyLength: 3 }, { "😀abc": 1 }, { "😀ab": 1 }, "customer.metadata.😀abc"),
  metadataCase({ maxValueLength: 5 }, { a: "12345", b: [1, 22] }, { a: "12345", b: [1, 2] }, "customer.metadata.b"),
];
