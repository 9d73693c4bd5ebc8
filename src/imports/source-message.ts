import { type DescMessage, fromJson, type JsonObject, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import type { FieldViolation } from "../rpc/errors.js";
import { normalizeJson } from "../rpc/requests/json.js";

/**
 * A message of the contract from its JSON at a path. Every field that is unknown or of a wrong type is noted among the
 * problems, and absent. The messages of the library would quote the value.
 */
export function messageFrom<Desc extends DescMessage>(
  schema: Desc,
  json: JsonObject,
  path: string,
  problems: FieldViolation[],
): MessageShape<Desc> {
  const violations = normalizeJson(schema, json, path, true);
  problems.push(...violations);
  if (violations.length === 0 && isReadable(schema, json)) return fromJson(schema, json);
  const fields = new Map(schema.fields.flatMap((field) => [field.name, field.jsonName].map((name) => [name, field])));
  const readable = new Map<string, JsonValue>();
  for (const [key, value] of Object.entries(json)) {
    const field = fields.get(key);
    if (field === undefined) continue;
    if (readable.has(field.name)) problems.push({ field: `${path}.${field.name}`, description: "is given twice" });
    else if (isReadable(schema, { [key]: value })) readable.set(field.name, value);
    else if (!violations.some((it) => it.field.startsWith(`${path}.${field.name}`))) {
      problems.push({ field: `${path}.${field.name}`, description: "does not have the type of this field" });
    }
  }
  return fromJson(schema, Object.fromEntries(readable));
}

function isReadable(schema: DescMessage, json: JsonObject): boolean {
  try {
    fromJson(schema, json);
    return true;
  } catch (error) {
    // The stack is too small for it.
    if (error instanceof RangeError || !(error instanceof Error)) throw error;
    return false;
  }
}
