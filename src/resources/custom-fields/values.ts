import { isDeepStrictEqual } from "node:util";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { type CustomField, type CustomFieldRule, CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { countCharacters } from "../../formats/characters.js";
import { isDay } from "../../formats/days.js";
import type { CallerKind } from "../../rpc/callers/caller.js";
import { type FieldViolation, notPermitted, requiredMessage } from "../../rpc/errors.js";
import { mergeObject } from "../../rpc/requests/field-mask.js";
import { textRulesOf } from "../../rpc/requests/text-rules.js";
import { jsonOf } from "./convert.js";

/** How long a text may be, in characters. */
export const maxTextLength = 1_000;
/** The form of a slug as a value. */
export const slugPattern = "^[a-z0-9]+(?:-[a-z0-9]+)*$";
/** The form of an e-mail address, as that of a customer. */
export const emailPattern = textRulesOf(CustomerSchema.field.email).pattern ?? "";
const [slug, email] = [new RegExp(slugPattern, "u"), new RegExp(emailPattern, "u")];

/** The stored values that clients see, by slug: those of the fields that are enabled. */
export function shownValues(stored: JsonObject, fields: readonly CustomField[]): JsonObject {
  const shown: JsonObject = {};
  for (const field of fields) {
    const value = own(stored, field.id);
    if (value !== undefined && field.enabled) shown[field.slug] = value;
  }
  return shown;
}

/** Values by slug as they are stored, by the ids of their definitions, beside those `before` that nobody sees. */
export function storedValues(values: JsonObject, fields: readonly CustomField[], before: JsonObject = {}): JsonObject {
  const shown = fields.filter(({ enabled }) => enabled);
  const ids = new Set(shown.map(({ id }) => id));
  const hidden = Object.entries(before).filter(([id]) => !ids.has(id));
  const given = shown.flatMap((field): [string, JsonValue][] => {
    const value = own(values, field.slug);
    return value === undefined ? [] : [[field.id, value]];
  });
  return Object.fromEntries([...hidden, ...given]);
}

interface Writing {
  /** The values by slug before the change; undefined for a new customer, which takes defaults. */
  readonly before?: JsonObject | undefined;
  /** The kind of the writer. */
  readonly kind: CallerKind;
}

/**
 * The values as they will be stored, by slug, and what is wrong with them. A value that does not change may stay whatever
 * the rules say by now; what was missing may stay missing. Throws PERMISSION_DENIED for a field that the caller may not
 * write.
 */
export function validValues(given: JsonObject, fields: readonly CustomField[], { before, kind }: Writing) {
  const values = mergeObject(
    {},
    Object.fromEntries(Object.entries(given).map(([key, value]) => [key, trimmed(value)])),
  );
  const writable = (field: CustomField) => kind === "secret_key" || field.writableByCustomer === true;
  const violations: FieldViolation[] = [];
  const fieldsBySlug = new Map(fields.filter(({ enabled }) => enabled).map((field) => [field.slug, field]));
  for (const [key, value] of Object.entries(values)) {
    if (!fieldsBySlug.has(key))
      violations.push({ field: pathOf(key.slice(0, 40)), description: "is no custom field in use" });
    else if (isDeepStrictEqual(own(before, key), value)) fieldsBySlug.delete(key);
  }
  for (const [key, field] of fieldsBySlug) {
    const value = own(values, key);
    const stored = own(before, key) !== undefined;
    if (value !== undefined || stored) requireWritable(field, writable(field));
    if (value !== undefined) {
      const description = faultOf(field, value);
      if (description !== undefined) violations.push({ field: pathOf(key), description });
    } else if (before === undefined && field.defaultValue !== undefined) {
      values[key] = jsonOf(field.defaultValue) ?? null;
    } else if (field.required && writable(field) && (before === undefined || stored)) {
      violations.push({ field: pathOf(key), description: requiredMessage });
    }
  }
  return { values: mergeObject({}, values), violations: violations.slice(0, 100) };
}

function requireWritable(field: CustomField, allowed: boolean): void {
  if (!allowed) throw notPermitted([pathOf(field.slug)]);
}

function pathOf(key: string): string {
  return `customer.custom_fields.${key}`;
}

// A slug may be called `constructor`.
function own(values: JsonObject | undefined, key: string): JsonValue | undefined {
  return values !== undefined && Object.hasOwn(values, key) ? values[key] : undefined;
}

function trimmed(value: JsonValue): JsonValue {
  return typeof value === "string" ? value.trim() : value;
}

/** The problem of a field's value, in the words that a client sees; undefined for a valid one. */
export function faultOf({ type, rules }: Pick<CustomField, "type" | "rules">, value: JsonValue): string | undefined {
  const fault = typeFault(type, value);
  if (fault !== undefined) return fault;
  for (const { kind } of rules) {
    const broken = ruleFault(kind, value);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

function typeFault(type: CustomFieldType, value: JsonValue): string | undefined {
  switch (type) {
    case CustomFieldType.STRING:
      if (typeof value !== "string") return "must be a text";
      return countCharacters(value) > maxTextLength ? `must be at most ${maxTextLength} characters` : undefined;
    case CustomFieldType.INTEGER:
      return Number.isSafeInteger(value) ? undefined : "must be a whole number";
    case CustomFieldType.FLOAT:
      return Number.isFinite(value) ? undefined : "must be a number";
    case CustomFieldType.BOOLEAN:
      return typeof value === "boolean" ? undefined : "must be true or false";
    default:
      return typeof value === "string" && isDay(value) ? undefined : "must be a day such as 2026-02-28";
  }
}

// The value is of the type that the rule fits.
function ruleFault(kind: CustomFieldRule["kind"], value: JsonValue): string | undefined {
  switch (kind.case) {
    case "stringEnum":
    case "integerEnum":
    case "floatEnum":
    case "dateEnum":
      return kind.value.values.some((one: string | number) => one === value) ? undefined : notListed;
    case "email":
      return email.test(String(value)) ? undefined : "Enter a valid email address.";
    case "slug":
      return slug.test(String(value)) ? undefined : "Enter a valid slug.";
    case "lengthBetween":
      return boundsFault(countCharacters(String(value)), kind.value, " characters");
    case "integerBetween":
    case "floatBetween":
      return boundsFault(Number(value), kind.value);
    case "dateBetween":
      return boundsFault(String(value), kind.value);
    default:
      return undefined;
  }
}

const notListed = "is none of the values allowed";

/** The bounds of a rule; an absent one does not apply. */
export interface Bounds<Value> {
  readonly min?: Value | undefined;
  readonly max?: Value | undefined;
}

function boundsFault<Value extends string | number>(
  value: Value,
  { min, max }: Bounds<Value>,
  unit = "",
): string | undefined {
  if ((min === undefined || value >= min) && (max === undefined || value <= max)) return undefined;
  if (min === undefined) return `must be at most ${max}${unit}`;
  return max === undefined ? `must be at least ${min}${unit}` : `must be between ${min} and ${max}${unit}`;
}
