import type { DescField, DescMessage, JsonObject, MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { type FieldMask, StructSchema } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../errors.js";

/** Clears the fields of a message that a read mask does not name, in place. Answers the same message. */
export type ReadMask<Message> = (message: Message) => Message;

const maxPaths = 200;

/**
 * Reads a mask for answers (AIP-157): names of fields, or one key of a JSON object, such as `metadata.color`. Absent,
 * empty or with `*` it keeps the whole message. Throws INVALID_ARGUMENT for another path.
 */
export function parseReadMask<Desc extends DescMessage>(
  schema: Desc,
  mask: FieldMask | undefined,
): ReadMask<MessageShape<Desc>> {
  const paths = mask?.paths ?? [];
  if (paths.length === 0 || paths.includes("*")) return (message) => message;
  if (paths.length > maxPaths) throw invalidField("read_mask", `must name at most ${maxPaths} paths`);
  const selection = new Map<DescField, Set<string>>();
  for (const path of paths) {
    const { field, key } = resolve(schema, path);
    const keys = selection.get(field) ?? new Set();
    selection.set(field, keys.add(key));
  }
  return (message) => {
    const reflected = reflect(schema, message);
    for (const field of schema.fields) {
      const keys = selection.get(field);
      if (keys === undefined) reflected.clear(field);
      else if (!keys.has(wholeField)) keepKeys(message, field, keys);
    }
    return message;
  };
}

const wholeField = "";

function resolve(schema: DescMessage, path: string): { field: DescField; key: string } {
  const dot = path.indexOf(".");
  const name = dot < 0 ? path : path.slice(0, dot);
  const field = schema.fields.find((one) => one.name === name);
  const isStruct = field?.message?.typeName === StructSchema.typeName;
  if (field === undefined || (dot >= 0 && !(isStruct && path.length > dot + 1))) {
    throw invalidField("read_mask", `${path.slice(0, 100)} is not a path that can be read`);
  }
  return { field, key: dot < 0 ? wholeField : path.slice(dot + 1) };
}

// A Struct in a message is a plain JSON object.
function keepKeys(message: object, field: DescField, keys: ReadonlySet<string>): void {
  const structs = message as Record<string, JsonObject | undefined>;
  const entries = Object.entries(structs[field.localName] ?? {});
  structs[field.localName] = Object.fromEntries(entries.filter(([key]) => keys.has(key)));
}
