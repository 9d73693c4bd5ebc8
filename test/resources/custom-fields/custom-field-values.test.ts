import type { JsonObject, JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import {
  type CustomField,
  type CustomFieldRuleSchema,
  type CustomFieldSchema,
  CustomFieldType,
} from "../../../gen/clientele/v1/custom_fields_pb.js";
import { type Clients, clientsOn, transports, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { startReplica } from "../../support/replica.js";

type FieldInit = Exclude<MessageInitShape<typeof CustomFieldSchema>, { readonly $typeName: string }>;
type Rule = NonNullable<MessageInitShape<typeof CustomFieldRuleSchema>["kind"]>;

const { STRING, INTEGER, BOOLEAN, FLOAT, DATE } = CustomFieldType;
const required = "This field is required.";

let own: Clients;
const clientele = useClientele();
beforeAll(async () => {
  own = (await clientele.createAccount()).test;
});

let made = 0;

async function define(field: FieldInit = {}, on = own): Promise<CustomField> {
  made += 1;
  const customField = { slug: `field_${made}`, name: "Field", type: STRING, ...field };
  return (await on.customFields.createCustomField({ customField })).customField!;
}

async function create(customFields: JsonObject, on = own): Promise<JsonObject> {
  return (await createCustomer(on, { customFields })).customFields!;
}

async function update(id: string, customFields: JsonObject, paths: string[] = [], on = own): Promise<JsonObject> {
  const { customer } = await on.customers.updateCustomer({ customer: { id, customFields }, updateMask: { paths } });
  return customer!.customFields!;
}

const values: { type: CustomFieldType; rule?: Rule; good: JsonValue[]; bad: JsonValue[] }[] = [
  {
    type: STRING,
    good: ["a", " constructor ", "x".repeat(1000), "\u{1f600}".repeat(1000)],
    bad: [1, true, [], {}, "x".repeat(1001)],
  },
  { type: INTEGER, good: [0, -5, 2 ** 53 - 1], bad: [0.5, 2 ** 53, "5", false, {}] },
  { type: FLOAT, good: [0, -0.5, 1e300, 5e-324], bad: ["0.5", true, []] },
  { type: BOOLEAN, good: [true, false], bad: [0, "true"] },
  {
    type: DATE,
    good: ["2024-02-29", "0001-01-01", "9999-12-31"],
    bad: ["2025-02-29", "2025-2-1", "0000-01-01", "2025-01-01T00:00:00Z", 5],
  },
  {
    type: STRING,
    rule: { case: "stringEnum", value: { values: ["gold", "silver"] } },
    good: ["gold"],
    bad: ["Gold", "bronze"],
  },
  { type: INTEGER, rule: { case: "integerEnum", value: { values: [1, -2] } }, good: [1, -2], bad: [2] },
  { type: FLOAT, rule: { case: "floatEnum", value: { values: [0.1] } }, good: [0.1], bad: [0.2] },
  {
    type: DATE,
    rule: { case: "dateEnum", value: { values: ["2026-01-01"] } },
    good: ["2026-01-01"],
    bad: ["2026-01-02"],
  },
  { type: STRING, rule: { case: "email", value: {} }, good: ["ron@example.com"], bad: ["ron", "ron@", "a b@c.de"] },
  {
    type: STRING,
    rule: { case: "slug", value: {} },
    good: ["a", "summer-2026"],
    bad: ["Summer", "a--b", "-a", "a_b", "é"],
  },
  {
    type: STRING,
    rule: { case: "lengthBetween", value: { min: 2, max: 3 } },
    good: ["ab", "\u{1f600}".repeat(3)],
    bad: ["a", "abcd"],
  },
  { type: INTEGER, rule: { case: "integerBetween", value: { min: -1, max: 5 } }, good: [-1, 0, 5], bad: [-2, 6] },
  { type: STRING, rule: { case: "lengthBetween", value: { max: 2 } }, good: ["ab"], bad: ["abc"] },
  { type: INTEGER, rule: { case: "integerBetween", value: { min: 0 } }, good: [0, 2 ** 53 - 1], bad: [-1] },
  {
    type: DATE,
    rule: { case: "dateBetween", value: { max: "2026-02-28" } },
    good: ["0001-01-01"],
    bad: ["2026-03-01"],
  },
  { type: FLOAT, rule: { case: "floatBetween", value: { min: 0.5, max: 1 } }, good: [0.5, 1], bad: [0.49, 1.01] },
  {
    type: DATE,
    rule: { case: "dateBetween", value: { min: "2026-01-31", max: "2026-02-28" } },
    good: ["2026-01-31", "2026-02-28"],
    bad: ["2026-01-30", "2026-03-01"],
  },
];

const named = values.map((one) => ({ ...one, name: CustomFieldType[one.type], rules: one.rule?.case ?? "no rule" }));

test.for(named)("the type $name with $rules takes what keeps it", async ({ type, rule, good, bad }) => {
  const { slug } = await define({ type, rules: rule === undefined ? [] : [{ kind: rule }] });
  for (const value of good) {
    const kept = typeof value === "string" ? value.trim() : value;
    expect(await create({ [slug]: value })).toEqual({ [slug]: kept });
  }
  for (const value of bad) {
    const failure = await failureOf(create({ [slug]: value }));
    expect(failure, JSON.stringify(value)).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
    expect(Object.keys(failure.fields)).toEqual([`customer.custom_fields.${slug}`]);
  }
});

test("undefined, disabled and deleted fields are refused", async () => {
  const disabled = await define({ enabled: false });
  const deleted = await define();
  await own.customFields.deleteCustomField({ id: deleted.id });
  for (const slug of ["nobody", "__proto__", "constructor", disabled.slug, deleted.slug]) {
    const failure = await failureOf(create(JSON.parse(`{"${slug}":"x"}`)));
    expect(failure.fields).toEqual({ [`customer.custom_fields.${slug}`]: "is no custom field in use" });
  }
});

test("a disabled field hides its values, and asks for none", async () => {
  const on = (await clientele.createAccount()).test;
  const { id, slug } = await define({ required: true }, on);
  const customer = await createCustomer(on, { customFields: { [slug]: "gold" } });
  await on.customFields.updateCustomField({ customField: { id, enabled: false } });
  expect((await getCustomer(on, customer.id)).customFields).toEqual({});
  expect(await create({}, on)).toEqual({});
  await on.customFields.updateCustomField({ customField: { id, enabled: true } });
  expect((await getCustomer(on, customer.id)).customFields).toEqual({ [slug]: "gold" });
});

describe("a new customer", () => {
  test("needs a required field whose default is blank", async () => {
    const on = (await clientele.createAccount()).test;
    const blank = { kind: { case: "stringValue", value: " " } } as const;
    const { defaultValue } = await define({ slug: "tier", required: true, defaultValue: blank }, on);
    expect(defaultValue).toBeUndefined();
    expect((await failureOf(create({}, on))).fields).toEqual({ "customer.custom_fields.tier": required });
  });

  test("needs the required fields, and takes the defaults of what it lacks", async () => {
    const on = (await clientele.createAccount()).test;
    await define({ slug: "shoe", required: true, type: INTEGER }, on);
    await define(
      { slug: "tier", required: true, defaultValue: { kind: { case: "stringValue", value: "silver" } } },
      on,
    );
    await define({ slug: "news", type: BOOLEAN, defaultValue: { kind: { case: "boolValue", value: false } } }, on);
    expect((await failureOf(create({}, on))).fields).toEqual({ "customer.custom_fields.shoe": required });
    expect((await failureOf(create({ shoe: null }, on))).fields).toEqual({ "customer.custom_fields.shoe": required });
    expect(await create({ shoe: 0 }, on)).toEqual({ shoe: 0, tier: "silver", news: false });
    expect(await create({ shoe: 1, tier: "", news: true }, on)).toEqual({ shoe: 1, tier: "silver", news: true });
    const found = await on.customers.getOrCreateCustomer({
      customer: { email: newEmail(), customFields: { shoe: 2 } },
    });
    expect(found.customer!.customFields).toEqual({ shoe: 2, tier: "silver", news: false });
    const missing = on.customers.getOrCreateCustomer({ customer: { email: newEmail() } });
    expect((await failureOf(missing)).fields).toEqual({ "customer.custom_fields.shoe": required });
  });

  test("is checked against the newest definitions on every replica", async () => {
    const account = await clientele.createAccount();
    await using other = await startReplica(clientele);
    const [there] = createCallers(other, account.testKey, 1);
    await create({}, there);
    await define({ slug: "vip", required: true }, account.test);
    expect((await failureOf(create({}, there))).fields).toEqual({ "customer.custom_fields.vip": required });
    expect(await create({ vip: "yes" }, there)).toEqual({ vip: "yes" });
  });
});

describe("an update", () => {
  const cases: { name: string; paths: string[]; set: JsonObject; want: JsonObject }[] = [
    { name: "merges without a mask", paths: [], set: { a: "2", c: "3" }, want: { a: "2", b: "1", c: "3" } },
    {
      name: "merges what the mask names",
      paths: ["custom_fields"],
      set: { a: null, c: "3" },
      want: { b: "1", c: "3" },
    },
    { name: "deletes by an empty text", paths: [], set: { a: " " }, want: { b: "1" } },
    { name: "writes one field", paths: ["custom_fields.a"], set: { a: "2", b: "2" }, want: { a: "2", b: "1" } },
    { name: "deletes one field", paths: ["custom_fields.b"], set: {}, want: { a: "1" } },
    { name: "replaces all under a mask of everything", paths: ["*"], set: { c: "3" }, want: { c: "3" } },
    { name: "changes nothing by nothing", paths: [], set: {}, want: { a: "1", b: "1" } },
  ];
  test.for(cases)("$name", async ({ paths, set, want }) => {
    const on = (await clientele.createAccount()).test;
    for (const slug of ["a", "b", "c"]) await define({ slug }, on);
    const { id, email, etag } = await createCustomer(on, { customFields: { a: "1", b: "1" } });
    const customer = { id, customFields: set, ...(paths.includes("*") && email !== undefined && { email }) };
    await on.customers.updateCustomer({ customer, updateMask: { paths } });
    const after = await getCustomer(on, id);
    expect(after.customFields).toEqual(want);
    expect(after.etag === etag).toBe(Object.keys(set).length === 0 && paths.length === 0);
  });

  test("keeps what 50 callers write at a time, each a field of its own", async () => {
    const account = await clientele.createAccount();
    for (let index = 0; index < 50; index++) await define({ slug: `f${index}`, type: INTEGER }, account.test);
    const { id } = await createCustomer(account.test);
    const callers = createCallers(clientele, account.testKey);
    const { failures } = await allAtOnce(callers, (caller, index) => update(id, { [`f${index}`]: index }, [], caller));
    expect(failures).toEqual([]);
    const want = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`f${index}`, index]));
    expect((await getCustomer(account.test, id)).customFields).toEqual(want);
  });

  test("may leave what newer rules forbid, and not change it into something else that they forbid", async () => {
    const { id: fieldId, slug } = await define();
    const { id } = await createCustomer(own, { customFields: { [slug]: "bronze" } });
    const { id: without } = await createCustomer(own);
    const rules = [{ kind: { case: "stringEnum" as const, value: { values: ["gold"] } } }];
    await own.customFields.updateCustomField({ customField: { id: fieldId, rules, required: true } });
    await own.customers.updateCustomer({ customer: { id, name: "Bea" } });
    expect(await update(id, { [slug]: "bronze" })).toEqual({ [slug]: "bronze" });
    expect(await failureOf(update(id, { [slug]: "copper" }))).toMatchObject({ reason: "FIELDS_INVALID" });
    expect((await failureOf(update(id, { [slug]: null }))).fields).toEqual({
      [`customer.custom_fields.${slug}`]: required,
    });
    expect(await update(id, { [slug]: "gold" })).toEqual({ [slug]: "gold" });
    expect(await failureOf(update(id, { [slug]: "bronze" }))).toMatchObject({ reason: "FIELDS_INVALID" });
    // What was missing may stay missing.
    await own.customers.updateCustomer({ customer: { id: without, name: "Bea" } });
    await own.customFields.deleteCustomField({ id: fieldId });
  });

  test("leaves one event that names the fields and no value", async () => {
    const { slug } = await define();
    const { id } = await createCustomer(own);
    await update(id, { [slug]: "Canary" });
    const events = await clientele.db("events").where({ resource_id: id }).orderBy("position");
    expect(events.map(({ type, changed_paths }) => [type, changed_paths])).toEqual([
      ["customer.created", ["email", "name", "first_name", "last_name"]],
      ["customer.updated", ["custom_fields"]],
    ]);
    expect(JSON.stringify(events)).not.toContain("Canary");
  });
});

test("a sign-up by a publishable key writes the shopper's fields alone, and needs no others", async () => {
  const account = await clientele.createAccount();
  const on = account.test;
  await define({ slug: "size", writableByCustomer: true, required: true }, on);
  await define({ slug: "rating", required: true }, on);
  const { secret } = await on.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } });
  const shopper = clientsOn(transports["Connect in binary"]!(clientele, secret));
  const signUp = async (customFields: JsonObject) =>
    (await shopper.customers.createCustomer({ customer: { email: newEmail(), customFields } })).customer!.customFields;
  expect(await failureOf(signUp({ size: "L", rating: "A" }))).toMatchObject({
    code: "PermissionDenied",
    fields: { "customer.custom_fields.rating": "These credentials do not permit writing this field." },
  });
  expect((await failureOf(signUp({}))).fields).toEqual({ "customer.custom_fields.size": required });
  expect(await signUp({ size: "L" })).toEqual({ size: "L" });
});

test("the tombstone of a purged customer has no values", async () => {
  const { slug } = await define();
  const { id } = await createCustomer(own, { customFields: { [slug]: "gold" } });
  await own.accounts.updateAccountSettings({
    settings: { deletion: { mode: 2 } },
    updateMask: { paths: ["deletion"] },
  });
  await own.customers.deleteCustomer({ id });
  expect(await clientele.db("customers").where({ id }).first("purged", "custom_fields")).toEqual({
    purged: true,
    custom_fields: {},
  });
  const unclean = clientele
    .db("customers")
    .where({ id })
    .update({ custom_fields: { a: 1 } });
  await expect(unclean).rejects.toThrow("customers_purged_custom_fields_check");
});
