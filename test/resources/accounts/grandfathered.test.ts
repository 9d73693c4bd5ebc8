import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  type AccountSettingsSchema,
  DeletionMode,
  EmailUniqueness,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerLookup } from "../../../gen/clientele/v1/customers_pb.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { changeSettings } from "../../support/settings.js";

const clientele = useClientele();

const required = "This field is required.";
const taken = { code: "AlreadyExists", reason: "EMAIL_TAKEN" };
const [unique, duplicates] = [EmailUniqueness.UNIQUE, EmailUniqueness.DUPLICATES_ALLOWED];

/** A tenant whose settings let everything in. */
async function openAccount() {
  const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  await changeSettings(account.test, { metadataLimits: {}, deletion: { mode: DeletionMode.SOFT } });
  return account;
}

async function openTenant(): Promise<Clients> {
  return (await openAccount()).test;
}

async function accept({ accounts }: Clients, settings: MessageInitShape<typeof AccountSettingsSchema>) {
  const { violations } = await accounts.updateAccountSettings({ settings, acceptViolations: true });
  return violations.map(({ setting, count, exampleIds }) => ({ setting, count, exampleIds }));
}

/** Two customers that share an address, and settings that do not let a third one have it. */
async function sharedEmail(clients: Clients) {
  const email = newEmail();
  const [first, second] = [await createCustomer(clients, { email }), await createCustomer(clients, { email })];
  await accept(clients, { emailUniqueness: unique });
  return { email, first, second };
}

test("an update may not break a setting that the customer kept, nor exceed a limit further", async () => {
  const clients = await openTenant();
  const { id } = await createCustomer(clients, { country: "CR", metadata: { a: "123456", b: "1", c: "1" } });
  const tightened = { requiredCustomerFields: ["phone", "country"], metadataLimits: { maxKeys: 2, maxValueLength: 3 } };
  await accept(clients, tightened);
  const update = (customer: object, paths: string[] = []) =>
    clients.customers.updateCustomer({ customer: { id, ...customer }, updateMask: { paths } });
  expect(await failureOf(update({}, ["country"]))).toMatchObject({ fields: { "customer.country": required } });
  expect(await failureOf(update({ metadata: { d: "1" } }))).toMatchObject({
    fields: { "customer.metadata": "must be at most 2 keys" },
  });
  expect(await failureOf(update({ metadata: { b: "1234" } }))).toMatchObject({
    fields: { "customer.metadata.b": "must be at most 3 characters long" },
  });
  await update({ metadata: { a: "12345", b: "", d: "123" } });
  await update({ metadata: { c: "" } });
  expect(await failureOf(update({ metadata: { e: "1" } }))).toMatchObject({
    fields: { "customer.metadata": "must be at most 2 keys" },
  });
  await update({ phone: "+50683236988" });
  expect(await failureOf(update({}, ["phone"]))).toMatchObject({ fields: { "customer.phone": required } });
});

test("an update may not move an address from one forbidden country to another, nor clear what is required", async () => {
  const clients = await openTenant();
  const { id: customerId } = await createCustomer(clients);
  const { id } = await createAddress(clients, customerId, { country: "FR", state: "", postalCode: "75001" });
  const settings = { allowedCountries: ["US"], requiredAddressFields: ["city", "state"] };
  await accept(clients, settings);
  const update = (address: object) => clients.addresses.updateAddress({ customerId, address: { id, ...address } });
  expect(await failureOf(update({ country: "DE", postalCode: "10115" }))).toMatchObject({
    fields: { "address.country": "Addresses in Germany are not accepted." },
  });
  expect(await failureOf(update({ city: "" }))).toMatchObject({ fields: { "address.city": required } });
  expect(await update({ city: "Paris" })).toMatchObject({ address: { country: "FR", city: "Paris" } });
});

test("addresses written while duplicates were allowed are their owners' own from then on", async () => {
  const clients = await openTenant();
  const { id, email } = await createCustomer(clients);
  const other = await createCustomer(clients);
  expect(await changeSettings(clients, { emailUniqueness: unique })).toMatchObject({ emailUniqueness: unique });
  expect(await failureOf(createCustomer(clients, { email: ` ${email!.toUpperCase()} ` }))).toMatchObject(taken);
  const update = clients.customers.updateCustomer({ customer: { id: other.id, email: email!.toUpperCase() } });
  expect(await failureOf(update)).toMatchObject(taken);
  const customer = { email: email! };
  expect(await clients.customers.getOrCreateCustomer({ customer, lookup: CustomerLookup.EMAIL })).toMatchObject({
    customer: { id },
    created: false,
  });
  await clients.customers.deleteCustomer({ id });
  const next = await createCustomer(clients, { email: email! });
  expect(await failureOf(clients.customers.undeleteCustomer({ id }))).toMatchObject(taken);
  await clients.customers.updateCustomer({ customer: { id: next.id, email: newEmail() } });
  expect(await clients.customers.undeleteCustomer({ id })).toMatchObject({ customer: { id, email } });
  expect(await failureOf(createCustomer(clients, { email: email! }))).toMatchObject(taken);
});

test("customers who share an address keep it until they change it, and no other customer gets it meanwhile", async () => {
  const clients = await openTenant();
  const { email, first, second } = await sharedEmail(clients);
  for (const { id } of [first, second]) {
    const customer = { id, email: email.toUpperCase(), phone: "+50683236988" };
    expect(await clients.customers.updateCustomer({ customer })).toMatchObject({ customer });
  }
  await clients.customers.deleteCustomer({ id: first.id });
  expect(await failureOf(createCustomer(clients, { email }))).toMatchObject(taken);
  expect(await failureOf(clients.customers.undeleteCustomer({ id: first.id }))).toMatchObject(taken);
  const moved = newEmail();
  await clients.customers.updateCustomer({ customer: { id: second.id, email: moved } });
  expect(await failureOf(createCustomer(clients, { email: moved }))).toMatchObject(taken);
  await createCustomer(clients, { email });
  const back = clients.customers.updateCustomer({ customer: { id: second.id, email } });
  expect(await failureOf(back)).toMatchObject(taken);
});

test("a customer cannot return to an address that it shared", async () => {
  const clients = await openTenant();
  const { email, first } = await sharedEmail(clients);
  await clients.customers.updateCustomer({ customer: { id: first.id, email: newEmail() } });
  const back = clients.customers.updateCustomer({ customer: { id: first.id, email } });
  expect(await failureOf(back)).toMatchObject(taken);
});

test("uniqueness given up and asked for again counts what is there now", async () => {
  const clients = await openTenant();
  await changeSettings(clients, { emailUniqueness: unique });
  const [older, holder] = [await createCustomer(clients), await createCustomer(clients)];
  await changeSettings(clients, { emailUniqueness: duplicates });
  await clients.customers.updateCustomer({ customer: { id: older.id, email: holder.email! } });
  expect(await accept(clients, { emailUniqueness: unique })).toEqual([
    { setting: "email_uniqueness", count: 2, exampleIds: [older.id, holder.id] },
  ]);
  await changeSettings(clients, { emailUniqueness: duplicates });
  await clients.customers.updateCustomer({ customer: { id: holder.id, email: newEmail() } });
  expect(await changeSettings(clients, { emailUniqueness: unique })).toMatchObject({ emailUniqueness: unique });
  expect(await failureOf(createCustomer(clients, { email: holder.email! }))).toMatchObject(taken);
  expect(await getCustomer(clients, older.id)).toMatchObject({ email: holder.email });
});

test.for([DeletionMode.SOFT, DeletionMode.PERMANENT])(
  "an address that stays taken after a deletion does so for who has it from before (deletion %s)",
  async (mode) => {
    const account = await openAccount();
    const clients = account.test;
    const { email } = await createCustomer(clients);
    const shared = await sharedEmail(clients);
    await changeSettings(clients, { emailReusableAfterDelete: false, deletion: { mode } });
    const { customers } = await clients.customers.listCustomers({});
    const callers = createCallers(clientele, account.testKey, customers.length);
    const { failures } = await allAtOnce(callers, (caller, index) =>
      caller.customers.deleteCustomer({ id: customers[index]!.id }),
    );
    expect(failures).toEqual([]);
    for (const kept of [email!, shared.email]) {
      expect(await failureOf(createCustomer(clients, { email: kept }))).toMatchObject(taken);
    }
  },
);

test("none of 50 customers gets an address that has to be unique by now", async () => {
  const account = await openAccount();
  const { id, email } = await createCustomer(account.test);
  await changeSettings(account.test, { emailUniqueness: unique });
  const callers = createCallers(clientele, account.testKey);
  const { answers, failures } = await allAtOnce(callers, async (caller, index) =>
    index % 2 === 0
      ? caller.customers.createCustomer({ customer: { email: email! } })
      : caller.customers.updateCustomer({ customer: { id, email: email!.toUpperCase() } }),
  );
  expect(answers).toHaveLength(25);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(25).fill("EMAIL_TAKEN"));
});
