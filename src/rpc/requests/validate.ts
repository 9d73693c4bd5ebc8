import { clone, type DescMessage, type Message, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { cleanText } from "../../formats/text.js";
import { type FieldViolation, invalidField, invalidFields, requiredMessage } from "../errors.js";
import { refuseCardNumbers } from "./card-numbers.js";
import { refuseLargeJson } from "./json-size.js";
import { refuseLongLists } from "./list-sizes.js";

// The patterns are constants of our contract, linear in time, so the platform's expressions may run them.
const validator = createValidator({ regexMatch: (pattern, against) => compiled(pattern).test(against) });
const expressions = new Map<string, RegExp>();

/** Refuses a request that is too large in a list or its JSON, holds the number of a card, breaks the rules of its proto, or holds what Postgres cannot keep. */
export const validateInterceptor: Interceptor = (next) => async (req) => {
  const check = (message: Message) => {
    // First, because all that follows walks what the message holds.
    refuseLongLists(req.method.input, message);
    refuseLargeJson(req.method.input, message);
    // Before the other rules, because they may quote what they refuse.
    refuseCardNumbers(req.method.input, message);
    requireValid(req.method.input, message);
  };
  if (req.stream) return await next({ ...req, message: checked(req.message, check) });
  check(req.message);
  return await next(req);
};

async function* checked(messages: AsyncIterable<Message>, check: (message: Message) => void): AsyncIterable<Message> {
  for await (const message of messages) {
    check(message);
    yield message;
  }
}

/**
 * Throws INVALID_ARGUMENT, with a BadRequest path for each violation, unless a message keeps the rules of its proto.
 * `prefix` is the path of the message in the request, such as `customer`.
 */
export function requireValid<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, prefix = ""): void {
  const violations = violationsIn(schema, message, prefix);
  if (violations.length > 0) throw invalidFields(violations);
}

/** The violations of a message against the rules of its proto, for what has more rules to add to them. */
export function violationsIn<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  prefix: string,
): FieldViolation[] {
  if (!isKeepable(message)) return firstOf(unkeepable(message, prefix), 100);
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  return (result.violations ?? []).map((violation) => ({
    field: join(prefix, pathOf(violation.field)),
    description: descriptionOf(violation.ruleId, violation.message),
  }));
}

/** The resource in a request. Throws INVALID_ARGUMENT if there is none. */
export function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw invalidField(field, requiredMessage);
  return value;
}

/**
 * The violations of fields that must have a value and have none, by their names in snake_case; not of those that had none
 * `before`.
 */
export function missingFields<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  required: readonly string[],
  prefix: string,
  before?: MessageShape<Desc>,
): FieldViolation[] {
  const reflected = reflect(schema, message);
  const stored = before && reflect(schema, before);
  return schema.fields
    .filter((field) => required.includes(field.name) && !reflected.isSet(field))
    .filter((field) => stored === undefined || stored.isSet(field))
    .map((field) => ({ field: join(prefix, field.name), description: requiredMessage }));
}

/** A copy in which every text is clean, as of a name or a line, and an optional one that is blank is absent. */
export function withoutBlanks<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  const reflected = reflect(schema, clone(schema, message));
  for (const field of schema.fields) {
    if (field.fieldKind !== "scalar" || field.scalar !== ScalarType.STRING || !reflected.isSet(field)) continue;
    const text = cleanText(String(reflected.get(field)));
    if (text === "") reflected.clear(field);
    else reflected.set(field, text);
  }
  return reflected.message as MessageShape<Desc>;
}

// The one min_len of the contract is 1.
function descriptionOf(ruleId: string, message: string): string {
  return /^(required|(string|bytes)\.min_len)$/.test(ruleId) ? requiredMessage : message;
}

type Path = readonly { kind: string; name?: string; index?: number; key?: unknown }[];

function pathOf(path: Path): string {
  return path.reduce((before, element) => {
    if (element.kind === "list_sub") return `${before}[${element.index}]`;
    if (element.kind === "map_sub") return `${before}[${JSON.stringify(element.key)}]`;
    return join(before, element.name ?? "");
  }, "");
}

// A NUL is an error in Postgres, a lone surrogate would be replaced silently, and JSON has no number that is not finite.
function isKeepable(value: unknown): boolean {
  if (typeof value === "string") return !value.includes("\0") && value.isWellFormed();
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return true;
  return Object.entries(value).every(([key, inner]) => isKeepable(key) && isKeepable(inner));
}

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const first: T[] = [];
  for (const item of items) if (first.push(item) >= count) break;
  return first;
}

// Where that is.
function* unkeepable(value: unknown, path: string): Generator<FieldViolation> {
  if (typeof value === "string") {
    if (value.includes("\0")) yield { field: path, description: "must not contain a NUL character" };
    else if (!value.isWellFormed()) yield { field: path, description: "must be well-formed Unicode" };
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) yield { field: path, description: "must be a finite number" };
  } else if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    for (const [key, inner] of Object.entries(value)) {
      if (key === "$typeName" || key === "$unknown") continue;
      const name = snakeCase(key);
      if (key.includes("\0") || !key.isWellFormed()) yield { field: path, description: "has a key that is not text" };
      // One of several fields stands under its own name.
      const { case: chosen, value: one } = Object(inner);
      if ("$typeName" in value && typeof chosen === "string" && !("$typeName" in Object(inner))) {
        yield* unkeepable(one, join(path, snakeCase(chosen)));
      } else {
        yield* unkeepable(inner, Array.isArray(value) ? `${path}[${name}]` : join(path, name));
      }
    }
  }
}

function compiled(pattern: string): RegExp {
  const known = expressions.get(pattern);
  if (known !== undefined) return known;
  const expression = new RegExp(pattern, "u");
  expressions.set(pattern, expression);
  return expression;
}

function snakeCase(localName: string): string {
  return localName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function join(prefix: string, name: string): string {
  return prefix === "" ? name : name === "" ? prefix : `${prefix}.${name}`;
}
