import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isOutputOnly } from "../../src/rpc/requests/plan.js";

/** A field somewhere in a request: its path in proto JSON, and the descriptor at its end. */
export interface Leaf {
  readonly path: readonly string[];
  readonly field: DescField;
}

/** Every scalar, enum or well-known field of a message that a client may write, also those of messages in it. */
export function leavesOf(message: DescMessage, path: readonly string[] = []): Leaf[] {
  const written = message.fields.filter((field) => !isOutputOnly(field));
  return written.flatMap((field) => {
    const here = [...path, field.jsonName];
    const inner = field.fieldKind === "message" ? field.message : undefined;
    const ours = inner !== undefined && !inner.typeName.startsWith("google.");
    return ours && !path.includes(field.jsonName) ? leavesOf(inner, here) : [{ path: here, field }];
  });
}

/** The fields that hold text, lists of text included. */
export function textsOf(message: DescMessage): Leaf[] {
  return leavesOf(message).filter(({ field }) => "scalar" in field && field.scalar === ScalarType.STRING);
}

/** The fields that name a resource: `id`, and what ends in `_id`. */
export function idsOf(message: DescMessage): Leaf[] {
  return textsOf(message).filter(({ field }) => /(^|_)id$/.test(field.name));
}
