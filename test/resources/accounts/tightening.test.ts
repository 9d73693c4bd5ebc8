import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";
import {
  type AccountSettings,
  type AccountSettingsSchema,
  EmailUniqueness,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { PreconditionFailureSchema } from "../../../gen/google/rpc/error_details_pb.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { changeSettings } from "../../support/settings.js";
import { brokenSettings as cases } from "../../support/tightening.js";

type Settings = MessageInitShape<typeof AccountSettingsSchema>;

const clientele = useClientele();

/** A tenant whose settings let everything in. */
async function openTenant(): Promise<Clients> {
  const { test: clients } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  await changeSettings(clients, { metadataLimits: {} });
  return clients;
}

async function settingsOf({ accounts }: Clients): Promise<AccountSettings> {
  const { settings } = await accounts.getAccountSettings({});
  return settings!;
}

async function report({ accounts }: Clients, settings: Settings, acceptViolations = false) {
  const { violations } = await accounts.updateAccountSettings({ settings, validateOnly: true, acceptViolations });
  return violations;
}

/** The PreconditionFailure of a refused change. */
async function refusalOf(call: Promise<unknown>) {
  const error = await call.catch((thrown: unknown) => thrown);
  expect(await failureOf(call)).toMatchObject({ code: "FailedPrecondition", reason: "SETTINGS_VIOLATED" });
  return (error as ConnectError).findDetails(PreconditionFailureSchema).flatMap((detail) => detail.violations);
}

test.for(cases)("a dry run tells what breaks $setting and changes nothing: $tightened", async (given) => {
  const clients = await openTenant();
  const { broken } = await given.seed(clients);
  const before = await settingsOf(clients);
  const answer = await clients.accounts.updateAccountSettings({ settings: given.tightened, validateOnly: true });
  const { setting, resourceType, description } = given;
  expect(answer.violations).toMatchObject([{ setting, resourceType, description, count: broken.length }]);
  expect(answer.violations[0]!.exampleIds).toEqual(broken);
  expect(answer.settings).toMatchObject({ ...given.tightened, etag: before.etag, updateTime: before.updateTime });
  expect(await settingsOf(clients)).toEqual(before);
});

test.for(cases)("a change that breaks $setting is refused with the same report: $tightened", async (given) => {
  const clients = await openTenant();
  await given.seed(clients);
  const before = await settingsOf(clients);
  const [violation] = await report(clients, given.tightened);
  const preconditions = await refusalOf(changeSettings(clients, given.tightened));
  const { setting: type, resourceType: subject, count, exampleIds } = violation!;
  const description = `${given.description}: ${count}, such as ${exampleIds.join(", ")}.`;
  expect(preconditions).toMatchObject([{ type, subject, description }]);
  expect(await settingsOf(clients)).toEqual(before);
});

test.for(cases)(
  "accepting what breaks $setting holds it for all that comes: $tightened",
  async ({ tightened, seed, breakAgain, refused, resourceType }) => {
    const clients = await openTenant();
    const { broken, customerId, addressId } = await seed(clients);
    const { settings, violations } = await clients.accounts.updateAccountSettings({
      settings: tightened,
      acceptViolations: true,
    });
    expect(violations).toMatchObject([{ resourceType, count: broken.length, exampleIds: broken }]);
    expect(settings).toMatchObject(tightened);
    expect(await settingsOf(clients)).toEqual(settings);
    expect(await failureOf(breakAgain(clients, customerId))).toMatchObject(refused);

    expect(await getCustomer(clients, customerId)).toMatchObject({ id: customerId });
    const customer = { id: customerId, lastName: "Byron" };
    expect(await clients.customers.updateCustomer({ customer })).toMatchObject({ customer });
    const shown = (await getCustomer(clients, customerId)).shipping;
    expect(await clients.customers.updateCustomer({ customer: { id: customerId, shipping: shown! } })).toBeDefined();
    if (addressId === undefined) return;
    const address = { id: addressId, line2: "Second floor" };
    expect(await clients.addresses.updateAddress({ customerId, address })).toMatchObject({ address });
  },
);

test("loosening reports nothing, whatever is there", async () => {
  const clients = await openTenant();
  for (const { seed } of cases) await seed(clients);
  const tightened = Object.assign({}, ...cases.map((given) => given.tightened));
  await clients.accounts.updateAccountSettings({ settings: tightened, acceptViolations: true });
  const loosened = {
    requiredCustomerFields: ["phone"],
    emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED,
    maxAddressesPerCustomer: 0,
    allowedCountries: [],
    requiredAddressFields: ["line1"],
    metadataLimits: {},
  };
  const paths = ["required_customer_fields", "email_uniqueness", "max_addresses_per_customer"];
  paths.push("allowed_countries", "required_address_fields", "metadata_limits", "client_assigned_ids");
  const request = { settings: { ...loosened, clientAssignedIds: false }, updateMask: { paths } };
  expect(await clients.accounts.updateAccountSettings(request)).toMatchObject({ violations: [], settings: loosened });
});

test("several settings are reported at once, with up to ten examples each", async () => {
  const clients = await openTenant();
  const ids: string[] = [];
  for (let made = 0; made < 12; made++) ids.push((await createCustomer(clients, { email: "one@example.com" })).id);
  const settings = {
    requiredCustomerFields: ["phone"],
    emailUniqueness: EmailUniqueness.UNIQUE,
    maxAddressesPerCustomer: 1,
  };
  const violations = await report(clients, settings, true);
  const exampleIds = ids.slice(0, 10);
  expect(violations).toMatchObject([
    { setting: "required_customer_fields", count: 12, exampleIds },
    { setting: "email_uniqueness", count: 12, exampleIds },
  ]);
  expect((await refusalOf(changeSettings(clients, settings))).map(({ type }) => type)).toEqual([
    "required_customer_fields",
    "email_uniqueness",
  ]);
});

test("a preset tightens what it changes, there and back", async () => {
  const clients = await openTenant();
  const { id } = (await clients.customers.createCustomer({ customer: { name: "Ada" } })).customer!;
  for (let made = 0; made < 2; made++) await createCustomer(clients, { email: "two@example.com" });
  await createAddress(clients, id, { country: "CA", state: "ON", postalCode: "K1A 0B1" });
  const to = async (preset: SettingsPreset) => {
    const request = { settings: { preset }, updateMask: { paths: ["preset"] } };
    const { violations } = await clients.accounts.updateAccountSettings({ ...request, acceptViolations: true });
    return violations.map(({ setting, count }) => `${setting} ${count}`);
  };
  const broken = ["required_customer_fields 1", "email_uniqueness 2", "allowed_countries 1"];
  expect(await to(SettingsPreset.SIMPLE_CHECKOUT)).toEqual(broken);
  expect(await to(SettingsPreset.DIGITAL_RIVER)).toEqual([]);
  expect(await to(SettingsPreset.SIMPLE_CHECKOUT)).toEqual(broken);
});

test("neither another tenant's rows count, nor deleted ones", async () => {
  const { test: clients, live } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  await changeSettings(clients, { metadataLimits: {}, deletion: { mode: 1 } });
  await changeSettings(live, { metadataLimits: {} });
  for (const { seed } of cases) await seed(live);
  const tightened = Object.assign({}, ...cases.map((given) => given.tightened));
  expect(await report(live, tightened)).toHaveLength(6);
  expect(await report(clients, tightened)).toEqual([]);
  const seeded = [];
  for (const { seed } of cases) seeded.push(await seed(clients));
  const { customers } = await clients.customers.listCustomers({ pageSize: 100 });
  for (const { id } of customers) await clients.customers.deleteCustomer({ id });
  expect(await changeSettings(clients, tightened)).toMatchObject({ maxAddressesPerCustomer: 1 });
});

test("a stale etag is ABORTED, in a dry run too", async () => {
  const clients = await openTenant();
  const { etag } = await settingsOf(clients);
  await changeSettings(clients, { maxAddressesPerCustomer: 5 });
  for (const validateOnly of [true, false]) {
    const settings = { maxAddressesPerCustomer: 1, etag };
    const failure = await failureOf(clients.accounts.updateAccountSettings({ settings, validateOnly }));
    expect(failure).toMatchObject({ code: "Aborted", reason: "ETAG_STALE" });
  }
  const failure = await failureOf(report(clients, { maxAddressesPerCustomer: -1 }));
  expect(failure).toMatchObject({ code: "InvalidArgument" });
});

const moments = [0, 10, 60].flatMap((answered) => [true, false].map((accepts) => ({ answered, accepts })));

test.for(moments)("a tightening among 50 creates overlooks none: $answered before, $accepts", async (moment) => {
  const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const { test: clients } = account;
  const [email, phone] = [newEmail(), "+50683236988"];
  const callers = createCallers(clientele, account.testKey);
  await allAtOnce(callers, ({ accounts }) => accounts.getAccount({}));
  let answered = 0;
  let reach = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const creating = allAtOnce(callers, async ({ customers }, index) => {
    for (let made = 0; made < 3; made++) {
      if (answered >= moment.answered) reach();
      await customers.createCustomer({ customer: index % 2 === 0 ? { email } : { email, phone } });
      answered += 1;
    }
  });
  await reached;
  const settings = { requiredCustomerFields: ["phone"], emailUniqueness: EmailUniqueness.UNIQUE };
  const changing = clients.accounts.updateAccountSettings({ settings, acceptViolations: moment.accepts });
  const changed = await changing.catch(async () => void (await refusalOf(changing)));
  const { failures } = await creating;
  const { totalSize } = await clients.customers.listCustomers({ includeTotalSize: true });
  expect(totalSize).toBe(answered);
  if (changed === undefined) {
    expect({ accepts: moment.accepts, failures }).toEqual({ accepts: false, failures: [] });
    return;
  }
  const { totalSize: incomplete } = await clients.customers.listCustomers({
    filter: "is_null(phone)",
    includeTotalSize: true,
  });
  const counts = changed.violations.map(({ setting, count }) => [setting, count]);
  expect(Object.fromEntries(counts)).toEqual({
    ...(incomplete! > 0 && { required_customer_fields: incomplete }),
    ...(answered > 1 && { email_uniqueness: answered }),
  });
  expect(failures.map(({ reason }) => reason).sort()[0]).toMatch(/EMAIL_TAKEN|FIELDS_INVALID/);
});
