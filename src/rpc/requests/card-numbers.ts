import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import {
  holdsCardNumber,
  isCardNumber,
  isCardNumberAsNumber,
  isCardNumberAsPhone,
} from "../../formats/card-numbers.js";
import { type FieldViolation, invalidFields } from "../errors.js";

/**
 * Refuses a message that holds the number of a payment card in any text, by walking its descriptor: a new field is
 * covered by itself. Throws INVALID_ARGUMENT, reason CARD_NUMBER_GIVEN. `prefix` is the path of the message.
 */
export function refuseCardNumbers(schema: DescMessage, message: object, prefix = ""): void {
  const fields = fieldsWithCardNumbers(schema, message, prefix);
  if (fields.length > 0) throw cardNumberGiven(fields);
}

/** Refuses a text that is no field of a message, such as the name of a call. Throws INVALID_ARGUMENT, reason CARD_NUMBER_GIVEN. */
export function refuseCardNumber(text: string, field: string): void {
  if (holdsCardNumber(text)) throw cardNumberGiven([field]);
}

/** The paths at which a message holds the number of a card, at most a hundred. */
function fieldsWithCardNumbers(schema: DescMessage, message: object, prefix: string): string[] {
  const found: string[] = [];
  walk(schema, message, prefix, found);
  return found.slice(0, 100);
}

function cardNumberGiven(fields: readonly string[]) {
  const description = "must not hold the number of a payment card";
  return invalidFields(
    fields.map((field): FieldViolation => ({ field, description })),
    "CARD_NUMBER_GIVEN",
  );
}

/** Whether a text is refused. */
type Refuses = (text: string) => boolean;

// Random characters, in which anything may stand. Only a number that stands there alone is none of them.
const generatedNames = /^(.*_)?(cursor|etag|page_token)$|^photo_url$/;
// A caller makes up ids and tokens, or sends back a generated id.
const referenceNames = /^(.*_)?(ids?|token)$/;
const generatedId = /^[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}$/;
// Kept in the format of its country with its check digits, which in France are those of cards.
const verified = new Set(["clientele.v1.TaxIdentifier.value"]);

/** Which texts are refused in a field; undefined for none: bytes, numbers, and what is hashed or forgotten. */
function ruleOf(field: DescField): Refuses | undefined {
  const fullName = `${field.parent.typeName}.${field.name}`;
  if (field.proto.options?.debugRedact || verified.has(fullName)) return undefined;
  if (generatedNames.test(field.name)) return isCardNumber;
  if (referenceNames.test(field.name)) return (text) => !generatedId.test(text) && holdsCardNumber(text);
  if (/^(.*_)?phone$/.test(field.name)) return isCardNumberAsPhone;
  return field.name === "filter" ? isRefusedAsFilter : holdsCardNumber;
}

const phoneClause = /\(\s*phone\s*,([^()]*)\)/g;

// What a filter compares telephone numbers with, as in `eq(phone,+4915112345678)`, are such numbers.
function isRefusedAsFilter(text: string): boolean {
  const phones = [...text.matchAll(phoneClause)].flatMap(([, operands = ""]) => operands.split(","));
  if (phones.some((phone) => isCardNumberAsPhone(phone.replaceAll('"', "")))) return true;
  return holdsCardNumber(text.replaceAll(phoneClause, "(phone)"));
}

/** How a value of a field is looked at: `found` takes the paths of what is refused. */
type Visit = (value: unknown, path: string, found: string[]) => void;

interface Step {
  readonly field: DescField;
  readonly visit: Visit;
}

const steps = new Map<DescMessage, readonly Step[]>();

function walk(schema: DescMessage, message: object, prefix: string, found: string[]): void {
  for (const { field, visit } of stepsOf(schema)) {
    const value = setIn(message, field);
    if (value === undefined || value === "") continue;
    visit(value, prefix === "" ? field.name : `${prefix}.${field.name}`, found);
  }
}

// Worked out once for each type of message: reflection would cost more than all of the rest.
function stepsOf(schema: DescMessage): readonly Step[] {
  const known = steps.get(schema);
  if (known !== undefined) return known;
  const made = schema.fields.flatMap((field) => {
    const visit = visitOf(field);
    return visit === undefined ? [] : [{ field, visit }];
  });
  steps.set(schema, made);
  return made;
}

function setIn(message: object, field: DescField): unknown {
  if (field.oneof === undefined) return Reflect.get(message, field.localName);
  const chosen = Object(Reflect.get(message, field.oneof.localName));
  return chosen.case === field.localName ? chosen.value : undefined;
}

function visitOf(field: DescField): Visit | undefined {
  const one = visitOfOne(field);
  if (field.fieldKind === "list") {
    if (one === undefined) return undefined;
    return (list, path, found) => {
      for (const [index, item] of Object(list).entries()) one(item, `${path}[${index}]`, found);
    };
  }
  if (field.fieldKind !== "map") return one;
  return (map, path, found) => {
    for (const [key, value] of Object.entries(Object(map))) {
      // A path must not tell it either.
      if (holdsCardNumber(key)) found.push(path);
      else one?.(value, `${path}[${JSON.stringify(key)}]`, found);
    }
  };
}

function visitOfOne(field: DescField): Visit | undefined {
  const rule = ruleOf(field);
  if (field.message !== undefined) {
    const { message } = field;
    if (isJson(field)) return visitJson;
    return (value, path, found) => {
      if (typeof value === "object" && value !== null) walk(message, value, path, found);
      // What a wrapper such as google.protobuf.StringValue holds.
      else if (typeof value === "string" && rule?.(value)) found.push(path);
    };
  }
  if (field.parent.typeName === valueType && field.scalar === ScalarType.DOUBLE) return visitJson;
  if (field.scalar !== ScalarType.STRING || rule === undefined) return undefined;
  return (value, path, found) => {
    if (typeof value === "string" && rule(value)) found.push(path);
  };
}

const valueType = "google.protobuf.Value";

// A Struct is a plain JSON object, except in a Value, which is a message with all that is in it. It must not be asked of
// the value itself: a client may name its keys as the messages of protobuf do.
function isJson({ message, parent }: DescField): boolean {
  return message?.typeName === "google.protobuf.Struct" && parent.typeName !== valueType;
}

const visitJson: Visit = (value, path, found) => {
  if (typeof value === "string" || typeof value === "number") {
    const refused = typeof value === "string" ? holdsCardNumber(value) : isCardNumberAsNumber(value);
    if (refused) found.push(path);
  } else if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visitJson(item, `${path}[${index}]`, found);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      if (holdsCardNumber(key)) found.push(path);
      else visitJson(inner, `${path}.${key.slice(0, 40)}`, found);
    }
  }
};
