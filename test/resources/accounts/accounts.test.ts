import { toJson } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  AccountSettingsSchema,
  DeletionMode,
  EmailUniqueness,
  SearchNoMatch,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { changeSettings } from "../../support/settings.js";

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
const clientele = useClientele({ clock: () => now });

async function settingsJson(preset: SettingsPreset): Promise<Record<string, unknown>> {
  const { test: clients } = await clientele.createAccount(preset);
  const { settings } = await clients.accounts.getAccountSettings({});
  return toJson(AccountSettingsSchema, settings!) as Record<string, unknown>;
}

const presets = ["OPEN", "SIMPLE_CHECKOUT", "DIGITAL_RIVER", "FOUR_GEEKS", "ELASTIC_PATH"] as const;

const [none, thirtyDays] = [undefined, "2592000s"];
const [unique, duplicates] = ["EMAIL_UNIQUENESS_UNIQUE", "EMAIL_UNIQUENESS_DUPLICATES_ALLOWED"];
const [mutable, immutable] = ["EMAIL_MUTABILITY_MUTABLE", "EMAIL_MUTABILITY_IMMUTABLE"];
const permanent = { mode: "DELETION_MODE_PERMANENT" };
const soft = { mode: "DELETION_MODE_SOFT" };
const [any, implicit, explicit] = ["ANY", "IMPLICIT", "EXPLICIT"].map((mode) => `PAYMENT_METHOD_ATTACHMENT_${mode}`);
const [consume, remove] = ["CONSUME", "REMOVE"].map((mode) => `PAYMENT_METHOD_DETACHMENT_${mode}`);
const usAddress = ["line1", "city", "state", "postal_code", "country"];
const namedAddress = ["first_name", "last_name", "line1", "state", "postal_code", "country"];
const [tenKb, open] = [{ maxBytes: 10_240 }, { maxBytes: 10_240, maxKeys: 50, maxKeyLength: 40 }];
const river = { maxKeys: 20, maxKeyLength: 40, maxValueLength: 500 };
const noPhoto = "DEFAULT_PHOTO_NONE";
const [empty, notFound] = ["SEARCH_NO_MATCH_EMPTY", "SEARCH_NO_MATCH_NOT_FOUND"];

// Every setting of every preset.
const cells: [string, ...unknown[]][] = [
  ["requiredCustomerFields", ["email"], ["email"], none, ["first_name", "last_name", "email"], ["name", "email"]],
  ["emailUniqueness", unique, unique, duplicates, unique, duplicates],
  ["emailMutability", mutable, immutable, mutable, mutable, mutable],
  ["emailReusableAfterDelete", true, true, true, true, true],
  ["clientAssignedIds", true, false, true, false, false],
  ["deletion", { ...soft, purgeAfter: thirtyDays }, soft, permanent, permanent, permanent],
  ["maxAddressesPerCustomer", 0, 0, 0, 3, 0],
  ["allowedCountries", none, ["US"], none, none, none],
  ["requiredAddressFields", ["line1", "city", "country"], usAddress, none, none, namedAddress],
  ["paymentMethodAttachment", any, implicit, explicit, any, any],
  ["paymentMethodDetachment", consume, remove, consume, remove, remove],
  ["firstAddressBecomesDefault", true, false, false, false, false],
  ["firstPaymentMethodBecomesDefault", true, false, true, false, false],
  ["metadataLimits", open, tenKb, river, tenKb, tenKb],
  ["searchNoMatch", empty, empty, empty, notFound, empty],
  ["erasureDelay", "0s", "0s", thirtyDays, "0s", "0s"],
  ["checkoutLifetime", "86400s", "86400s", "86400s", "86400s", "86400s"],
  ["defaultPhoto", noPhoto, noPhoto, noPhoto, "DEFAULT_PHOTO_LIBRAVATAR", noPhoto],
];

test("every setting stands in the table of presets, or is no preset's to decide", () => {
  const listed = [
    "preset",
    ...cells.map(([name]) => name),
    "allowedOrigins",
    "identityProviders",
    "updateTime",
    "etag",
  ];
  expect(AccountSettingsSchema.fields.map((field) => field.jsonName)).toEqual(listed);
});

test.for(cells)("a preset decides %s", async ([name, ...wanted]) => {
  const found = await Promise.all(presets.map((preset) => settingsJson(SettingsPreset[preset])));
  expect(found.map((settings) => settings[name])).toEqual(wanted);
});

test.for(presets)("changing the preset to %s fills every setting anew", async (preset) => {
  const { test: clients } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
  await changeSettings(clients, { maxAddressesPerCustomer: 7, allowedCountries: ["CR"] });
  const changed = await changeSettings(clients, { preset: SettingsPreset[preset] }, ["preset"]);
  const { updateTime: _, etag: __, ...filled } = toJson(AccountSettingsSchema, changed) as Record<string, unknown>;
  const { updateTime: ___, etag: ____, ...wanted } = await settingsJson(SettingsPreset[preset]);
  expect(filled).toEqual(wanted);
});

test("a preset is applied before the other paths of the same mask", async () => {
  const { test: clients } = await clientele.createAccount();
  const settings = { preset: SettingsPreset.FOUR_GEEKS, maxAddressesPerCustomer: 5, clientAssignedIds: true };
  const changed = await changeSettings(clients, settings, ["max_addresses_per_customer", "preset"]);
  expect(changed).toMatchObject({
    preset: SettingsPreset.FOUR_GEEKS,
    requiredCustomerFields: ["first_name", "last_name", "email"],
    maxAddressesPerCustomer: 5,
    clientAssignedIds: false,
  });
});

test("an account shows its name, its time and the tenant of the key", async () => {
  const { accountId, test: clients, live } = await clientele.createAccount();
  const { account } = await clients.accounts.getAccount({});
  expect(account).toMatchObject({
    id: accountId,
    liveMode: false,
    createTime: { seconds: BigInt(start.getTime() / 1000) },
  });
  expect(account!.name).toMatch(/^Account /);
  expect(account!.id).toMatch(/^acc_[0-9a-z]{26}$/);
  expect(await live.accounts.getAccount({})).toMatchObject({ account: { id: accountId, liveMode: true } });
});

test("test and live have settings of their own", async () => {
  const { test: clients, live } = await clientele.createAccount();
  await changeSettings(clients, { maxAddressesPerCustomer: 2 });
  expect(await live.accounts.getAccountSettings({})).toMatchObject({ settings: { maxAddressesPerCustomer: 0 } });
});

const masks = [
  {
    name: "only the masked setting",
    paths: ["client_assigned_ids"],
    want: { clientAssignedIds: false, maxAddressesPerCustomer: 0, requiredCustomerFields: ["email"] },
  },
  {
    name: "every populated setting without a mask",
    paths: [],
    want: { clientAssignedIds: false, maxAddressesPerCustomer: 4, requiredCustomerFields: ["email"] },
  },
  {
    name: "a list to the empty one that the mask names",
    paths: ["required_customer_fields"],
    want: { clientAssignedIds: true, maxAddressesPerCustomer: 0, requiredCustomerFields: [] },
  },
];

test.for(masks)("an update of the settings changes $name", async ({ paths, want }) => {
  const { test: clients } = await clientele.createAccount();
  const changed = await changeSettings(clients, { clientAssignedIds: false, maxAddressesPerCustomer: 4 }, paths);
  expect(changed).toMatchObject(want);
  expect(await clients.accounts.getAccountSettings({})).toEqual(expect.objectContaining({ settings: changed }));
});

test("an update with * replaces every setting", async () => {
  const { test: clients } = await clientele.createAccount();
  const { settings } = await clients.accounts.getAccountSettings({});
  const given = { ...settings!, allowedCountries: ["CR"], searchNoMatch: SearchNoMatch.NOT_FOUND };
  const changed = await changeSettings(clients, given, ["*"]);
  expect(changed).toMatchObject({ allowedCountries: ["CR"], searchNoMatch: SearchNoMatch.NOT_FOUND });
});

const invalid = [
  { field: "settings.max_addresses_per_customer", settings: { maxAddressesPerCustomer: -1 } },
  { field: "settings.max_addresses_per_customer", settings: { maxAddressesPerCustomer: 1001 } },
  { field: "settings.allowed_countries[0]", settings: { allowedCountries: ["us"] } },
  { field: "settings.allowed_countries", settings: { allowedCountries: ["ZZ"] } },
  { field: "settings.allowed_countries", settings: { allowedCountries: ["US", "US"] } },
  { field: "settings.required_customer_fields[0]", settings: { requiredCustomerFields: ["shoe_size"] } },
  { field: "settings.required_address_fields[0]", settings: { requiredAddressFields: ["planet"] } },
  { field: "settings.email_uniqueness", settings: { emailUniqueness: 99 } },
  { field: "settings.email_uniqueness", settings: {}, paths: ["email_uniqueness"] },
  { field: "settings.client_assigned_ids", settings: {}, paths: ["client_assigned_ids"] },
  { field: "settings.deletion", settings: {}, paths: ["deletion"] },
  { field: "settings.deletion.mode", settings: { deletion: {} } },
  {
    field: "settings.deletion.purge_after",
    settings: { deletion: { mode: DeletionMode.SOFT, purgeAfter: { seconds: -1n } } },
  },
  { field: "settings.metadata_limits.max_bytes", settings: { metadataLimits: { maxBytes: 65_537 } } },
  { field: "settings.erasure_delay", settings: { erasureDelay: { seconds: 31_536_001n } } },
  { field: "settings.checkout_lifetime", settings: { checkoutLifetime: { seconds: 59n } } },
  { field: "settings.checkout_lifetime", settings: { checkoutLifetime: { seconds: 60n, nanos: 1 } } },
  { field: "settings.checkout_lifetime", settings: {}, paths: ["checkout_lifetime"] },
  { field: "update_mask", settings: { clientAssignedIds: true }, paths: ["etag"] },
  { field: "update_mask", settings: { clientAssignedIds: true }, paths: ["no_such_setting"] },
];

test.for(invalid)(
  "a wrong value is refused and named: $field, $settings, $paths",
  async ({ field, settings, paths }) => {
    const { test: clients } = await clientele.createAccount();
    const before = await clients.accounts.getAccountSettings({});
    const failure = await failureOf(changeSettings(clients, settings, paths));
    expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
    expect(Object.keys(failure.fields)).toEqual([field]);
    expect(await clients.accounts.getAccountSettings({})).toEqual(before);
  },
);

test("an update of the settings without any is refused", async () => {
  const { test: clients } = await clientele.createAccount();
  const failure = await failureOf(clients.accounts.updateAccountSettings({}));
  expect(failure).toMatchObject({ code: "InvalidArgument", fields: { settings: "This field is required." } });
});

test("a stale etag of the settings is ABORTED, a fresh one works", async () => {
  const { test: clients } = await clientele.createAccount();
  const { settings: first } = await clients.accounts.getAccountSettings({});
  now = new Date(start.getTime() + 1000);
  const second = await changeSettings(clients, { maxAddressesPerCustomer: 1, etag: first!.etag });
  expect(second.etag).not.toBe(first!.etag);
  expect(second.updateTime!.seconds).toBe(BigInt(now.getTime() / 1000));
  expect(await failureOf(changeSettings(clients, { maxAddressesPerCustomer: 2, etag: first!.etag }))).toMatchObject({
    code: "Aborted",
    reason: "ETAG_STALE",
  });
  expect(await changeSettings(clients, { maxAddressesPerCustomer: 2, etag: second.etag })).toMatchObject({
    maxAddressesPerCustomer: 2,
  });
});

test("a setting holds for the next call, every time it changes", async () => {
  const { test: clients } = await clientele.createAccount();
  for (let round = 0; round < 5; round++) {
    const settings = { emailUniqueness: EmailUniqueness.UNIQUE, requiredCustomerFields: ["phone"] };
    await clients.accounts.updateAccountSettings({ settings, acceptViolations: true });
    expect(await failureOf(createCustomer(clients))).toMatchObject({
      fields: { "customer.phone": "This field is required." },
    });
    await changeSettings(clients, {}, ["required_customer_fields"]);
    expect(await createCustomer(clients)).toMatchObject({ name: "Ada Lovelace" });
  }
});
