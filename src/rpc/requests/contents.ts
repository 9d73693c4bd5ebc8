import { type DescMessage, getOption } from "@bufbuild/protobuf";
import { field as rulesOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { isCardNumberAsNumber } from "../../formats/card-numbers.js";
import { invalidField, invalidFields } from "../errors.js";
import { cardNumberGiven, cardRuleOf } from "./card-numbers.js";
import { type Findings, textFault } from "./findings.js";
import { inspectJson, isLargeJson, maxJsonChars } from "./json-contents.js";
import { type FieldPlan, fieldsOf } from "./plan.js";

/**
 * Refuses what no message may hold, in one walk: a list or a JSON object without end, the number of a payment card, and
 * text that Postgres cannot store. It skips the fields that only the service writes. `prefix` is the path of the message in
 * the request. Throws INVALID_ARGUMENT.
 */
export function requireContents(schema: DescMessage, message: object, prefix = ""): void {
  const findings: Findings = { cards: [], faults: [] };
  walk(visitsOf(schema), message, prefix, findings);
  // Card numbers come first, because the other faults may quote what they refuse.
  if (findings.cards.length > 0) throw cardNumberGiven(findings.cards);
  if (findings.faults.length > 0) throw invalidFields(findings.faults);
}

/** Looks at one field of a message, whose path is `prefix`. */
type Visit = (message: object, prefix: string, findings: Findings) => void;
/** Looks at one value of a field. */
type Look = (value: unknown, path: string, findings: Findings) => void;

function walk(visits: readonly Visit[], message: object, prefix: string, findings: Findings): void {
  for (const visit of visits) visit(message, prefix, findings);
}

const visitCache = new Map<DescMessage, Visit[]>();
const open = new Set<DescMessage>();

// A field in which nothing can be refused has no visit, and a message without visits is never walked.
function visitsOf(schema: DescMessage): readonly Visit[] {
  const cachedVisits = visitCache.get(schema);
  if (cachedVisits !== undefined) return cachedVisits;
  const visits: Visit[] = [];
  visitCache.set(schema, visits);
  open.add(schema);
  for (const field of fieldsOf(schema)) {
    const visit = visitOf(field);
    if (visit !== undefined) visits.push(visit);
  }
  open.delete(schema);
  return visits;
}

function visitOf(plan: FieldPlan): Visit | undefined {
  const { name, get, shape } = plan;
  // No handler reads such a field, but an update compares it where its mask names it.
  if (plan.isOutputOnly) return undefined;
  const look = lookOf(plan);
  if (shape === "list") return visitOfList(plan, look);
  if (look === undefined && shape === "single") return undefined;
  if (shape === "map") return visitOfMap(plan, look);
  return (message, prefix, findings) => {
    const value = get(message);
    if (value !== undefined && value !== "") look?.(value, join(prefix, name), findings);
  };
}

function visitOfList({ field, name, get }: FieldPlan, look: Look | undefined): Visit {
  const maxItems = maxItemsOf(field);
  return (message, prefix, findings) => {
    const list = get(message);
    if (!Array.isArray(list) || list.length === 0) return;
    const path = join(prefix, name);
    if (list.length > maxItems) throw invalidField(path, `must contain no more than ${maxItems} item(s)`);
    if (look !== undefined) for (let at = 0; at < list.length; at++) look(list[at], `${path}[${at}]`, findings);
  };
}

function visitOfMap({ name, get }: FieldPlan, look: Look | undefined): Visit {
  return (message, prefix, findings) => {
    const path = join(prefix, name);
    for (const [key, value] of Object.entries(Object(get(message)))) {
      const before = findings.cards.length + findings.faults.length;
      // A path must not tell a key that is refused.
      inspectJson(key, path, findings);
      if (findings.cards.length + findings.faults.length === before) {
        look?.(value, `${path}[${JSON.stringify(key)}]`, findings);
      }
    }
  };
}

function lookOf(plan: FieldPlan): Look | undefined {
  switch (plan.kind) {
    case "text":
      return lookAtText(plan);
    case "decimal":
      return lookAtDecimal(plan);
    case "json":
      return lookAtJson;
    case "message":
      return plan.inner && lookAtMessage(plan.inner);
    default:
      return undefined;
  }
}

function lookAtText(plan: FieldPlan): Look {
  const isRefused = cardRuleOf(plan);
  return (text, path, { cards, faults }) => {
    if (typeof text !== "string") return;
    const description = textFault(text);
    if (description !== undefined) faults.push({ field: path, description });
    if (isRefused?.(text)) cards.push(path);
  };
}

// A number of JSON may be typed as one; a bound of the contract may not.
function lookAtDecimal({ field }: FieldPlan): Look {
  const isJson = field.parent.typeName === "google.protobuf.Value";
  return (value, path, { cards, faults }) => {
    if (!Number.isFinite(value)) faults.push({ field: path, description: "must be a finite number" });
    else if (isJson && isCardNumberAsNumber(Number(value))) cards.push(path);
  };
}

const lookAtJson: Look = (value, path, findings) => {
  if (typeof value !== "object" || value === null) return;
  if (isLargeJson(value)) throw invalidField(path, `must be at most ${maxJsonChars} characters of JSON`);
  inspectJson(value, path, findings);
};

function lookAtMessage(inner: DescMessage): Look | undefined {
  const visits = visitsOf(inner);
  if (visits.length === 0 && !open.has(inner)) return undefined;
  return (value, path, findings) => {
    if (typeof value === "object" && value !== null) walk(visits, value, path, findings);
  };
}

/** How many items a list may hold whose field has no max_items. */
const ceiling = 1_000;

// Field masks and JSON lists have limits of their own.
function maxItemsOf(field: FieldPlan["field"]): number {
  if (field.parent.typeName.startsWith("google.protobuf.")) return Number.POSITIVE_INFINITY;
  const { type } = getOption(field, rulesOption);
  const declared = type.case === "repeated" ? Number(type.value.maxItems) : 0;
  return declared === 0 ? ceiling : declared;
}

function join(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}.${name}`;
}
