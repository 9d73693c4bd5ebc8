import {
  clearField,
  clone,
  type DescMessage,
  type DescMethod,
  getOption,
  type Message,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { form } from "../../../gen/clientele/options/v1/options_pb.js";
import { cleanText } from "../../formats/text.js";
import { type FieldViolation, invalidField, invalidFields, requiredMessage } from "../errors.js";
import { requireContents } from "./contents.js";
import { oncePerType } from "./plan.js";
import { expressionOf, quickTestOf } from "./quick-tests.js";

/** Refuses a request by what it holds, before anything else looks at it. */
export const validateInterceptor: Interceptor = (next) => async (req) => {
  if (req.stream) return await next({ ...req, message: checked(req.method, req.message) });
  requireValidRequest(req.method, req.message);
  return await next(req);
};

async function* checked(method: DescMethod, messages: AsyncIterable<Message>): AsyncIterable<Message> {
  for await (const message of messages) {
    requireValidRequest(method, message);
    yield message;
  }
}

/**
 * Refuses a request that holds too much, the number of a card or text that cannot be stored, or that breaks the rules of
 * the proto. Throws INVALID_ARGUMENT.
 */
export function requireValidRequest({ input }: DescMethod, message: Message): void {
  requireContents(input, message);
  requireValid(input, message);
}

const validator = createValidator({ regexMatch: (pattern, against) => expressionOf(pattern).test(against) });

/**
 * Throws INVALID_ARGUMENT, with a BadRequest path for each violation, unless a message keeps the rules of its proto.
 * `prefix` is the path of the message in the request, such as `thing`.
 */
export function requireValid<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, prefix = ""): void {
  const violations = violationsIn(schema, message, prefix);
  if (violations.length > 0) throw invalidFields(violations);
}

/**
 * The violations of a message against the rules of its proto, for what has more rules to add to them. A message that surely
 * keeps them never reaches protovalidate, which costs more than all else that a small request takes.
 */
export function violationsIn<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  prefix: string,
): FieldViolation[] {
  if (quickTestOf(schema)?.(message) !== false) return [];
  const result = validator.validate(schema, withoutExempt(schema, message));
  if (result.kind === "error") throw result.error;
  return (result.violations ?? []).map((violation) => ({
    field: join(prefix, pathOf(violation.field)),
    description: descriptionOf(violation),
  }));
}

const exemptFields = oncePerType((fields) =>
  fields.filter((field) => field.isOutputOnly || field.isValidatedAfterMerge).map(({ field }) => field),
);

// Protovalidate knows nothing of output-only fields and of our options, so it gets a copy without these fields.
function withoutExempt<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  const exempt = exemptFields(schema);
  if (exempt.length === 0) return message;
  const copy = { ...message };
  for (const field of exempt) clearField(copy, field);
  return copy;
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

type PathElement = Violation["field"][number];
type Path = readonly PathElement[];

const formUnknown = "has a form that is not permitted here";

// The one min_len of the contract is 1. The message of a pattern would quote the expression.
function descriptionOf({ ruleId, message, field }: Violation): string {
  if (ruleId.endsWith("string.pattern")) {
    const desc = field.findLast((element) => element.kind === "field");
    return (desc && getOption(desc, form)) || formUnknown;
  }
  return /^(required|(string|bytes)\.min_len)$/.test(ruleId) ? requiredMessage : message;
}

function pathOf(path: Path): string {
  return path.reduce((before, element) => {
    if (element.kind === "list_sub") return `${before}[${element.index}]`;
    if (element.kind === "map_sub") return `${before}[${JSON.stringify(element.key)}]`;
    return join(before, "name" in element ? element.name : "");
  }, "");
}

function join(prefix: string, name: string): string {
  return prefix === "" ? name : name === "" ? prefix : `${prefix}.${name}`;
}
