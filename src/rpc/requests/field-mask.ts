import {
  clone,
  create,
  type DescField,
  type DescMessage,
  equals,
  getOption,
  type JsonObject,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type FieldMask, StructSchema } from "@bufbuild/protobuf/wkt";
import { immutable_reason } from "../../../gen/clientele/options/v1/options_pb.js";
import { type FieldViolation, invalidField, invalidFields, type Reason, refused } from "../errors.js";
import { fieldsOf } from "./plan.js";

/** A message after an update, and the paths whose values it changed. */
export interface Masked<Desc extends DescMessage> {
  readonly next: MessageShape<Desc>;
  readonly changedPaths: string[];
}

/**
 * Applies an update (AIP-134) to a copy of `current`. Without a mask every populated field counts, with `*` every
 * writable one. A JSON object merges key by key, and a key that is null or "" is deleted; under `*` it is replaced.
 * Throws INVALID_ARGUMENT for a path that is not in `writable`, unless it names a field whose value stays as it is, and
 * for the change of an IMMUTABLE field the reason that the field names.
 */
export function applyMask<Desc extends DescMessage>(
  schema: Desc,
  current: MessageShape<Desc>,
  changes: MessageShape<Desc>,
  mask: FieldMask | undefined,
  writable: readonly string[],
): Masked<Desc> {
  const next = clone(schema, current);
  const [from, to] = [reflect(schema, changes), reflect(schema, next)];
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  const violations: FieldViolation[] = [];
  const touched = new Set<DescField>();
  // The keys to merge of each JSON object; undefined for all.
  const merged = new Map<DescField, Set<string> | undefined>();
  const replaceAll = mask?.paths.includes("*") ?? false;
  for (const path of pathsOf(from, mask, writable)) {
    const { name, key } = parsePath(path);
    const field = fields.get(name);
    const isWholeField = field !== undefined && key === undefined;
    if (isWholeField && !writable.includes(name) && differing(schema, [field], current, changes).length === 0) continue;
    if (field === undefined || !writable.includes(name) || (key !== undefined && !isStruct(field))) {
      violations.push({ field: "update_mask", description: `${path.slice(0, 100)} is not a path that can be updated` });
      continue;
    }
    touched.add(field);
    if (!isStruct(field) || replaceAll) copyField(from, to, field);
    else if (key === undefined) merged.set(field, undefined);
    else if (!merged.has(field)) merged.set(field, new Set([key]));
    else merged.get(field)?.add(key);
  }
  for (const [field, keys] of merged) mergeStruct(from, to, field, keys);
  if (violations.length > 0) throw invalidFields(violations);
  keepImmutable(schema, current, next, touched);
  return {
    next,
    changedPaths: differing(
      schema,
      schema.fields.filter((field) => touched.has(field)),
      current,
      next,
    ),
  };
}

// A field that keeps its value may be left out of an update.
function keepImmutable<Desc extends DescMessage>(
  schema: Desc,
  current: MessageShape<Desc>,
  next: MessageShape<Desc>,
  touched: ReadonlySet<DescField>,
): void {
  const [from, to] = [reflect(schema, current), reflect(schema, next)];
  for (const { field, isImmutable } of fieldsOf(schema)) {
    if (!isImmutable || !touched.has(field) || !from.isSet(field)) continue;
    if (differing(schema, [field], current, next).length === 0) continue;
    if (to.isSet(field)) throw immutableChanged(field);
    copyField(from, to, field);
  }
}

/** The reason of an error that a field names for a change of its value; empty for none. */
export function immutableReasonOf(field: DescField): string {
  return getOption(field, immutable_reason);
}

function immutableChanged(field: DescField): Error {
  const reason = immutableReasonOf(field);
  if (reason === "") return invalidField("update_mask", `${field.name} cannot be changed`);
  const names = fieldsOf(field.parent).flatMap(({ isImmutable, name }) => (isImmutable ? `the ${name}` : []));
  const resource = field.parent.name.replace(/(?<=[a-z])[A-Z]/g, " $&").toLowerCase();
  return refused(reason as Reason, `T${names.join(" and ").slice(1)} of a ${resource} cannot be changed.`);
}

/** The names of the fields in which two messages differ. */
export function changedPaths<Desc extends DescMessage>(
  schema: Desc,
  before: MessageShape<Desc>,
  after: MessageShape<Desc>,
): string[] {
  return differing(schema, schema.fields, before, after);
}

function differing<Desc extends DescMessage>(
  schema: Desc,
  fields: readonly DescField[],
  before: MessageShape<Desc>,
  after: MessageShape<Desc>,
): string[] {
  return fields.filter((field) => !equals(schema, only(before, field), only(after, field))).map((field) => field.name);

  function only(message: MessageShape<Desc>, field: DescField): MessageShape<Desc> {
    const part = create(schema);
    copyField(reflect(schema, message), reflect(schema, part), field);
    return part;
  }
}

/** Whether a mask is about a field, should that be populated. */
export function mayName(mask: FieldMask | undefined, name: string): boolean {
  const paths = mask?.paths ?? [];
  return paths.length === 0 || paths.includes("*") || paths.includes(name);
}

/** The names of the populated fields of a message, among those given. */
export function populatedPaths<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  among: readonly string[],
): string[] {
  const reflected = reflect(schema, message);
  return schema.fields.filter((field) => reflected.isSet(field) && among.includes(field.name)).map((f) => f.name);
}

const maxPaths = 1_000;

function pathsOf(from: ReflectMessage, mask: FieldMask | undefined, writable: readonly string[]): readonly string[] {
  if (mask === undefined || mask.paths.length === 0) {
    return from.fields.filter((field) => from.isSet(field) && writable.includes(field.name)).map((f) => f.name);
  }
  if (mask.paths.length > maxPaths) throw invalidField("update_mask", `must name at most ${maxPaths} paths`);
  return mask.paths.includes("*") ? writable : mask.paths;
}

function parsePath(path: string): { name: string; key: string | undefined } {
  const dot = path.indexOf(".");
  return dot < 0 ? { name: path, key: undefined } : { name: path.slice(0, dot), key: path.slice(dot + 1) };
}

function copyField(from: ReflectMessage, to: ReflectMessage, field: DescField): void {
  if (from.isSet(field)) to.set(field, from.get(field));
  else to.clear(field);
}

function isStruct(field: DescField): boolean {
  return field.message?.typeName === StructSchema.typeName;
}

// A Struct in a message is a plain JSON object.
function mergeStruct(from: ReflectMessage, to: ReflectMessage, field: DescField, keys: Set<string> | undefined): void {
  const given = structOf(from, field);
  const named = keys && [...keys].map((key) => [key, Object.hasOwn(given, key) ? (given[key] ?? null) : null]);
  const patch: JsonObject = named === undefined ? given : Object.fromEntries(named);
  structsOf(to)[field.localName] = mergeObject(structOf(to, field), patch);
}

/** A JSON object with a patch merged in key by key; a key that is null or "" in the patch is deleted. */
export function mergeObject(base: JsonObject, patch: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries({ ...base, ...patch }).filter(([, value]) => value !== null && value !== ""),
  );
}

function structOf(message: ReflectMessage, field: DescField): JsonObject {
  return structsOf(message)[field.localName] ?? {};
}

function structsOf(message: ReflectMessage): Record<string, JsonObject | undefined> {
  return message.message as unknown as Record<string, JsonObject | undefined>;
}
