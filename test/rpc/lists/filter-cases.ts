import fc from "fast-check";
import type { Clause, Fields, Filter, Operand } from "../../../src/rpc/lists/filter-clause.js";

/** Some of a customer's fields, of every type. */
export const fields = {
  email: { type: "text", caseInsensitive: true },
  name: { type: "text" },
  create_time: { type: "timestamp" },
  delete_time: { type: "timestamp" },
  enabled: { type: "boolean" },
  type: { type: "enum", values: { INDIVIDUAL: "individual", CUSTOMER_TYPE_BUSINESS: "business" } },
  metadata: { type: "map" },
  custom_fields: {
    type: "record",
    members: {
      word: { type: "member", of: "text", key: "word" },
      "size-2": { type: "member", of: "number", key: "size-2" },
      vip: { type: "member", of: "boolean", key: "vip" },
      born: { type: "member", of: "day", key: "born" },
    },
  },
} as const satisfies Fields;

// Few characters, so that texts meet; each of them means something to somebody on the way.
const characters = [..."aAbé5É%_*\\'\",():.?$ \n-\u0130iσςΣß\u{1f600}\uffee"];

export const nastyText = fc.oneof(
  fc.string({ unit: fc.constantFrom(...characters), maxLength: 4 }),
  fc.constantFrom("true", "false", "null", "5", "5.0", "05", "-0", "0.1", "1e2", "100", "1e999", "__proto__", "", "a"),
);

const jsonNumber = fc.constantFrom(0, 5, -5, 0.1, 0.30000000000000004, 100, 1e21, 5e-324, 9007199254740992);
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { weight: 6, arbitrary: fc.oneof(nastyText, jsonNumber, fc.boolean(), fc.constant(null)) },
    { weight: 1, arbitrary: fc.array(tie("value"), { maxLength: 2 }) },
    { weight: 1, arbitrary: fc.dictionary(nastyText, tie("value"), { maxKeys: 2 }) },
  ),
})).value;
const keys = ["k", "a.b", 'q"u\\o', "", "__proto__", " ?", "é,)"];
const day = fc.constantFrom("0001-01-01", "1999-12-31", "2000-02-29", "9999-12-31");
const moment = fc.integer({ min: 0, max: 20 }).map((step) => new Date(Date.UTC(2026, 0, 1) + step));

export const row = fc.record({
  email: fc.option(nastyText),
  name: fc.option(nastyText),
  create_time: moment,
  delete_time: fc.option(moment),
  enabled: fc.boolean(),
  type: fc.option(fc.constantFrom("individual", "business")),
  metadata: fc
    .array(fc.tuple(fc.constantFrom(...keys), json), { maxLength: 4 })
    .map((entries) => Object.fromEntries(entries)),
  custom_fields: fc.record(
    { word: nastyText, "size-2": jsonNumber, vip: fc.boolean(), born: day },
    { requiredKeys: [] },
  ),
});

const plain = (text: string): Operand => ({ text, value: text });
const textOperand = nastyText.map(plain);
const timeOperand = fc
  .tuple(moment, fc.constantFrom("000", "001", "999"))
  .map(([time, micros]) => plain(`${time.toISOString().slice(0, -1)}${micros}Z`));
const jsonOperand = fc.oneof(
  textOperand,
  fc.constantFrom("true", "false").map((text): Operand => ({ text, value: text === "true" })),
  fc
    .oneof(jsonNumber.map(String), fc.constantFrom("-0", "5.0", "0.10", "1E2", "1e+2"))
    .map((text): Operand => ({ text, value: Number(text) })),
);
const enumOperand = fc.constantFrom(...Object.entries(fields.type.values)).map(([text, value]) => ({ text, value }));
const booleanOperand = fc.boolean().map((value): Operand => ({ text: String(value), value }));

const compared = ["eq", "in", "is_null"] as const;
const ordered = [...compared, "gt", "ge", "lt", "le"] as const;
const all = [...ordered, "like"] as const;

const numberOperand = fc
  .oneof(jsonNumber.map(String), fc.constantFrom("-0", "5.0", "0.10", "1E2", "1e+2"))
  .map((text): Operand => ({ text, value: Number(text) }));
const members = fields.custom_fields.members;

function memberClauseOf(
  key: keyof typeof members,
  operators: readonly Clause["operator"][],
  operand: fc.Arbitrary<Operand>,
): fc.Arbitrary<Clause> {
  return clauseOf("custom_fields", operators, operand).map((clause) => ({ ...clause, key, field: members[key] }));
}

function clauseOf(
  name: keyof typeof fields,
  operators: readonly Clause["operator"][],
  operand: fc.Arbitrary<Operand>,
  key: fc.Arbitrary<{ readonly key?: string }> = fc.constant({}),
): fc.Arbitrary<Clause> {
  return fc.constantFrom(...operators).chain((operator) => {
    const [minLength, maxLength] = operator === "is_null" ? [0, 0] : operator === "in" ? [1, 3] : [1, 1];
    return fc
      .tuple(fc.array(operand, { minLength, maxLength }), key)
      .map(([operands, path]) => ({ operator, name, field: fields[name], ...path, operands }));
  });
}

const clause = fc.oneof(
  clauseOf("email", all, textOperand),
  clauseOf("name", all, textOperand),
  clauseOf("create_time", ordered, timeOperand),
  clauseOf("delete_time", ordered, timeOperand),
  clauseOf("enabled", compared, booleanOperand),
  clauseOf("type", compared, enumOperand),
  memberClauseOf("word", all, textOperand),
  memberClauseOf("size-2", ordered, numberOperand),
  memberClauseOf("vip", compared, booleanOperand),
  memberClauseOf("born", ordered, day.map(plain)),
  ...[1, 2, 3].map(() =>
    clauseOf(
      "metadata",
      all,
      jsonOperand,
      fc.constantFrom("k", ...keys).map((key) => ({ key })),
    ),
  ),
);

/** A filter of up to so many clauses. */
export function filterOf(maxLength: number): fc.Arbitrary<Filter> {
  return fc.array(clause, { maxLength }).map((clauses) => ({ clauses }));
}
