import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../errors.js";

/** What a JSON object in a request may measure: more than any may be stored, so that a patch may also delete. */
const maxChars = 131_072;
// The least that a value takes beside its texts: a comma, a colon, quotes.
const charsPerValue = 4;

/**
 * Refuses a request whose JSON objects are larger than any rule could allow, before each rule walks them: to look at
 * hundreds of thousands of keys several times would hold up every other call. Throws INVALID_ARGUMENT.
 */
export function refuseLargeJson(schema: DescMessage, message: object): void {
  for (const path of pathsOf(schema)) {
    const value = path.reduce<unknown>((inner, { localName }) => Object(inner)[localName], message);
    if (typeof value === "object" && value !== null && isLarge(value)) {
      throw invalidField(path.map(({ name }) => name).join("."), `must be at most ${maxChars} characters of JSON`);
    }
  }
}

const known = new Map<DescMessage, readonly (readonly DescField[])[]>();

// Where JSON objects stand in a message, lists and maps left out: there are none in them.
function pathsOf(schema: DescMessage): readonly (readonly DescField[])[] {
  const found = known.get(schema) ?? search(schema);
  known.set(schema, found);
  return found;
}

function search(schema: DescMessage): DescField[][] {
  return schema.fields.flatMap((field) => {
    if (field.fieldKind !== "message") return [];
    if (field.message.typeName === StructSchema.typeName) return [[field]];
    if (field.message.typeName.startsWith("google.protobuf.")) return [];
    return search(field.message).map((rest) => [field, ...rest]);
  });
}

function isLarge(json: object): boolean {
  let left = maxChars;
  const open: unknown[] = [json];
  while (open.length > 0 && left >= 0) {
    const value = open.pop();
    left -= typeof value === "string" ? value.length + charsPerValue : charsPerValue;
    if (typeof value !== "object" || value === null) continue;
    for (const key in value) {
      left -= Array.isArray(value) ? 0 : key.length;
      open.push(Reflect.get(value, key));
      if (left < charsPerValue * open.length) return true;
    }
  }
  return left < 0;
}
