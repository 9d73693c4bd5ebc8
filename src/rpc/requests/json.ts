import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { isDay } from "../../formats/days.js";
import { isExactNumber } from "../../formats/exact-numbers.js";
import { type FieldViolation, invalidFields, rpcError } from "../errors.js";
import { bytesPerValue, maxValues, tooManyValues } from "./binary.js";
import { cardNumberGiven } from "./card-numbers.js";
import {
  DuplicateKey,
  InexactNumber,
  inexactMessage,
  isObject,
  noteInexact,
  parseExactly,
  pathOfKey,
} from "./exact-json.js";
import type { Findings } from "./findings.js";
import { nearest } from "./nearest.js";

/**
 * Parses a request in JSON. A field or an enum value that the contract does not know is INVALID_ARGUMENT, with its path,
 * the nearest name and the names that are permitted. The name of an enum value may lack its prefix, in any case. A number
 * that would not keep its digits is INVALID_ARGUMENT too.
 */
export function parseJson<Desc extends DescMessage>(schema: Desc, bytes: Buffer): Message {
  if (bytes.length > bytesPerValue * maxValues && countValues(bytes) > maxValues) throw tooManyValues();
  const { json, hasInexact } = parse(schema, bytes);
  try {
    const violations = normalizeJson(schema, json, "", hasInexact);
    if (violations.length > 0) throw invalidFields(violations);
    return fromJson(schema, json);
  } catch (error) {
    if (error instanceof Error && error.name === "ConnectError") throw error;
    throw rpcError("REQUEST_MALFORMED", error instanceof Error ? error.message : String(error));
  }
}

/**
 * Replaces the names of enum values, in a message as JSON at a path, by those of the contract. Returns the violations: unknown
 * names, and numbers that would not keep their digits.
 */
export function normalizeJson(
  schema: DescMessage,
  json: JsonValue,
  path: string,
  hasInexact: boolean,
): FieldViolation[] {
  const findings: Findings = { cards: [], faults: [] };
  if (!isObject(json)) return [];
  if (hasInexact) takeInexact(schema, json, path, findings);
  // The other violations may quote what is refused here.
  if (findings.cards.length > 0) throw cardNumberGiven(findings.cards);
  checkMessage(schema, json, path, findings.faults);
  return findings.faults;
}

function parse(schema: DescMessage, bytes: Buffer): { json: JsonValue; hasInexact: boolean } {
  // Connect: a request without fields may have no body.
  if (bytes.length === 0) return { json: {}, hasInexact: false };
  try {
    const { value, hasInexact } = parseExactly(utf8.decode(bytes));
    return { json: value as JsonValue, hasInexact };
  } catch (error) {
    if (error instanceof DuplicateKey) throw givenTwice(error);
    throw rpcError("REQUEST_MALFORMED", `The request is not a ${schema.typeName} in JSON.`);
  }
}

function givenTwice({ key }: DuplicateKey): Error {
  const field = pathOfKey("", key);
  return field === "" ? cardNumberGiven([field]) : invalidFields([{ field, description: "is given twice" }]);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const [quote, backslash, comma, brace, bracket] = Buffer.from('"\\,{[');

// Without parsing, and no further than the limit: every value but the first of each list or object follows a comma.
function countValues(bytes: Buffer): number {
  let count = 0;
  let inText = false;
  for (let at = 0; at < bytes.length && count <= maxValues; at++) {
    const byte = bytes[at];
    if (byte === quote) inText = !inText;
    else if (inText) at += byte === backslash ? 1 : 0;
    else if (byte === comma || byte === brace || byte === bracket) count += 1;
  }
  return count;
}

// Replaces the numbers that are not kept by null, so that the rest can be checked.
function takeInexact(schema: DescMessage | undefined, value: object, path: string, findings: Findings): void {
  const fields = schema && planOf(schema).fields;
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner !== "object" || inner === null) continue;
    const field = fields?.get(key);
    const at = Array.isArray(value) ? `${path}[${key}]` : pathOfKey(path, field?.name ?? key);
    if (inner instanceof InexactNumber) {
      noteInexact(inner, at, findings);
      Reflect.set(value, key, null);
    } else takeInexact(Array.isArray(value) ? schema : field?.inner, inner, at, findings);
  }
}

// Replaces the names of enum values in place by those of the contract.
function checkMessage(schema: DescMessage, json: JsonObject, path: string, violations: FieldViolation[]): void {
  const { fields, names } = planOf(schema);
  for (const [name, value] of Object.entries(json)) {
    const field = fields.get(name);
    if (field === undefined)
      violations.push({ field: pathOfKey(path, name), description: explain("field", name, names) });
    else if (field.check !== undefined && value !== null) {
      const checked = field.check(value, path === "" ? field.name : `${path}.${field.name}`, violations);
      if (checked !== value) json[name] = checked;
    }
  }
}

/** Checks the value of a field, and gives what to read in its place. */
type Check = (value: JsonValue, path: string, violations: FieldViolation[]) => JsonValue;

interface FieldEntry {
  readonly name: string;
  readonly check: Check | undefined;
  /** The message that the field holds, unless it has a JSON form of its own. */
  readonly inner: DescMessage | undefined;
}

interface Plan {
  readonly fields: ReadonlyMap<string, FieldEntry>;
  /** The names that a client is told. */
  readonly names: readonly string[];
}

const plans = new Map<DescMessage, Plan>();

// Worked out once for each type of message. The fields are filled in after, because messages may hold themselves.
function planOf(schema: DescMessage): Plan {
  const cachedPlan = plans.get(schema);
  if (cachedPlan !== undefined) return cachedPlan;
  const fields = new Map<string, FieldEntry>();
  const plan = { fields, names: schema.fields.map((field) => field.jsonName) };
  plans.set(schema, plan);
  for (const field of schema.fields) {
    const isOurs = field.message !== undefined && field.fieldKind !== "map" && !hasOwnJson(field.message);
    const entry = { name: field.name, check: checkOf(field), inner: isOurs ? field.message : undefined };
    fields.set(field.jsonName, entry).set(field.name, entry);
  }
  return plan;
}

function checkOf(field: DescField): Check | undefined {
  const one = checkOfOne(field);
  if (one === undefined || (field.fieldKind !== "list" && field.fieldKind !== "map")) return one;
  if (field.fieldKind === "list") {
    return (value, path, violations) =>
      Array.isArray(value) ? value.map((item, at) => one(item, `${path}[${at}]`, violations)) : value;
  }
  return (value, path, violations) => {
    if (!isObject(value)) return value;
    const entries = Object.entries(value);
    return Object.fromEntries(entries.map(([key, item]) => [key, one(item, `${path}["${key}"]`, violations)]));
  };
}

function checkOfOne(field: DescField): Check | undefined {
  if (field.enum !== undefined) {
    const { enum: desc } = field;
    return (value, path, violations) => (typeof value === "string" ? nameOf(desc, value, path, violations) : value);
  }
  // JSON may spell a double as text.
  if (field.scalar === ScalarType.DOUBLE || field.scalar === ScalarType.FLOAT) {
    return (value, path, violations) => {
      const isInexact = typeof value === "string" && /^[+-]?[\d.]/.test(value) && !isExactNumber(value);
      if (isInexact) violations.push({ field: path, description: inexactMessage });
      return value;
    };
  }
  if (field.message?.typeName === TimestampSchema.typeName) return checkTime;
  if (field.message === undefined || hasOwnJson(field.message)) return undefined;
  const { message } = field;
  return (value, path, violations) => {
    if (isObject(value)) checkMessage(message, value, path, violations);
    return value;
  };
}

// Date would take the 30th of February for the 2nd of March, and 24:00 for the day after. What is no time at all is found
// later.
function checkTime(value: JsonValue, path: string, violations: FieldViolation[]): JsonValue {
  const [, day = "", hour = ""] = typeof value === "string" ? (/^(\d{4}-\d\d-\d\d)T(\d\d):/.exec(value) ?? []) : [];
  if (day !== "" && (!isDay(day) || hour > "23")) {
    violations.push({ field: path, description: "is no time of the calendar" });
  }
  return value;
}

// The well-known types have JSON forms of their own, such as a time as text.
function hasOwnJson(message: DescMessage): boolean {
  return message.typeName.startsWith("google.protobuf.");
}

function nameOf(desc: DescEnum, given: string, path: string, violations: FieldViolation[]): string {
  const { byName, names } = enumPlanOf(desc);
  const name = byName.get(given) ?? byName.get(given.toUpperCase());
  if (name !== undefined) return name;
  violations.push({ field: path, description: explain("value", given, names) });
  return given;
}

const enumPlans = new Map<DescEnum, { byName: Map<string, string>; names: string[] }>();

function enumPlanOf(desc: DescEnum) {
  const cachedPlan = enumPlans.get(desc);
  if (cachedPlan !== undefined) return cachedPlan;
  const prefix = desc.sharedPrefix?.toUpperCase() ?? "";
  const byName = new Map<string, string>();
  for (const { name } of desc.values) byName.set(name, name).set(name.slice(prefix.length).toUpperCase(), name);
  const names = desc.values.filter(({ number }) => number !== 0).map(({ name }) => name.slice(prefix.length));
  const plan = { byName, names };
  enumPlans.set(desc, plan);
  return plan;
}

const mostNames = 40;

function explain(kind: "field" | "value", given: string, names: readonly string[]): string {
  const near = nearest(given, names);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  const listed = names.slice(0, mostNames).join(", ");
  const permitted = names.length === 0 ? "There are none." : `Permitted are ${listed}.`;
  return `is no known ${kind}${hint}${hint === "" ? "." : ""} ${permitted}`;
}
