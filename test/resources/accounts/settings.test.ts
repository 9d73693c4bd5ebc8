import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  type AccountSettingsSchema,
  DeletionMode,
  EmailMutability,
  EmailUniqueness,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { type Customer, type CustomerSchema, CustomerState } from "../../../gen/clientele/v1/customers_pb.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { changeSettings } from "../../support/settings.js";

type CustomerInit = MessageInitShape<typeof CustomerSchema>;

const clientele = useClientele();

async function clientsWith(settings: MessageInitShape<typeof AccountSettingsSchema>): Promise<Clients> {
  const { test: clients } = await clientele.createAccount();
  await changeSettings(clients, settings);
  return clients;
}

async function create({ customers }: Clients, customer: CustomerInit): Promise<Customer> {
  const answer = await customers.createCustomer({ customer });
  return answer.customer!;
}

async function update({ customers }: Clients, customer: CustomerInit, paths: string[] = []): Promise<Customer> {
  const answer = await customers.updateCustomer({ customer, updateMask: { paths } });
  return answer.customer!;
}

const requiredFields: { preset: string; required: string[] }[] = [
  { preset: "OPEN", required: ["email"] },
  { preset: "SIMPLE_CHECKOUT", required: ["email"] },
  { preset: "DIGITAL_RIVER", required: [] },
  { preset: "FOUR_GEEKS", required: ["first_name", "last_name", "email"] },
  { preset: "ELASTIC_PATH", required: ["name", "email"] },
];

test.for(requiredFields)("$preset asks for the fields $required of a customer", async ({ preset, required }) => {
  const { test: clients } = await clientele.createAccount(SettingsPreset[preset as keyof typeof SettingsPreset]);
  if (required.length === 0) return expect(await create(clients, {})).toMatchObject({ enabled: true });
  const failure = await failureOf(create(clients, {}));
  expect(failure).toMatchObject({ code: "InvalidArgument", message: "This field is required." });
  const missing = required.map((field) => [`customer.${field}`, "This field is required."]);
  expect(failure.fields).toEqual(Object.fromEntries(missing));
  const { id } = await createCustomer(clients);
  for (const field of required) {
    const { fields } = await failureOf(update(clients, { id }, [field]));
    expect(fields).toEqual({ [`customer.${field}`]: "This field is required." });
  }
});

const twins = [
  { name: "the same", first: "ada@example.com", second: "ada@example.com" },
  { name: "one in other case", first: "Ada@Example.com", second: "aDA@eXAMPLE.com" },
  { name: "one with spaces around it", first: " ada@example.com", second: "ada@example.com  " },
];

test.for(twins)(
  "UNIQUE refuses a second customer with $name e-mail address, whose case is kept",
  async ({ first, second }) => {
    const clients = await clientsWith({ emailUniqueness: EmailUniqueness.UNIQUE });
    const taken = { code: "AlreadyExists", reason: "EMAIL_TAKEN" };
    expect(await create(clients, { email: first })).toMatchObject({ email: first.trim() });
    expect(await failureOf(create(clients, { email: second }))).toMatchObject(taken);
    const other = await createCustomer(clients);
    expect(await failureOf(update(clients, { id: other.id, email: second }))).toMatchObject(taken);
  },
);

test.for(twins)("DUPLICATES_ALLOWED takes a second customer with $name e-mail address", async ({ first, second }) => {
  const clients = await clientsWith({ emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED });
  const [one, two] = [await create(clients, { email: first }), await create(clients, { email: second })];
  expect([one.email, two.email]).toEqual([first.trim(), second.trim()]);
});

test("a customer can write its own e-mail address in other case, and leave one for another customer", async () => {
  const clients = await clientsWith({ emailUniqueness: EmailUniqueness.UNIQUE });
  const { id } = await create(clients, { email: "ada@example.com" });
  expect(await update(clients, { id, email: "Ada@Example.com" })).toMatchObject({ email: "Ada@Example.com" });
  await update(clients, { id, email: newEmail() });
  expect(await create(clients, { email: "ada@example.com" })).toMatchObject({ email: "ada@example.com" });
});

test("the tenants of an account may have customers with one e-mail address", async () => {
  const { test: clients, live } = await clientele.createAccount();
  const email = newEmail();
  expect(await create(clients, { email })).toMatchObject({ email });
  expect(await create(live, { email })).toMatchObject({ email });
});

test("once e-mail addresses must be unique, one that a customer has already is taken", async () => {
  const clients = await clientsWith({ emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED });
  const email = newEmail();
  await create(clients, { email });
  await changeSettings(clients, { emailUniqueness: EmailUniqueness.UNIQUE });
  expect(await failureOf(create(clients, { email }))).toMatchObject({ reason: "EMAIL_TAKEN" });
});

test("an IMMUTABLE e-mail address can be set once, not changed and not cleared", async () => {
  const { test: clients } = await clientele.createAccount();
  const immutable = { emailMutability: EmailMutability.IMMUTABLE };
  await changeSettings(clients, immutable, ["email_mutability", "required_customer_fields"]);
  const { id } = await create(clients, {});
  const email = newEmail();
  expect(await update(clients, { id, email })).toMatchObject({ email });
  const refused = { code: "FailedPrecondition", reason: "EMAIL_IMMUTABLE" };
  expect(await failureOf(update(clients, { id, email: newEmail() }))).toMatchObject(refused);
  expect(await failureOf(update(clients, { id }, ["email"]))).toMatchObject(refused);
  expect(await update(clients, { id, email, name: "Ada" })).toMatchObject({ email, name: "Ada" });
});

const deletions = [DeletionMode.SOFT, DeletionMode.PERMANENT].flatMap((mode) =>
  [true, false].map((reusable) => ({ mode, deletion: DeletionMode[mode], reusable })),
);

test.for(deletions)("after a $deletion deletion the e-mail address is free: $reusable", async ({ mode, reusable }) => {
  const clients = await clientsWith({ deletion: { mode }, emailReusableAfterDelete: reusable });
  const { id, email } = await createCustomer(clients);
  await clients.customers.deleteCustomer({ id });
  const again = create(clients, { email: ` ${email!.toUpperCase()}` });
  if (reusable) return expect(await again).toMatchObject({ email: email!.toUpperCase() });
  expect(await failureOf(again)).toMatchObject({ code: "AlreadyExists", reason: "EMAIL_TAKEN" });
  const other = await createCustomer(clients);
  expect(await failureOf(update(clients, { id: other.id, email: email! }))).toMatchObject({ reason: "EMAIL_TAKEN" });
});

test("a softly deleted customer is readable by id, hidden in lists, and cannot be changed", async () => {
  const { test: clients } = await clientele.createAccount();
  const [kept, { id }] = [await createCustomer(clients), await createCustomer(clients)];
  const { customer } = await clients.customers.deleteCustomer({ id });
  expect(customer).toMatchObject({ state: CustomerState.DELETED, deleteTime: customer!.updateTime });
  expect(customer!.purgeTime!.seconds).toBe(customer!.deleteTime!.seconds + 30n * 24n * 60n * 60n);
  expect(await getCustomer(clients, id)).toEqual(customer);
  const listed = async (showDeleted: boolean) =>
    (await clients.customers.listCustomers({ showDeleted })).customers.map((row) => row.id).sort();
  expect(await listed(false)).toEqual([kept.id]);
  expect(await listed(true)).toEqual([kept.id, id].sort());
  const deleted = { code: "FailedPrecondition", reason: "CUSTOMER_DELETED" };
  expect(await failureOf(update(clients, { id, name: "B" }))).toMatchObject(deleted);
  expect(await failureOf(clients.customers.deleteCustomer({ id }))).toMatchObject(deleted);
});

test.for(["chosen", ""])("a permanently deleted customer is gone for good, and so is its id ('%s')", async (chosen) => {
  const clients = await clientsWith({ deletion: { mode: DeletionMode.PERMANENT } });
  const { id } = await createCustomer(clients, { id: chosen });
  const address = await createAddress(clients, id);
  expect((await clients.customers.deleteCustomer({ id })).customer).toBeUndefined();
  const gone = [
    clients.customers.getCustomer({ id }),
    update(clients, { id, name: "B" }),
    clients.customers.deleteCustomer({ id }),
    clients.addresses.getAddress({ customerId: id, id: address.id }),
    clients.addresses.listAddresses({ customerId: id }),
  ];
  const failures = await Promise.all(gone.map(failureOf));
  expect(failures.map(({ code }) => code)).toEqual(gone.map(() => "NotFound"));
  expect((await clients.customers.listCustomers({ showDeleted: true })).customers).toEqual([]);
  const again = await failureOf(createCustomer(clients, { id }));
  expect(again).toMatchObject({ code: "AlreadyExists", reason: "CUSTOMER_ID_TAKEN" });
});

test("SOFT keeps a customer for ever without a time to purge it", async () => {
  const clients = await clientsWith({ deletion: { mode: DeletionMode.SOFT } });
  const { id } = await createCustomer(clients);
  const { customer } = await clients.customers.deleteCustomer({ id });
  expect(customer!.deleteTime).toBeDefined();
  expect(customer!.purgeTime).toBeUndefined();
});

test("a softly deleted customer can be deleted for good once the settings say so", async () => {
  const clients = await clientsWith({ deletion: { mode: DeletionMode.SOFT } });
  const { id } = await createCustomer(clients);
  await clients.customers.deleteCustomer({ id });
  await changeSettings(clients, { deletion: { mode: DeletionMode.PERMANENT } });
  await clients.customers.deleteCustomer({ id });
  expect(await failureOf(clients.customers.getCustomer({ id }))).toMatchObject({ code: "NotFound" });
});

test.for([1, 40])("an id of %i characters can be chosen, once", async (length) => {
  const clients = await clientsWith({ clientAssignedIds: true });
  const id = `0${"~".repeat(length - 1)}`;
  expect(await createCustomer(clients, { id })).toMatchObject({ id });
  const taken = { code: "AlreadyExists", reason: "CUSTOMER_ID_TAKEN" };
  expect(await failureOf(createCustomer(clients, { id }))).toMatchObject(taken);
  await clients.customers.deleteCustomer({ id });
  expect(await failureOf(createCustomer(clients, { id }))).toMatchObject(taken);
});

test.for([
  { length: 41, assigned: true },
  { length: 41, assigned: false },
  { length: 300, assigned: true },
])("an id of $length characters is too long (ids by the client: $assigned)", async ({ length, assigned }) => {
  const clients = await clientsWith({ clientAssignedIds: assigned });
  const failure = await failureOf(createCustomer(clients, { id: "x".repeat(length) }));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "ID_TOO_LONG" });
  expect(Object.keys(failure.fields)).toEqual(["customer.id"]);
});

test.for([["me"], ["."], [".."], ["-a"], ["a/b"], ["a:b"], ["a?b"], ["a#b"], ["a%62"], ["a b"], ["ä"]])(
  "the id %s is refused",
  async ([id]) => {
    const clients = await clientsWith({ clientAssignedIds: true });
    const failure = await failureOf(createCustomer(clients, { id: id! }));
    expect(failure).toMatchObject({ code: "InvalidArgument" });
    expect(Object.keys(failure.fields)).toEqual(["customer.id"]);
  },
);

test("an id cannot be chosen where the settings do not allow it", async () => {
  const clients = await clientsWith({ clientAssignedIds: false });
  expect(await failureOf(createCustomer(clients, { id: "mine" }))).toMatchObject({
    code: "FailedPrecondition",
    reason: "CLIENT_ASSIGNED_IDS_OFF",
  });
  expect((await createCustomer(clients)).id).toMatch(/^cus_/);
});

// {"k":"…"} takes 8 bytes beside the value.
const sized = (bytes: number) => ({ k: "x".repeat(bytes - 8) });
const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, index]));
const limits = [
  { name: "10 240 bytes", preset: "FOUR_GEEKS", fits: sized(10_240), exceeds: sized(10_241) },
  { name: "10 240 bytes", preset: "SIMPLE_CHECKOUT", fits: sized(10_240), exceeds: sized(10_241) },
  { name: "10 240 bytes", preset: "ELASTIC_PATH", fits: sized(10_240), exceeds: sized(10_241) },
  { name: "10 240 bytes", preset: "OPEN", fits: sized(10_240), exceeds: sized(10_241) },
  { name: "10 240 bytes of é", preset: "OPEN", fits: { k: "é".repeat(5116) }, exceeds: { k: "é".repeat(5117) } },
  { name: "20 keys", preset: "DIGITAL_RIVER", fits: keys(20), exceeds: keys(21) },
  { name: "50 keys", preset: "OPEN", fits: keys(50), exceeds: keys(51) },
  { name: "keys of 40", preset: "DIGITAL_RIVER", fits: { ["😀".repeat(40)]: 1 }, exceeds: { ["😀".repeat(41)]: 1 } },
  { name: "values of 500", preset: "DIGITAL_RIVER", fits: { k: "😀".repeat(500) }, exceeds: { k: "😀".repeat(501) } },
  { name: "JSON of 500", preset: "DIGITAL_RIVER", fits: { k: ["x".repeat(496)] }, exceeds: { k: ["x".repeat(497)] } },
];

test.for(limits)("$preset takes metadata of $name, and no more", async ({ preset, fits, exceeds }) => {
  const { test: clients } = await clientele.createAccount(SettingsPreset[preset as keyof typeof SettingsPreset]);
  const { id, metadata } = await createCustomer(clients, { metadata: fits });
  expect(metadata).toEqual(fits);
  const creation = await failureOf(createCustomer(clients, { metadata: exceeds }));
  expect(creation).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
  expect(Object.keys(creation.fields).every((field) => field.startsWith("customer.metadata"))).toBe(true);
  expect(await failureOf(update(clients, { id, metadata: exceeds }))).toMatchObject({ fields: creation.fields });
  expect(await clients.customers.getCustomer({ id })).toMatchObject({ customer: { metadata: fits } });
});

test("metadata is bounded by 65 536 bytes where no limit is set, and merged before it is measured", async () => {
  const clients = await clientsWith({ metadataLimits: {} });
  const { id } = await createCustomer(clients, { metadata: sized(65_536) });
  expect(await failureOf(createCustomer(clients, { metadata: sized(65_537) }))).toMatchObject({
    code: "InvalidArgument",
  });
  expect(await failureOf(update(clients, { id, metadata: { other: 1 } }))).toMatchObject({ code: "InvalidArgument" });
  expect(await update(clients, { id, metadata: { k: "", other: 1 } })).toMatchObject({ metadata: { other: 1 } });
});
