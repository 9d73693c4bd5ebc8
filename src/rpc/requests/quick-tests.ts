import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import {
  type FieldRules,
  FieldRulesSchema,
  field as fieldOption,
  Ignore,
  message as messageOption,
  oneof as oneofOption,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { type FieldPlan, oncePerType } from "./plan.js";
import { textRulesOf } from "./text-rules.js";

/**
 * A quick check of a value against the buf.validate rules of its type: true if it surely keeps them, false if protovalidate
 * must decide.
 */
export type QuickTest = (value: unknown) => boolean;

/** The test of a type of message, without the fields that are validated after a merge; undefined if it has no rules. */
export const quickTestOf = oncePerType<QuickTest | undefined>((fields, schema) => {
  open.add(schema);
  const tests = hasOption(schema, messageOption) ? [unsure] : [...oneofTests(schema), ...fields.flatMap(fieldTests)];
  open.delete(schema);
  return tests.length === 0 ? undefined : all(tests);
});

const unsure: QuickTest = () => false;
// The types that are being compiled, so that one that holds itself ends.
const open = new Set<DescMessage>();
const expressions = new Map<string, RegExp>();

/** A pattern of the contract, compiled once. It is linear in time, so the platform's expressions may run it. */
export function expressionOf(pattern: string): RegExp {
  const cachedExpression = expressions.get(pattern);
  if (cachedExpression !== undefined) return cachedExpression;
  const expression = new RegExp(pattern, "u");
  expressions.set(pattern, expression);
  return expression;
}

function all(tests: readonly QuickTest[]): QuickTest {
  return (value) => {
    for (const test of tests) if (!test(value)) return false;
    return true;
  };
}

function oneofTests({ oneofs }: DescMessage): QuickTest[] {
  return oneofs
    .filter((oneof) => hasOption(oneof, oneofOption))
    .map(
      ({ localName }) =>
        (message) =>
          Object(Object(message)[localName]).case !== undefined,
    );
}

// The tests of a message for one of its fields: of the value, and of the message in it or in each of its items.
function fieldTests({ field, get, inner, shape, isOutputOnly, isValidatedAfterMerge }: FieldPlan): QuickTest[] {
  const rules = hasOption(field, fieldOption) ? getOption(field, fieldOption) : undefined;
  if (isOutputOnly || isValidatedAfterMerge || rules?.ignore === Ignore.ALWAYS) return [];
  const ofInner = inner && innerTest(inner);
  const tests = rules === undefined ? [] : [rulesTest(rules, field)];
  if (ofInner !== undefined) tests.push(shape === "single" ? ofInner : itemsTest(ofInner));
  if (tests.length === 0) return [];
  const test = all(tests);
  const isRequired = rules?.required === true;
  return [
    (message) => {
      const value = get(Object(message));
      return value === undefined ? !isRequired : test(value);
    },
  ];
}

// The messages of protobuf itself have no rules of their own.
function innerTest(inner: DescMessage): QuickTest | undefined {
  if (inner.typeName.startsWith("google.protobuf.")) return undefined;
  return open.has(inner) ? unsure : quickTestOf(inner);
}

function itemsTest(test: QuickTest): QuickTest {
  return (items) => Array.isArray(items) && items.every(test);
}

// In the same form for a field and for the items of a list, which have no field of their own.
function rulesTest(rules: FieldRules, field: DescField): QuickTest {
  const set = reflect(FieldRulesSchema, rules);
  const tests = set.fields
    .filter((one) => set.isSet(one))
    .flatMap((one) => {
      if (one.name === "ignore") return [];
      if (one.name === "required") return [isPopulated];
      if (one.name === "cel") return [celTest(field)];
      return one.oneof?.name === "type" && one.message !== undefined ? typeTests(rules, one.message, field) : [unsure];
    });
  const test = all(tests);
  return rules.ignore === Ignore.IF_ZERO_VALUE ? (value) => !isPopulated(value) || test(value) : test;
}

const isPopulated: QuickTest = (value) =>
  value !== "" && value !== 0 && value !== false && !(Array.isArray(value) && value.length === 0);

// Only an expression that is one pattern is known.
function celTest(field: DescField): QuickTest {
  const { cel } = getOption(field, fieldOption);
  const { expression = "" } = cel[0] ?? {};
  const { pattern } = textRulesOf(field);
  if (cel.length !== 1 || pattern === undefined || !expression.startsWith("this.matches(")) return unsure;
  return (text) => expressionOf(pattern).test(String(text));
}

function typeTests({ type }: FieldRules, schema: DescMessage, field: DescField): QuickTest[] {
  const rules = reflect(schema, type.value as never);
  return schema.fields
    .filter((rule) => rules.isSet(rule))
    .map((rule) => {
      if (rule.name === "defined_only" && field.enum !== undefined) return isValueOf(field.enum.value);
      if (rule.name === "items") return itemsTest(rulesTest(Reflect.get(Object(type.value), rule.localName), field));
      return (
        boundTests[`${type.case}.${rule.name}`]?.(Reflect.get(Object(type.value), rule.localName) as never) ?? unsure
      );
    });
}

function isValueOf(values: Readonly<Record<number, unknown>>): QuickTest {
  return (value) => typeof value === "number" && values[value] !== undefined;
}

// In characters a text is never longer than in UTF-16 units, and never shorter than half of that. A unit takes at most
// three bytes of UTF-8.
const boundTests: Readonly<Record<string, (bound: never) => QuickTest>> = {
  "string.min_len": (min: bigint) => (text) => String(text).length >= (min === 1n ? 1 : Number(min) * 2),
  "string.max_len": (max: bigint) => (text) => String(text).length <= Number(max),
  "string.max_bytes": (max: bigint) => (text) => String(text).length * 3 <= Number(max),
  "string.pattern": (pattern: string) => (text) => expressionOf(pattern).test(String(text)),
  "string.in": (texts: readonly string[]) => (text) => texts.includes(String(text)),
  "bytes.min_len": (min: bigint) => (bytes) => bytes instanceof Uint8Array && bytes.length >= Number(min),
  "bytes.max_len": (max: bigint) => (bytes) => bytes instanceof Uint8Array && bytes.length <= Number(max),
  "int32.gte": (min: number) => (value) => Number(value) >= min,
  "int32.lte": (max: number) => (value) => Number(value) <= max,
  "repeated.min_items": (min: bigint) => (items) => Array.isArray(items) && items.length >= Number(min),
  "repeated.max_items": (max: bigint) => (items) => Array.isArray(items) && items.length <= Number(max),
};
