import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type CustomField,
  type CustomFieldRuleSchema,
  type CustomFieldSchema,
  CustomFieldType,
} from "../../../gen/clientele/v1/custom_fields_pb.js";
import { type Clients, type TestAccount, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";

type FieldInit = Exclude<MessageInitShape<typeof CustomFieldSchema>, { readonly $typeName: string }>;
type RuleInit = MessageInitShape<typeof CustomFieldRuleSchema>;

const { STRING, INTEGER, BOOLEAN, FLOAT, DATE } = CustomFieldType;
const _day = 24 * 60 * 60 * 1000;

const now = new Date("2026-03-01T12:00:00Z");
let account: TestAccount;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  account = await clientele.createAccount();
  clients = account.test;
});

let made = 0;
const newSlug = () => `field_${++made}`;
const tier: FieldInit = { slug: "tier", name: "Tier", type: STRING };

async function define(field: FieldInit = {}, on = clients): Promise<CustomField> {
  const customField = { ...tier, slug: newSlug(), ...field };
  return (await on.customFields.createCustomField({ customField })).customField!;
}

describe("a definition", () => {
  test("is made as it is given, and trimmed", async () => {
    const given: FieldInit = {
      slug: "loyalty-tier_2",
      name: "  Loyalty ",
      description: " What a customer earned. ",
      type: STRING,
      rules: [{ kind: { case: "stringEnum", value: { values: ["gold", "silver"] } } }],
      required: true,
      defaultValue: { kind: { case: "stringValue", value: "silver" } },
      enabled: false,
      position: 3,
      writableByCustomer: true,
    };
    const { customField, restored } = await clients.customFields.createCustomField({ customField: given });
    expect(customField).toMatchObject({ ...given, name: "Loyalty", description: "What a customer earned." });
    expect(customField!.id).toMatch(/^cfd_[0-9a-z]{26}$/);
    expect(restored).toBe(false);
    const read = await clients.customFields.getCustomField({ id: customField!.id });
    expect(read.customField).toEqual(customField);
  });

  test("is enabled, first, optional and the merchant's alone unless it says otherwise", async () => {
    const field = await define();
    expect(field).toMatchObject({ enabled: true, position: 0, required: false, writableByCustomer: false, rules: [] });
    expect(field.defaultValue).toBeUndefined();
  });

  test("has a slug of its own among the tenant's, and not of another tenant's", async () => {
    const { slug } = await define();
    expect(await failureOf(define({ slug }))).toMatchObject({
      code: "AlreadyExists",
      reason: "CUSTOM_FIELD_SLUG_TAKEN",
    });
    await define({ slug }, account.live);
  });

  test("is listed by position, a page at a time", async () => {
    const own = (await clientele.createAccount()).test;
    for (const position of [2, 0, 1]) await define({ position, name: `No. ${position}` }, own);
    const names: string[] = [];
    let pageToken = "";
    do {
      const page = await own.customFields.listCustomFields({ pageSize: 2, pageToken });
      names.push(...page.customFields.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(names).toEqual(["No. 0", "No. 1", "No. 2"]);
  });
});

const between = (min: number, max: number): RuleInit => ({ kind: { case: "floatBetween", value: { min, max } } });
const rule = (kind: RuleInit["kind"]): RuleInit => ({ kind: kind! });
const fits: { type: CustomFieldType; rules: RuleInit[] }[] = [
  { type: STRING, rules: [rule({ case: "stringEnum", value: { values: ["a"] } }), rule({ case: "slug", value: {} })] },
  {
    type: STRING,
    rules: [rule({ case: "email", value: {} }), rule({ case: "lengthBetween", value: { min: 0, max: 9 } })],
  },
  { type: INTEGER, rules: [rule({ case: "integerEnum", value: { values: [1, -2] } })] },
  { type: INTEGER, rules: [rule({ case: "integerBetween", value: { min: -1, max: 1 } })] },
  { type: FLOAT, rules: [rule({ case: "floatEnum", value: { values: [0.5] } }), between(0, 0)] },
  { type: DATE, rules: [rule({ case: "dateEnum", value: { values: ["2024-02-29"] } })] },
  { type: INTEGER, rules: [rule({ case: "integerBetween", value: { min: 2 ** 53 - 1 } })] },
  { type: DATE, rules: [rule({ case: "dateBetween", value: { max: "9999-12-31" } })] },
  { type: DATE, rules: [rule({ case: "dateBetween", value: { min: "0001-01-01", max: "9999-12-31" } })] },
];

test.for(fits.map((fit) => ({ ...fit, name: CustomFieldType[fit.type] })))(
  "the type $name takes the rules that fit it",
  async ({ type, rules }) => {
    expect((await define({ type, rules })).rules).toMatchObject(rules);
  },
);

const anything = { kind: { case: "stringValue", value: "x" } } as const;
const refusedDefinitions: { name: string; field: FieldInit; at: string }[] = [
  { name: "no slug", field: { slug: "" }, at: "custom_field.slug" },
  { name: "a slug in upper case", field: { slug: "Tier" }, at: "custom_field.slug" },
  { name: "a slug that begins with a digit", field: { slug: "1st" }, at: "custom_field.slug" },
  { name: "a slug of 41 characters", field: { slug: "a".repeat(41) }, at: "custom_field.slug" },
  { name: "a slug with a dot", field: { slug: "a.b" }, at: "custom_field.slug" },
  { name: "no name", field: { name: " " }, at: "custom_field.name" },
  { name: "no type", field: { type: 0 }, at: "custom_field.type" },
  { name: "an unknown type", field: { type: 9 as CustomFieldType }, at: "custom_field.type" },
  { name: "a negative position", field: { position: -1 }, at: "custom_field.position" },
  { name: "a rule that says nothing", field: { rules: [{}] }, at: "custom_field.rules[0].kind" },
  { name: "a rule of another type", field: { rules: [between(0, 1)] }, at: "custom_field.rules[0]" },
  { name: "a rule of a boolean", field: { type: BOOLEAN, rules: [between(0, 1)] }, at: "custom_field.rules[0]" },
  { name: "a rule twice", field: { type: FLOAT, rules: [between(0, 1), between(0, 2)] }, at: "custom_field.rules[1]" },
  {
    name: "bounds the wrong way round",
    field: { type: FLOAT, rules: [between(1, 0)] },
    at: "custom_field.rules[0].float_between",
  },
  {
    name: "bounds that are no numbers",
    field: { type: FLOAT, rules: [between(Number.NaN, 1)] },
    at: "custom_field.rules[0].float_between.min",
  },
  {
    name: "an enum without values",
    field: { rules: [rule({ case: "stringEnum", value: {} })] },
    at: "custom_field.rules[0].string_enum.values",
  },
  {
    name: "an enum with space around a value",
    field: { rules: [rule({ case: "stringEnum", value: { values: [" a"] } })] },
    at: "custom_field.rules[0].string_enum",
  },
  {
    name: "a day that does not exist",
    field: { type: DATE, rules: [rule({ case: "dateEnum", value: { values: ["2025-02-29"] } })] },
    at: "custom_field.rules[0].date_enum",
  },
  {
    name: "an integer beyond what JSON keeps",
    field: { type: INTEGER, rules: [rule({ case: "integerEnum", value: { values: [2 ** 53] } })] },
    at: "custom_field.rules[0].integer_enum.values[0]",
  },
  {
    name: "a default of another type",
    field: { type: INTEGER, defaultValue: anything },
    at: "custom_field.default_value",
  },
  {
    name: "a default that breaks a rule",
    field: { rules: [rule({ case: "email", value: {} })], defaultValue: anything },
    at: "custom_field.default_value",
  },
  {
    name: "a default that is a list",
    field: { defaultValue: { kind: { case: "listValue", value: { values: [anything] } } } },
    at: "custom_field.default_value",
  },
  {
    name: "a default that is a list of nothing",
    field: { defaultValue: { kind: { case: "listValue", value: { values: [{ kind: { case: undefined } }] } } } },
    at: "custom_field.default_value",
  },
  {
    name: "a default that is an object",
    field: { defaultValue: { kind: { case: "structValue", value: { fields: { a: anything } } } } },
    at: "custom_field.default_value",
  },
];

test.for(refusedDefinitions)("$name is refused", async ({ field, at }) => {
  const failure = await failureOf(define(field));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
  expect(Object.keys(failure.fields)).toEqual([at]);
});

describe("an update of a definition", () => {
  const cases: { name: string; paths: string[]; set: FieldInit; want: FieldInit }[] = [
    {
      name: "only the masked field",
      paths: ["name"],
      set: { name: "B", position: 5 },
      want: { name: "B", position: 1 },
    },
    { name: "populated fields without a mask", paths: [], set: { position: 5 }, want: { name: "A", position: 5 } },
    { name: "a flag to false without a mask", paths: [], set: { enabled: false }, want: { enabled: false } },
    { name: "everything but what cannot change", paths: ["*"], set: { name: "B" }, want: { name: "B", position: 0 } },
  ];
  test.for(cases)("changes $name", async ({ paths, set, want }) => {
    const before = await define({ name: "A", position: 1 });
    const update = { customField: { id: before.id, ...set }, updateMask: { paths } };
    const { customField } = await clients.customFields.updateCustomField(update);
    expect(customField).toMatchObject({ slug: before.slug, type: before.type, ...want });
    expect(customField!.etag).not.toBe(before.etag);
  });

  const immutable: { name: string; set: FieldInit; paths: string[] }[] = [
    { name: "the type", set: { type: INTEGER }, paths: ["type"] },
    { name: "the type without a mask", set: { type: INTEGER }, paths: [] },
    { name: "the slug", set: { slug: "other" }, paths: ["slug"] },
    { name: "the slug under a mask of everything", set: { slug: "other", name: "A" }, paths: ["*"] },
  ];
  test.for(immutable)("cannot change $name", async ({ set, paths }) => {
    const { id } = await define();
    const update = { customField: { id, ...set }, updateMask: { paths } };
    expect(await failureOf(clients.customFields.updateCustomField(update))).toMatchObject({
      code: "FailedPrecondition",
      reason: "CUSTOM_FIELD_IMMUTABLE",
    });
  });

  test("is refused with a stale etag, and so is a deletion", async () => {
    const { id, etag } = await define();
    await clients.customFields.updateCustomField({ customField: { id, name: "B", etag } });
    const stale = clients.customFields.updateCustomField({ customField: { id, name: "C", etag } });
    expect(await failureOf(stale)).toMatchObject({ reason: "ETAG_STALE" });
    expect(await failureOf(clients.customFields.deleteCustomField({ id, etag }))).toMatchObject({
      reason: "ETAG_STALE",
    });
  });

  test("is refused of one that is deleted", async () => {
    const { id } = await define();
    await clients.customFields.deleteCustomField({ id });
    for (const call of [
      () => clients.customFields.getCustomField({ id }),
      () => clients.customFields.updateCustomField({ customField: { id, name: "B" } }),
      () => clients.customFields.deleteCustomField({ id }),
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: "NotFound" });
    }
    expect(
      (await clients.customFields.listCustomFields({ pageSize: 100 })).customFields.map((one) => one.id),
    ).not.toContain(id);
  });
});

describe("a tenant has at most 100 definitions", () => {
  test("of 50 at a time exactly those that there is room for are made, and room comes back with a deletion", async () => {
    const own = await clientele.createAccount();
    for (let index = 0; index < 75; index++) await define({}, own.test);
    const callers = createCallers(clientele, own.testKey);
    const { answers, failures } = await allAtOnce(callers, async (caller) => await define({}, caller));
    expect(answers).toHaveLength(25);
    expect(failures).toHaveLength(25);
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "CUSTOM_FIELD_LIMIT_REACHED" });
    }
    const { customFields } = await own.test.customFields.listCustomFields({ pageSize: 100 });
    expect(customFields).toHaveLength(100);
    const [first] = customFields;
    await own.test.customFields.deleteCustomField({ id: first!.id });
    await define({}, own.test);
    // It has taken the place of the one that could have come back.
    const back = define({ slug: first!.slug, type: first!.type }, own.test);
    expect(await failureOf(back)).toMatchObject({ reason: "CUSTOM_FIELD_LIMIT_REACHED" });
  });

  test("of 50 definitions with one slug one is created", async () => {
    const { testKey } = await clientele.createAccount();
    const callers = createCallers(clientele, testKey);
    const { answers, failures } = await allAtOnce(callers, async (caller) => await define(tier, caller));
    expect(answers).toHaveLength(1);
    expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["CUSTOM_FIELD_SLUG_TAKEN"]));
  });

  test("of 50 changes with one etag, one wins", async () => {
    const { testKey, test: own } = await clientele.createAccount();
    const { id, etag } = await define({}, own);
    const { answers, failures } = await allAtOnce(createCallers(clientele, testKey), async (caller, index) => {
      return await caller.customFields.updateCustomField({ customField: { id, name: `Name ${index}`, etag } });
    });
    expect(answers).toHaveLength(1);
    expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["ETAG_STALE"]));
  });
});
