import {
  type CustomField,
  type CustomFieldRule,
  CustomFieldSchema,
  CustomFieldType,
} from "../../../gen/clientele/v1/custom_fields_pb.js";
import { isDay } from "../../formats/days.js";
import { type FieldViolation, invalidFields, requiredMessage } from "../../rpc/errors.js";
import { violationsIn, withoutBlanks } from "../../rpc/requests/validate.js";
import { jsonOf } from "./convert.js";
import { type Bounds, faultOf } from "./values.js";

type Kind = NonNullable<CustomFieldRule["kind"]["case"]>;

// Which rules fit a type.
const fitting: Record<CustomFieldType, readonly Kind[]> = {
  [CustomFieldType.UNSPECIFIED]: [],
  [CustomFieldType.STRING]: ["stringEnum", "email", "slug", "lengthBetween"],
  [CustomFieldType.INTEGER]: ["integerEnum", "integerBetween"],
  [CustomFieldType.BOOLEAN]: [],
  [CustomFieldType.FLOAT]: ["floatEnum", "floatBetween"],
  [CustomFieldType.DATE]: ["dateEnum", "dateBetween"],
};

/** The definition as it will be stored: trimmed, without blanks. Throws INVALID_ARGUMENT unless it can be kept. */
export function validCustomField(given: CustomField): CustomField {
  const field = withoutBlanks(CustomFieldSchema, given);
  const violations = violationsIn(CustomFieldSchema, field, "custom_field").map((violation) => {
    const missing =
      (violation.field === "custom_field.slug" && field.slug === "") ||
      (violation.field === "custom_field.type" && field.type === CustomFieldType.UNSPECIFIED);
    return missing ? { ...violation, description: requiredMessage } : violation;
  });
  // A rule that breaks the contract is not checked further.
  if (violations.length === 0) violations.push(...ruleViolations(field), ...defaultViolations(field));
  if (violations.length > 0) throw invalidFields(violations);
  return field;
}

function ruleViolations({ type, rules }: CustomField): FieldViolation[] {
  const cases = rules.map(({ kind }) => kind.case);
  return rules.flatMap(({ kind }, index) => {
    const field = `custom_field.rules[${index}]`;
    if (kind.case === undefined || !fitting[type].includes(kind.case)) {
      return [{ field, description: "does not fit the type of the field" }];
    }
    if (cases.indexOf(kind.case) < index) return [{ field, description: "is given twice" }];
    const description = operandFault(kind);
    return description === undefined ? [] : [{ field: `${field}.${snakeCase(kind.case)}`, description }];
  });
}

// The fault of a rule's operands, beyond the rules of the contract.
function operandFault(kind: CustomFieldRule["kind"]): string | undefined {
  switch (kind.case) {
    case "stringEnum":
      return kind.value.values.every((text) => text === text.trim()) ? undefined : "must have no space around a text";
    case "dateEnum":
      return kind.value.values.every(isDay) ? undefined : dayMessage;
    case "dateBetween": {
      const bounds = [kind.value.min, kind.value.max].filter((day) => day !== undefined);
      return bounds.every(isDay) ? orderFault(kind.value) : dayMessage;
    }
    case "lengthBetween":
    case "floatBetween":
    case "integerBetween":
      return orderFault(kind.value);
    default:
      return undefined;
  }
}

const dayMessage = "must be days such as 2026-02-28";

function orderFault<Value extends string | number>({ min, max }: Bounds<Value>): string | undefined {
  const isInOrder = min === undefined || max === undefined || min <= max;
  return isInOrder ? undefined : "must have a max that is not less than its min";
}

function defaultViolations(field: CustomField): FieldViolation[] {
  const value = jsonOf(field.defaultValue) ?? null;
  if (value === null) return [];
  const description = typeof value === "string" && value !== value.trim() ? "must be trimmed" : faultOf(field, value);
  return description === undefined ? [] : [{ field: "custom_field.default_value", description }];
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
