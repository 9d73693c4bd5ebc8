import { type DescField, type DescMessage, getOption } from "@bufbuild/protobuf";
import { field as rulesOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { invalidField } from "../errors.js";

/** What a list may hold whose field has no max_items. */
const ceiling = 1_000;

/**
 * Refuses a request with a list that is longer than its field allows, before the other rules walk it: they look at every
 * item before they count, and millions of empty ones, a few kilobytes when compressed, would hold up every other call.
 * Throws INVALID_ARGUMENT.
 */
export function refuseLongLists(schema: DescMessage, message: object, prefix = ""): void {
  for (const { field, inner, maxItems } of stepsOf(schema)) {
    const value = valueIn(message, field);
    if (typeof value !== "object" || value === null) continue;
    const path = `${prefix}${field.name}`;
    if (field.fieldKind !== "list") {
      if (inner !== undefined) refuseLongLists(inner, value, `${path}.`);
    } else if (Array.isArray(value)) {
      if (value.length > maxItems) throw invalidField(path, `must contain no more than ${maxItems} item(s)`);
      if (inner !== undefined) value.forEach((item, at) => void refuseLongLists(inner, item, `${path}[${at}].`));
    }
  }
}

interface Step {
  readonly field: DescField;
  /** The message of the field, or of each of its items, where lists may stand in it. */
  readonly inner: DescMessage | undefined;
  readonly maxItems: number;
}

const known = new Map<DescMessage, readonly Step[]>();

// The fields that are lists, or lead to one.
function stepsOf(schema: DescMessage): readonly Step[] {
  const found = known.get(schema) ?? search(schema);
  known.set(schema, found);
  return found;
}

function search(schema: DescMessage): Step[] {
  return schema.fields.flatMap((field) => {
    const ofField = field.fieldKind === "message" || field.fieldKind === "list" ? field.message : undefined;
    // JSON objects have a limit of their own, and so have masks.
    const ours = ofField?.typeName.startsWith("google.protobuf.") ? undefined : ofField;
    const inner = ours !== undefined && stepsOf(ours).length > 0 ? ours : undefined;
    return field.fieldKind === "list" || inner !== undefined ? [{ field, inner, maxItems: maxItemsOf(field) }] : [];
  });
}

function maxItemsOf(field: DescField): number {
  const { type } = getOption(field, rulesOption);
  const declared = type.case === "repeated" ? Number(type.value.maxItems) : 0;
  return declared === 0 ? ceiling : declared;
}

function valueIn(message: object, field: DescField): unknown {
  if (field.oneof === undefined) return Reflect.get(message, field.localName);
  const { case: chosen, value } = Object(Reflect.get(message, field.oneof.localName));
  return chosen === field.localName ? value : undefined;
}
