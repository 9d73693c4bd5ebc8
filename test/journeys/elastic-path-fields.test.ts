import type { JsonObject } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { CustomFieldService, CustomFieldType } from "../../gen/clientele/v1/custom_fields_pb.js";
import { CustomerTokenService } from "../../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { FormService } from "../../gen/clientele/v1/forms_pb.js";
import { useClientele } from "../support/clientele.js";
import { failureOf } from "../support/errors.js";
import { type Call, ways } from "../support/ways.js";

const { createCustomField } = CustomFieldService.method;
const { createCustomer, listCustomers, updateCustomer } = CustomerService.method;

interface Answer {
  readonly customer: { readonly id: string; readonly customFields: JsonObject };
  readonly customers?: readonly { readonly name: string }[];
  readonly constraints: { readonly customFields: readonly object[] };
  readonly secret: string;
}

// A field for every rule, with a value that keeps it and one that does not.
const definitions = [
  { slug: "tier", type: "STRING", rule: { stringEnum: { values: ["gold", "silver"] } }, good: "gold", bad: "lead" },
  { slug: "work_email", type: "STRING", rule: { email: {} }, good: "ron@work.example", bad: "ron" },
  { slug: "handle", type: "STRING", rule: { slug: {} }, good: "ron-swanson", bad: "Ron Swanson" },
  { slug: "initials", type: "STRING", rule: { lengthBetween: { min: 2, max: 3 } }, good: "RS", bad: "R" },
  { slug: "shoe_size", type: "INTEGER", rule: { integerBetween: { min: 15, max: 50 } }, good: 44, bad: 51 },
  { slug: "floor", type: "INTEGER", rule: { integerEnum: { values: [1, 2] } }, good: 2, bad: 3 },
  { slug: "discount", type: "FLOAT", rule: { floatBetween: { min: 0, max: 0.5 } }, good: 0.25, bad: 0.75 },
  { slug: "rate", type: "FLOAT", rule: { floatEnum: { values: [0.1, 0.2] } }, good: 0.1, bad: 0.3 },
  {
    slug: "born",
    type: "DATE",
    rule: { dateBetween: { min: "1900-01-01", max: "2026-01-01" } },
    good: "1960-02-29",
    bad: "1961-02-29",
  },
  {
    slug: "anniversary",
    type: "DATE",
    rule: { dateEnum: { values: ["2020-01-01"] } },
    good: "2020-01-01",
    bad: "2020-01-02",
  },
  { slug: "newsletter", type: "BOOLEAN", rule: undefined, good: true, bad: "yes" },
];
const good = Object.fromEntries(definitions.map((definition) => [definition.slug, definition.good]));

const clientele = useClientele();

// Elastic Path: from custom fields to the order of a list.
test.for(ways)("a merchant extends its customers, over $name", { timeout: 180_000 }, async ({ open }) => {
  const { testKey, test: quick } = await clientele.createAccount(SettingsPreset.ELASTIC_PATH);
  const call = open(clientele, testKey);
  const answer = async (...args: Parameters<Call>) => (await call(...args)) as unknown as Answer;

  for (const [position, { slug, type, rule }] of definitions.entries()) {
    const rules = rule === undefined ? [] : [rule];
    const field = { slug, name: slug, type: `CUSTOM_FIELD_TYPE_${type}`, rules, position };
    await call(createCustomField, { customField: { ...field, writableByCustomer: slug === "shoe_size" } });
  }
  for (let index = definitions.length; index < 100; index++) {
    const customField = { slug: `spare-${index}`, name: "Spare", type: CustomFieldType.STRING };
    await quick.customFields.createCustomField({ customField });
  }
  const tooMany = { slug: "too_many", name: "Too many", type: "CUSTOM_FIELD_TYPE_STRING" };
  expect(await failureOf(call(createCustomField, { customField: tooMany }))).toMatchObject({
    code: "FailedPrecondition",
    reason: "CUSTOM_FIELD_LIMIT_REACHED",
  });

  const ron = { name: "Ron", email: "ron@example.com" };
  const { customer } = await answer(createCustomer, { customer: { ...ron, customFields: good } });
  expect(customer.customFields).toEqual(good);
  const bad = Object.fromEntries(definitions.map((definition) => [definition.slug, definition.bad]));
  const failure = await failureOf(call(createCustomer, { customer: { ...ron, customFields: bad } }));
  expect(Object.keys(failure.fields).sort()).toEqual(
    definitions.map(({ slug }) => `customer.custom_fields.${slug}`).sort(),
  );

  await call(createCustomer, { customer: { name: "Leslie", email: "leslie@example.com", customFields: { floor: 1 } } });
  await call(createCustomer, { customer: { name: "Ben", email: "ben@example.com", customFields: { floor: 2 } } });
  const listed = async (request: JsonObject) =>
    (await answer(listCustomers, request)).customers?.map(({ name }) => name) ?? [];
  expect(await listed({ filter: "eq(custom_fields.tier,gold):gt(custom_fields.shoe_size,40)" })).toEqual(["Ron"]);
  expect(await listed({ filter: "in(custom_fields.floor,1,2):like(email,*@EXAMPLE.com)", orderBy: "name" })).toEqual([
    "Ben",
    "Leslie",
    "Ron",
  ]);
  const clause = "eq(custom_fields.floor,2)";
  const clauses = (count: number) => Array.from({ length: count }, () => clause).join(":");
  expect(await listed({ filter: clauses(10), orderBy: "email" })).toEqual(["Ben", "Ron"]);
  for (const filter of [clauses(11), "nonsense", "eq(custom_fields.nobody,1)"]) {
    expect(await failureOf(call(listCustomers, { filter }))).toMatchObject({
      code: "InvalidArgument",
      message: "Could not parse the supplied filter",
    });
  }

  // To add a field, the customer token is passed in the request header.
  const { secret } = await answer(CustomerTokenService.method.createCustomerToken, { customerId: customer.id });
  const shopper = open(clientele, "");
  const headers = { authorization: `Bearer ${secret}` };
  const own = (customFields: JsonObject) =>
    shopper(updateCustomer, { customer: { id: customer.id, customFields } }, headers);
  expect(await own({ shoe_size: 45 })).toMatchObject({ customer: { customFields: { ...good, shoe_size: 45 } } });
  expect(await failureOf(own({ tier: "silver" }))).toMatchObject({
    code: "PermissionDenied",
    fields: { "customer.custom_fields.tier": expect.any(String) },
  });
  expect(await failureOf(own({ shoe_size: 51 }))).toMatchObject({ code: "InvalidArgument" });
  const form = (await shopper(FormService.method.getFormConstraints, {}, headers)) as unknown as Answer;
  expect(form.constraints.customFields).toMatchObject([{ customField: { slug: "shoe_size" } }]);

  expect(await listed({ orderBy: "update_time desc" })).toEqual(["Ron", "Ben", "Leslie"]);
  expect(await listed({ orderBy: "custom_fields.floor, custom_fields.shoe_size desc" })).toEqual([
    "Leslie",
    "Ben",
    "Ron",
  ]);
});
