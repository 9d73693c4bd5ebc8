import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { CustomFieldType } from "../../gen/clientele/v1/custom_fields_pb.js";
import type { CustomFieldConstraints, FieldConstraints, FormConstraints } from "../../gen/clientele/v1/forms_pb.js";

/** A form: texts by the paths of their fields, in snake_case. */
export type Texts = Readonly<Record<string, string | undefined>>;

// A form that knows nothing of the service but what GetFormConstraints says. It is written anew here on purpose.

/** The customer fields and custom fields that a form would not send. */
export function customerFaults(form: FormConstraints, texts: Texts, customFields: JsonObject): string[] {
  const custom = new Map(form.customFields.map((field) => [field.customField!.slug, field]));
  const unknown = Object.keys(customFields).filter((slug) => !custom.has(slug));
  const wrong = [...custom].filter(([slug, field]) => isWrongValue(field, customFields[slug]));
  const slugs = [...unknown, ...wrong.map(([slug]) => slug)];
  return [...textFaults(form.customerFields, texts), ...slugs.map((slug) => `custom_fields.${slug}`)];
}

/** The address fields that a form would not send. */
export function addressFaults(form: FormConstraints, texts: Texts): string[] {
  const faults = new Set(textFaults(form.addressFields, texts));
  const country = form.countries.find(({ code }) => code === texts.country?.trim());
  if (country === undefined) return [...faults];
  const [state, postalCode] = [texts.state?.trim() ?? "", texts.postal_code?.trim() ?? ""];
  const known = country.states.find(({ code }) => code === state);
  if (state !== "" && country.statePattern === "" && known === undefined) faults.add("state");
  if (state !== "" && !matches(country.statePattern, state)) faults.add("state");
  const patterns = [country.postalCodePattern, known?.postalCodePattern ?? ""];
  if (postalCode !== "" && !patterns.every((pattern) => matches(pattern, postalCode))) faults.add("postal_code");
  return [...faults];
}

function textFaults(fields: readonly FieldConstraints[], texts: Texts): string[] {
  const names = new Set(fields.map(({ name }) => name));
  const unknown = Object.keys(texts).filter((name) => !names.has(name));
  const wrong = fields.filter(({ name, required, maxLength, pattern }) => {
    const text = texts[name]?.trim() ?? "";
    if (text === "") return required;
    return text.includes("\0") || (maxLength > 0 && [...text].length > maxLength) || !matches(pattern, text);
  });
  return [...unknown, ...wrong.map(({ name }) => name)];
}

function matches(pattern: string, text: string): boolean {
  return pattern === "" || new RegExp(pattern, "u").test(text);
}

function isWrongValue({ customField, maxLength, patterns }: CustomFieldConstraints, given: JsonValue = null): boolean {
  const { type, required, defaultValue, rules } = customField!;
  const value = typeof given === "string" ? given.trim() : given;
  if (value === null || value === "") return required === true && defaultValue === undefined;
  if (!isOfType(type, value)) return true;
  const text = String(value);
  if (maxLength > 0 && [...text].length > maxLength) return true;
  if (text.includes("\0") || !patterns.every((pattern) => matches(pattern, text))) return true;
  return !rules.every(({ kind }) => {
    switch (kind.case) {
      case "lengthBetween":
        return isWithin([...text].length, kind.value);
      case "stringEnum":
      case "dateEnum":
        return kind.value.values.includes(text);
      case "integerEnum":
      case "floatEnum":
        return kind.value.values.includes(Number(value));
      case "dateBetween":
        return isWithin(text, kind.value);
      case "integerBetween":
      case "floatBetween":
        return isWithin(Number(value), kind.value);
      default:
        return true;
    }
  });
}

interface Bounds<Value> {
  readonly min?: Value | undefined;
  readonly max?: Value | undefined;
}

function isWithin<Value extends string | number>(value: Value, { min, max }: Bounds<Value>): boolean {
  return (min === undefined || min <= value) && (max === undefined || value <= max);
}

function isOfType(type: CustomFieldType, value: JsonValue): boolean {
  if (type === CustomFieldType.STRING) return typeof value === "string";
  if (type === CustomFieldType.BOOLEAN) return typeof value === "boolean";
  if (type === CustomFieldType.INTEGER) return Number.isSafeInteger(value);
  if (type === CustomFieldType.FLOAT) return typeof value === "number";
  const [year = 0, month = 0, day = 0] = typeof value === "string" ? value.split("-").map(Number) : [];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const isReal = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value) && year > 0 && isReal;
}
