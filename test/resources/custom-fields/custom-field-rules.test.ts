import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type CustomFieldRuleSchema, CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

const { INTEGER, FLOAT, DATE } = CustomFieldType;
const clientele = useClientele();

type Rule = NonNullable<MessageInitShape<typeof CustomFieldRuleSchema>["kind"]>;
const refused: { name: string; type: CustomFieldType; kind: Rule; at: string }[] = [
  {
    name: "an integer with a fraction",
    type: INTEGER,
    kind: { case: "integerBetween", value: { min: 0.5 } },
    at: "integer_between.min",
  },
  {
    name: "an integer that is no number",
    type: INTEGER,
    kind: { case: "integerBetween", value: { max: Number.POSITIVE_INFINITY } },
    at: "integer_between.max",
  },
  { name: "no bound", type: FLOAT, kind: { case: "floatBetween", value: {} }, at: "float_between" },
  {
    name: "a bound that is not written as a day",
    type: DATE,
    kind: { case: "dateBetween", value: { min: "2026-1-1" } },
    at: "date_between.min",
  },
];

test.for(refused)("a rule with $name is refused", async ({ type, kind, at }) => {
  const { test: own } = await clientele.createAccount();
  const customField = { slug: "field", name: "Field", type, rules: [{ kind }] };
  const failure = await failureOf(own.customFields.createCustomField({ customField }));
  expect(Object.keys(failure.fields)).toEqual([`custom_field.rules[0].${at}`]);
});
