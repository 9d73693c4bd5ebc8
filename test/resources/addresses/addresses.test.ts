import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import type { Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { picked } from "../../support/picked.js";
import { changeSettings } from "../../support/settings.js";

type AddressInit = MessageInitShape<typeof AddressSchema>;

let now = new Date("2026-03-01T12:00:00Z");
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});

async function update(customerId: string, address: AddressInit, paths: string[] = []): Promise<Address> {
  const answer = await clients.addresses.updateAddress({ customerId, address, updateMask: { paths } });
  return answer.address!;
}

async function get({ customerId, id }: Address): Promise<Address> {
  const { address } = await clients.addresses.getAddress({ customerId, id });
  return address!;
}

test("an address is created with every field and read back", async () => {
  const customer = await createCustomer(clients);
  const given = {
    ...houston,
    label: "Home",
    name: "Ada Lovelace",
    organization: "Analytical Engines",
    phone: "+17135550100",
    email: "ada@example.com",
    line2: "Floor 2",
    county: "Harris",
    country: "United States",
    instructions: "Ring twice",
    additionalAddressInfo: { neighborhood: "Downtown", division: "Research", phoneticName: "AY-da" },
  };
  const address = await createAddress(clients, customer.id, given);
  expect(address).toMatchObject({ ...given, customerId: customer.id, country: "US" });
  expect(address.createTime).toEqual(address.updateTime);
  expect(address.createTime!.seconds).toBe(BigInt(now.getTime() / 1000));
  expect(address.id).toMatch(/^adr_[0-9a-z]{26}$/);
  expect(await get(address)).toEqual(address);
  const { addresses } = await clients.addresses.listAddresses({ customerId: customer.id });
  expect(addresses).toEqual([address]);
});

test("texts of an address are trimmed, and output-only fields ignored", async () => {
  const customer = await createCustomer(clients);
  const additionalAddressInfo = { neighborhood: " Downtown ", division: " " };
  const given = { id: "mine", customerId: "other", label: " Home ", line2: " ", etag: "mine", additionalAddressInfo };
  const address = await createAddress(clients, customer.id, given);
  expect(address).toMatchObject({ customerId: customer.id, label: "Home" });
  expect(address.id).toMatch(/^adr_/);
  expect(address.line2).toBeUndefined();
  expect(address.additionalAddressInfo).toMatchObject({ neighborhood: "Downtown" });
  expect(address.additionalAddressInfo!.division).toBeUndefined();
});

const invalid: { field: string; address: AddressInit; description?: string }[] = [
  { field: "address.email", address: { email: "nonsense" }, description: "Enter a valid email address." },
  { field: "address.phone", address: { phone: "call me" }, description: "Enter a valid phone number." },
  { field: "address.country", address: { country: "Atlantis" }, description: "Enter a valid country." },
  { field: "address.line1", address: { line1: "x".repeat(201) } },
  { field: "address.city", address: { city: "x\0" } },
  { field: "address.postal_code", address: { postalCode: "9".repeat(21) } },
  {
    field: "address.additional_address_info.division",
    address: { additionalAddressInfo: { division: "x".repeat(101) } },
  },
];

test.for(invalid)("a wrong $field is refused at create and at update", async ({ field, address, description }) => {
  const customer = await createCustomer(clients);
  const stored = await createAddress(clients, customer.id);
  const wanted = { code: "InvalidArgument", fields: { [field]: description ?? expect.any(String) } };
  expect(await failureOf(createAddress(clients, customer.id, address))).toMatchObject(wanted);
  expect(await failureOf(update(customer.id, { id: stored.id, ...address }))).toMatchObject(wanted);
  expect(await get(stored)).toEqual(stored);
});

const requiredFields: { preset: SettingsPreset; required: string[] }[] = [
  { preset: SettingsPreset.OPEN, required: ["line1", "city", "country"] },
  { preset: SettingsPreset.SIMPLE_CHECKOUT, required: ["line1", "city", "state", "postal_code", "country"] },
  { preset: SettingsPreset.DIGITAL_RIVER, required: [] },
  { preset: SettingsPreset.FOUR_GEEKS, required: [] },
  {
    preset: SettingsPreset.ELASTIC_PATH,
    required: ["first_name", "last_name", "line1", "state", "postal_code", "country"],
  },
];

test.for(requiredFields)("preset $preset asks for the fields $required of an address", async ({ preset, required }) => {
  const { test: own } = await clientele.createAccount(preset);
  const { id: customerId } = await createCustomer(own);
  const address = required.length === 0 ? { city: "Austin" } : { label: "Home" };
  const create = own.addresses.createAddress({ customerId, address });
  if (required.length === 0) return expect(await create).toMatchObject({ address });
  const failure = await failureOf(create);
  expect(failure).toMatchObject({ code: "InvalidArgument", message: "This field is required." });
  const missing = required.map((field) => [`address.${field}`, "This field is required."]);
  expect(failure.fields).toEqual(Object.fromEntries(missing));
  expect(await createAddress(own, customerId)).toMatchObject(houston);
});

test("a required field of an address cannot be cleared", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id } = await createAddress(clients, customerId);
  expect(await failureOf(update(customerId, { id }, ["city"]))).toMatchObject({
    fields: { "address.city": "This field is required." },
  });
});

test.for(["CA", "Canada"])("an address in %s is refused where only the US is allowed", async (country) => {
  const { test: own } = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
  const { id: customerId } = await createCustomer(own);
  const message = "Addresses in Canada are not accepted.";
  const wanted = { code: "InvalidArgument", message, fields: { "address.country": message } };
  expect(await failureOf(createAddress(own, customerId, { country }))).toMatchObject(wanted);
  const { id } = await createAddress(own, customerId, { country: "United States" });
  const update = own.addresses.updateAddress({ customerId, address: { id, country } });
  expect(await failureOf(update)).toMatchObject(wanted);
});

test("one address more than the settings allow is refused, and room again after a deletion", async () => {
  const { test: own } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
  const { id: customerId } = await createCustomer(own);
  const [first] = [await createAddress(own, customerId), await createAddress(own, customerId)];
  await createAddress(own, customerId);
  expect(await failureOf(createAddress(own, customerId))).toMatchObject({
    code: "FailedPrecondition",
    reason: "ADDRESS_LIMIT_REACHED",
    message: "Customer already has 3 addresses registered.",
  });
  await own.addresses.deleteAddress({ customerId, id: first!.id });
  expect(await createAddress(own, customerId)).toMatchObject({ customerId });
  await changeSettings(own, { maxAddressesPerCustomer: 0 }, ["max_addresses_per_customer"]);
  expect(await createAddress(own, customerId)).toMatchObject({ customerId });
});

test.for([true, false])("the first address becomes the default: %s, a second one never", async (becomes) => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { firstAddressBecomesDefault: becomes });
  const { id: customerId } = await createCustomer(own);
  const [first, second] = [await createAddress(own, customerId), await createAddress(own, customerId)];
  expect([first.isDefault, second.isDefault]).toEqual([becomes, false]);
  expect((await getCustomer(own, customerId)).defaultAddressId).toBe(becomes ? first.id : undefined);
});

test("a customer has one default address, and none once it is deleted", async () => {
  const { id: customerId } = await createCustomer(clients);
  const [first, second] = [await createAddress(clients, customerId), await createAddress(clients, customerId)];
  const { address } = await clients.addresses.setDefaultAddress({ customerId, id: second.id });
  expect(address).toEqual({ ...second, isDefault: true });
  expect([(await get(first)).isDefault, (await get(second)).isDefault]).toEqual([false, true]);
  expect(await getCustomer(clients, customerId)).toMatchObject({ defaultAddressId: second.id });
  const { etag } = await getCustomer(clients, customerId);
  await clients.addresses.setDefaultAddress({ customerId, id: second.id });
  expect(await getCustomer(clients, customerId)).toMatchObject({ etag });
  await clients.addresses.deleteAddress({ customerId, id: second.id });
  expect((await getCustomer(clients, customerId)).defaultAddressId).toBeUndefined();
  expect(await failureOf(get(second))).toMatchObject({ code: "NotFound" });
  expect(await get(first)).toEqual({ ...first, isDefault: false });
});

const masks: { name: string; paths: string[]; set: AddressInit; want: Partial<Address> }[] = [
  {
    name: "only the masked field",
    paths: ["label"],
    set: { label: "B", city: "Austin" },
    want: { label: "B", city: "Houston" },
  },
  {
    name: "populated fields without a mask",
    paths: [],
    set: { city: "Austin" },
    want: { label: "Home", city: "Austin" },
  },
  {
    name: "a masked field without a value to none",
    paths: ["label"],
    set: {},
    want: { label: undefined, city: "Houston" },
  },
  {
    name: "every field with *",
    paths: ["*"],
    set: { line1: "1 Main Street", city: "Austin", country: "US" },
    want: {
      line1: "1 Main Street",
      city: "Austin",
      country: "US",
      label: undefined,
      state: undefined,
      postalCode: undefined,
    },
  },
  { name: "a country given by name to its code", paths: [], set: { country: "Costa Rica" }, want: { country: "CR" } },
  {
    name: "additional info to none",
    paths: ["additional_address_info"],
    set: {},
    want: { additionalAddressInfo: undefined },
  },
];

test.for(masks)("an update changes $name and keeps the id", async ({ paths, set, want }) => {
  const { id: customerId } = await createCustomer(clients);
  const given = { label: "Home", additionalAddressInfo: { neighborhood: "Downtown" } };
  const before = await createAddress(clients, customerId, given);
  const changed = await update(customerId, { id: before.id, ...set }, paths);
  expect(changed).toMatchObject({ id: before.id, customerId, isDefault: true, createTime: before.createTime });
  expect(picked(changed, want)).toEqual(want);
  expect(await get(changed)).toEqual(changed);
});

test.for(["no_such_field", "customer_id", "is_default", "create_time", "label.x"])(
  "an update of the path %s is refused",
  async (path) => {
    const { id: customerId } = await createCustomer(clients);
    const address = await createAddress(clients, customerId);
    const failure = await failureOf(update(customerId, { id: address.id, label: "B" }, ["label", path]));
    expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
    expect(Object.keys(failure.fields)).toEqual(["update_mask"]);
    expect(await get(address)).toEqual(address);
  },
);

test("a stale etag is ABORTED, a fresh one works, and an update of nothing keeps it", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id, etag: first } = await createAddress(clients, customerId);
  now = new Date(now.getTime() + 1000);
  const second = await update(customerId, { id, label: "B", etag: first });
  expect(second.etag).not.toBe(first);
  expect(second.updateTime!.seconds).toBe(BigInt(now.getTime() / 1000));
  const stale = { code: "Aborted", reason: "ETAG_STALE" };
  expect(await failureOf(update(customerId, { id, label: "C", etag: first }))).toMatchObject(stale);
  expect(await failureOf(clients.addresses.deleteAddress({ customerId, id, etag: first }))).toMatchObject(stale);
  expect(await update(customerId, { id, label: "B", etag: second.etag })).toEqual(second);
  await clients.addresses.deleteAddress({ customerId, id, etag: second.etag });
  expect(await failureOf(get(second))).toMatchObject({ code: "NotFound" });
});

type Call = (clients: Clients, customerId: string, id: string) => Promise<unknown>;
const calls: { name: string; call: Call; ofCustomer?: boolean }[] = [
  { name: "create", call: (by, customerId) => createAddress(by, customerId), ofCustomer: true },
  { name: "list", call: ({ addresses }, customerId) => addresses.listAddresses({ customerId }), ofCustomer: true },
  { name: "get", call: ({ addresses }, customerId, id) => addresses.getAddress({ customerId, id }) },
  { name: "update", call: ({ addresses }, customerId, id) => addresses.updateAddress({ customerId, address: { id } }) },
  { name: "delete", call: ({ addresses }, customerId, id) => addresses.deleteAddress({ customerId, id }) },
  { name: "set default", call: ({ addresses }, customerId, id) => addresses.setDefaultAddress({ customerId, id }) },
];

test.for(calls)("a stranger's address is not found by $name, as if it were absent", async ({ call, ofCustomer }) => {
  const { test: own, live } = await clientele.createAccount();
  const [{ id: customerId }, other] = [await createCustomer(own), await createCustomer(own)];
  const { id } = await createAddress(own, customerId);
  const foreign = await failureOf(call(live, customerId, id));
  expect(foreign).toMatchObject({ code: "NotFound", reason: "RESOURCE_NOT_FOUND" });
  expect(foreign).toEqual(await failureOf(call(live, "cus_absent", "adr_absent")));
  expect(foreign).toEqual(await failureOf(call(own, "cus_absent", "adr_absent")));
  if (ofCustomer) return;
  const ofAnother = await failureOf(call(own, other.id, id));
  expect(ofAnother).toMatchObject({ message: "The address could not be found, please check the id." });
  expect(ofAnother).toEqual(await failureOf(call(own, other.id, "adr_absent")));
});

test("a softly deleted customer still shows its addresses, and they cannot be changed", async () => {
  const { id: customerId } = await createCustomer(clients);
  const address = await createAddress(clients, customerId);
  await clients.customers.deleteCustomer({ id: customerId });
  expect(await get(address)).toEqual(address);
  expect((await clients.addresses.listAddresses({ customerId })).addresses).toEqual([address]);
  for (const { call } of calls.filter(({ name }) => !["get", "list"].includes(name))) {
    expect(await failureOf(call(clients, customerId, address.id))).toMatchObject({ reason: "CUSTOMER_DELETED" });
  }
});
