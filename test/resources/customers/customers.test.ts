import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, expect, test } from "vitest";
import { DefaultPhoto } from "../../../gen/clientele/v1/accounts_pb.js";
import {
  type Customer,
  type CustomerSchema,
  CustomerState,
  CustomerType,
} from "../../../gen/clientele/v1/customers_pb.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod } from "../../support/payment-methods.js";
import { picked } from "../../support/picked.js";
import { changeSettings } from "../../support/settings.js";

type CustomerInit = MessageInitShape<typeof CustomerSchema>;

let now = new Date("2026-03-01T12:00:00.500Z");
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});

async function update(customer: CustomerInit, paths: string[] = []): Promise<Customer> {
  const answer = await clients.customers.updateCustomer({ customer, updateMask: { paths } });
  return answer.customer!;
}

test("a customer is created with every field and read back", async () => {
  const given = {
    email: "Ada@Example.com",
    name: "Ada Lovelace",
    firstName: "Ada",
    lastName: "Lovelace",
    displayName: "The Countess",
    phone: "+17135550100",
    country: "GB",
    locale: "en_GB",
    type: CustomerType.BUSINESS,
    enabled: false,
    metadata: { tier: "gold", tags: ["a", 1, true], nested: { deep: 0.5 } },
  };
  const { customer } = await clients.customers.createCustomer({ customer: given });
  expect(customer).toMatchObject({
    ...given,
    countryName: "United Kingdom",
    liveMode: false,
    state: CustomerState.ACTIVE,
    createTime: { seconds: BigInt(Math.trunc(now.getTime() / 1000)), nanos: 500_000_000 },
    updateTime: { seconds: BigInt(Math.trunc(now.getTime() / 1000)), nanos: 500_000_000 },
  });
  expect(customer!.id).toMatch(/^cus_[0-9a-z]{26}$/);
  expect(await getCustomer(clients, customer!.id)).toEqual(customer);
});

test("a customer of the live key is in live mode", async () => {
  const { live } = await clientele.createAccount();
  expect(await createCustomer(live)).toMatchObject({ liveMode: true });
});

test("output-only fields of a new customer are ignored", async () => {
  const customer = await createCustomer(clients, {
    state: CustomerState.DELETED,
    liveMode: true,
    etag: "mine",
    photoUrl: "x",
  });
  expect(customer).toMatchObject({ state: CustomerState.ACTIVE, liveMode: false });
  expect(customer.photoUrl).toBe("");
  expect(customer.etag).not.toBe("mine");
});

const displayNames = [
  { from: "the request", given: { displayName: "Countess", email: "d1@example.com", name: "Ada" }, want: "Countess" },
  { from: "the e-mail address", given: { email: "d2@example.com", name: "Ada" }, want: "d2@example.com" },
  { from: "the name", given: { email: undefined, name: "Ada" }, want: "Ada" },
  { from: "the id", given: { email: undefined, name: undefined, id: "no-name" }, want: "no-name" },
];

test.for(displayNames)("a customer is called by $from", async ({ given, want }) => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, {}, ["required_customer_fields"]);
  expect(await createCustomer(own, given as CustomerInit)).toMatchObject({ displayName: want });
});

test("a display name that was written stays, and follows the e-mail address again once it is cleared", async () => {
  const { id } = await createCustomer(clients, { displayName: "Countess" });
  expect(await update({ id, email: "c1@example.com" })).toMatchObject({ displayName: "Countess" });
  expect(await update({ id }, ["display_name"])).toMatchObject({ displayName: "c1@example.com" });
  expect(await update({ id, email: "c2@example.com" })).toMatchObject({ displayName: "c2@example.com" });
});

test("under LIBRAVATAR the picture without a photo is the one of the lower-cased e-mail address", async () => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { defaultPhoto: DefaultPhoto.LIBRAVATAR });
  const { photoUrl } = await createCustomer(own, { email: "MyEmailAddress@example.com" });
  expect(photoUrl).toBe("https://seccdn.libravatar.org/avatar/0bc83cb571cd1c50ba6f3e8a78ef1346?d=monsterid");
});

const countries = [
  { given: "CR", code: "CR", name: "Costa Rica" },
  { given: "Costa Rica", code: "CR", name: "Costa Rica" },
  { given: " united states ", code: "US", name: "United States" },
];

test.for(countries)(
  "the country $given is stored as $code and answered with its name",
  async ({ given, code, name }) => {
    expect(await createCustomer(clients, { country: given })).toMatchObject({ country: code, countryName: name });
  },
);

const invalid: { field: string; customer: CustomerInit; description?: string }[] = [
  { field: "customer.email", customer: { email: "nonsense" }, description: "Enter a valid email address." },
  { field: "customer.email", customer: { email: `${"a".repeat(250)}@x.io` } },
  { field: "customer.email", customer: { email: "a\0@example.com" } },
  { field: "customer.phone", customer: { phone: "call me" }, description: "Enter a valid phone number." },
  { field: "customer.locale", customer: { locale: "english" } },
  { field: "customer.country", customer: { country: "Atlantis" }, description: "Enter a valid country." },
  { field: "customer.name", customer: { name: "x".repeat(201) } },
  { field: "customer.first_name", customer: { firstName: "x".repeat(101) } },
  { field: "customer.last_name", customer: { lastName: "x".repeat(101) } },
  { field: "customer.display_name", customer: { displayName: "x".repeat(201) } },
  { field: "customer.type", customer: { type: 99 as CustomerType } },
  { field: "customer.id", customer: { id: "two words" } },
  { field: "customer.default_address_id", customer: { defaultAddressId: "adr_absent" } },
  { field: "customer.default_payment_method_id", customer: { defaultPaymentMethodId: "no token" } },
];

test.for(invalid)("a wrong $field is refused at create and named", async ({ field, customer, description }) => {
  const failure = await failureOf(createCustomer(clients, customer));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
  expect(failure.fields).toEqual({ [field]: description ?? expect.any(String) });
});

const setters = invalid.filter(({ field }) => field !== "customer.id");
test.for(setters)("a wrong $field is refused at update and named", async ({ field, customer }) => {
  const { id } = await createCustomer(clients);
  expect(Object.keys((await failureOf(update({ id, ...customer }))).fields)).toEqual([field]);
});

test("a create and an update without a customer are refused", async () => {
  const wanted = { code: "InvalidArgument", fields: { customer: "This field is required." } };
  expect(await failureOf(clients.customers.createCustomer({}))).toMatchObject(wanted);
  expect(await failureOf(clients.customers.updateCustomer({}))).toMatchObject(wanted);
});

const masks: { name: string; paths: string[]; set: CustomerInit; want: Partial<Customer> }[] = [
  {
    name: "only the masked field",
    paths: ["name"],
    set: { name: "B", phone: "555" },
    want: { name: "B", phone: "111" },
  },
  { name: "populated fields without a mask", paths: [], set: { phone: "555" }, want: { name: "Ada", phone: "555" } },
  {
    name: "a masked field without a value to none",
    paths: ["phone"],
    set: {},
    want: { phone: undefined, name: "Ada" },
  },
  { name: "a blank field to none", paths: [], set: { phone: " " }, want: { phone: undefined, name: "Ada" } },
  {
    name: "every field with *",
    paths: ["*"],
    set: { email: "star@example.com", name: "B", metadata: { new: 1 } },
    want: { email: "star@example.com", name: "B", phone: undefined, metadata: { new: 1 }, enabled: true },
  },
  {
    name: "metadata key by key",
    paths: ["metadata"],
    set: { metadata: { b: 3, c: 4 } },
    want: { metadata: { a: 1, b: 3, c: 4 } },
  },
  {
    name: "one key of the metadata",
    paths: ["metadata.b"],
    set: { metadata: { a: 9, b: 3 } },
    want: { metadata: { a: 1, b: 3 } },
  },
  {
    name: "a key of the metadata to none when it is null",
    paths: [],
    set: { metadata: { a: null } },
    want: { metadata: { b: 2 } },
  },
  {
    name: 'a key of the metadata to none when it is ""',
    paths: [],
    set: { metadata: { a: "" } },
    want: { metadata: { b: 2 } },
  },
  { name: "a key of the metadata to none by mask", paths: ["metadata.a"], set: {}, want: { metadata: { b: 2 } } },
  { name: "whether orders may be placed", paths: ["enabled"], set: { enabled: false }, want: { enabled: false } },
  { name: "the type to none by mask", paths: ["type"], set: {}, want: { type: CustomerType.UNSPECIFIED } },
];

test.for(masks)("an update changes $name", async ({ paths, set, want }) => {
  const profile = {
    name: "Ada",
    phone: "111",
    type: CustomerType.BUSINESS,
    metadata: { a: 1, b: 2 } satisfies JsonObject,
  };
  const { id } = await createCustomer(clients, profile);
  const changed = await update({ id, ...set }, paths);
  expect(picked(changed, want)).toEqual(want);
  expect(await getCustomer(clients, id)).toEqual(changed);
});

const wrongPaths = ["no_such_field", "create_time", "etag", "email.domain", "", "Email"];
test.for(wrongPaths)("an update of the path '%s' is refused", async (path) => {
  const { id, etag } = await createCustomer(clients);
  const failure = await failureOf(update({ id, name: "B" }, ["name", path]));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
  expect(Object.keys(failure.fields)).toEqual(["update_mask"]);
  expect(await getCustomer(clients, id)).toMatchObject({ etag });
});

test('with * a key of the metadata that is null or "" is not kept', async () => {
  const { id, email } = await createCustomer(clients, { metadata: { a: 1 } });
  const metadata = { a: "", b: null, c: 1 };
  expect(await update({ id, email: email!, metadata }, ["*"])).toMatchObject({ metadata: { c: 1 } });
  expect((await getCustomer(clients, id)).metadata).toEqual({ c: 1 });
});

test("a customer with the longest e-mail address can be updated", async () => {
  // 64 bytes before the sign, 254 in all.
  const email = `${"a".repeat(64)}@${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(57)}.com`;
  expect(email).toHaveLength(254);
  const { id } = await createCustomer(clients, { email });
  expect(await update({ id, name: "Ada" })).toMatchObject({ email, name: "Ada", displayName: email });
});

test("a stale etag is ABORTED, a fresh one works, and an update of nothing keeps it", async () => {
  const { id, etag: first } = await createCustomer(clients);
  now = new Date(now.getTime() + 1000);
  const second = await update({ id, name: "B", etag: first });
  expect(second.etag).not.toBe(first);
  expect(second.updateTime!.seconds).toBe(BigInt(Math.trunc(now.getTime() / 1000)));
  const stale = { code: "Aborted", reason: "ETAG_STALE" };
  expect(await failureOf(update({ id, name: "C", etag: first }))).toMatchObject(stale);
  expect(await failureOf(clients.customers.deleteCustomer({ id, etag: first }))).toMatchObject(stale);
  expect(await update({ id, name: "B", etag: second.etag })).toEqual(second);
  const { customer } = await clients.customers.deleteCustomer({ id, etag: second.etag });
  expect(customer).toMatchObject({ state: CustomerState.DELETED });
});

test("a default is one of the customer's own, and cleared by mask", async () => {
  const [{ id }, other] = [await createCustomer(clients), await createCustomer(clients)];
  const [first, second, strange] = [
    await createAddress(clients, id),
    await createAddress(clients, id),
    await createAddress(clients, other.id),
  ];
  const card = await attachPaymentMethod(clients, id);
  const strangeCard = await attachPaymentMethod(clients, other.id);
  const wanted = { defaultAddressId: first.id, defaultPaymentMethodId: card.id };
  expect(await getCustomer(clients, id)).toMatchObject(wanted);
  expect(await update({ id, defaultAddressId: second.id })).toMatchObject({ ...wanted, defaultAddressId: second.id });
  const wrong = [{ defaultAddressId: strange.id }, { defaultPaymentMethodId: strangeCard.id }];
  for (const defaults of wrong)
    expect(await failureOf(update({ id, ...defaults }))).toMatchObject({ code: "InvalidArgument" });
  const cleared = await update({ id }, ["default_address_id", "default_payment_method_id"]);
  expect([cleared.defaultAddressId, cleared.defaultPaymentMethodId]).toEqual([undefined, undefined]);
});

const calls: { name: string; call: (clients: Clients, id: string) => Promise<unknown> }[] = [
  { name: "get", call: ({ customers }, id) => customers.getCustomer({ id }) },
  { name: "update", call: ({ customers }, id) => customers.updateCustomer({ customer: { id, name: "B" } }) },
  { name: "delete", call: ({ customers }, id) => customers.deleteCustomer({ id }) },
];

test.for(calls)("another tenant's customer is not found by $name, as if it were absent", async ({ call }) => {
  const { test: own, live } = await clientele.createAccount();
  const customer = await createCustomer(own);
  const failure = await failureOf(call(live, customer.id));
  expect(failure).toMatchObject({
    code: "NotFound",
    reason: "RESOURCE_NOT_FOUND",
    message: "The customer could not be found, please check the id.",
  });
  expect(failure).toEqual(await failureOf(call(own, "cus_absent")));
  expect(await getCustomer(own, customer.id)).toEqual(customer);
});
