import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import fc from "fast-check";

// The worst that text can be.
const worst = fc.oneof(
  fc.constantFrom("", " ", "\0", "*", "US", "en_US", "https://x.io", "a@b.io", "__proto__", "9".repeat(400)),
  fc.constantFrom("metadata.someKey", "label", "name", "preset", "metadata.", "cct_sandbox_unknown", "cct_live_1"),
  fc.string({ maxLength: 30, unit: "binary" }),
);
const int64 = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(0n, 10n ** 10n));
const int32 = fc.oneof(fc.integer(), fc.integer({ min: 0, max: 120 }));
const json = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.double());

/** Any message of a type that protobuf can spell; a text in it is often one of `ids`. */
export function messagesOf(
  schema: DescMessage,
  ids: readonly string[],
  depth = 0,
): fc.Arbitrary<Record<string, unknown>> {
  const strings = fc.oneof(worst, fc.constantFrom(...ids));
  if (schema.typeName === "google.protobuf.Struct") return fc.dictionary(strings, json, { maxKeys: 4 });
  const fields = schema.fields.map((field) => [field.localName, valuesOf(field)]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: [] });

  function valuesOf(field: DescField): fc.Arbitrary<unknown> {
    if (field.fieldKind === "list") {
      const items: fc.Arbitrary<unknown> =
        field.message === undefined ? strings : messagesOf(field.message, ids, depth + 1);
      return fc.array(items, { maxLength: 4 });
    }
    if (field.fieldKind === "message") {
      return depth > 3 ? fc.constant(undefined) : messagesOf(field.message, ids, depth + 1);
    }
    if (field.fieldKind === "enum") return fc.oneof(fc.integer({ min: 0, max: 5 }), int32);
    if (field.fieldKind !== "scalar") return fc.constant(undefined);
    if (field.scalar === ScalarType.STRING) return strings;
    if (field.scalar === ScalarType.BYTES) return fc.uint8Array({ maxLength: 100 });
    if (field.scalar === ScalarType.BOOL) return fc.boolean();
    return field.scalar === ScalarType.INT64 ? int64 : int32;
  }
}
