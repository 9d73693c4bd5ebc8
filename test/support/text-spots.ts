import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isOutputOnly } from "../../src/rpc/requests/plan.js";

/** A place in a message where a text can stand: a path as BadRequest names it, and what puts a text there. */
export interface Spot {
  readonly path: string;
  readonly init: (text: string) => Record<string, unknown>;
}

/** Every place for a text in a message: in lists, maps, JSON objects and their keys, and messages in it too. */
export function spotsOf(schema: DescMessage, depth = 0): Spot[] {
  if (depth > 4) return [];
  // What a client sends in a field that only the service writes is ignored.
  const written = schema.fields.filter((field) => !isOutputOnly(field));
  return written.flatMap((field) =>
    spotsOfField(field, depth).map(({ path, value }) => ({
      path: field.name + path,
      init: (text: string) => initOf(field, value(text)),
    })),
  );
}

interface ValueSpot {
  readonly path: string;
  readonly value: (text: string) => unknown;
}

const jsonSpots: Spot[] = [
  { path: "note", init: (text) => ({ note: text }) },
  { path: "", init: (text) => ({ [text]: true }) },
  { path: "deep[0].note", init: (text) => ({ deep: [{ note: text }] }) },
  { path: "deep", init: (text) => ({ deep: { [text]: 1 } }) },
  {
    path: "disguised.note",
    init: (text) => ({ disguised: { $typeName: "google.protobuf.Value", note: text, kind: { case: "x", value: 1 } } }),
  },
];

function spotsOfField(field: DescField, depth: number): ValueSpot[] {
  const one = spotsOfOne(field, depth);
  if (field.fieldKind === "list") {
    return one.map(({ path, value }) => ({ path: `[0]${path}`, value: (text) => [value(text)] }));
  }
  if (field.fieldKind !== "map") return one;
  const values = one.map(({ path, value }): ValueSpot => {
    return { path: `["key"]${path}`, value: (text) => ({ key: value(text) }) };
  });
  return [...values, { path: "", value: (text) => ({ [text]: undefined }) }];
}

function spotsOfOne(field: DescField, depth: number): ValueSpot[] {
  if (field.message === undefined) {
    return field.scalar === ScalarType.STRING ? [{ path: "", value: (text) => text }] : [];
  }
  // A Struct is a JSON object, except in a Value.
  const isJson =
    field.message.typeName === "google.protobuf.Struct" && field.parent.typeName !== "google.protobuf.Value";
  return (isJson ? jsonSpots : spotsOf(field.message, depth + 1)).map(({ path, init }) => {
    return { path: path === "" ? "" : `.${path}`, value: init };
  });
}

function initOf(field: DescField, value: unknown): Record<string, unknown> {
  if (field.oneof === undefined) return { [field.localName]: value };
  return { [field.oneof.localName]: { case: field.localName, value } };
}
