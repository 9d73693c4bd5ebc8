import type { DescMessage } from "@bufbuild/protobuf";
import { TextKind } from "../../../gen/clientele/options/v1/options_pb.js";
import { type FieldPlan, oncePerType } from "./plan.js";

/** A message in a form that depends on its content alone, and the secrets that are left out: those that a person chose. */
export interface Canonical {
  readonly text: string;
  readonly secrets: readonly string[];
}

/**
 * The canonical form of a message: by content and not by bytes, because JSON objects hold their keys in any order. It is not
 * proto JSON, which cannot spell every message: a mask of `metadata.someKey`, a year beyond 9999.
 */
export function canonicalOf(schema: DescMessage, message: object): Canonical {
  const secrets: string[] = [];
  return { text: JSON.stringify(fieldsIn(schema, message, secrets)), secrets };
}

type Encode = (value: unknown, secrets: string[]) => unknown;

const encodings = oncePerType((fields) => fields.map((field) => ({ ...field, encode: encodeOf(field) })));

function fieldsIn(schema: DescMessage, message: object, secrets: string[]): unknown[] {
  const encoded: unknown[] = [];
  for (const { name, get, encode } of encodings(schema)) {
    const value = get(message);
    if (value === undefined) continue;
    const one = encode(value, secrets);
    if (one !== undefined) encoded.push([name, one]);
  }
  return encoded;
}

function encodeOf({ name, inner, isSecret, shape, textKind }: FieldPlan): Encode {
  // A generated secret is random enough that a plain hash of it cannot be searched.
  if (isSecret && textKind !== TextKind.GENERATED)
    return (value, secrets) => void (value === "" || secrets.push(`${name} ${plain(value)}`));
  if (inner === undefined) return canonicalValue;
  const one: Encode = (value, secrets) => fieldsIn(inner, Object(value), secrets);
  if (shape === "list") return (list, secrets) => (list as unknown[]).map((item) => one(item, secrets));
  if (shape === "single") return one;
  return (map, secrets) => sorted(Object(map)).map(([key, value]) => [key, one(value, secrets)]);
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(canonicalValue(value));
}

// A number is marked, so that it differs from the text of it.
function canonicalValue(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "bigint") return { number: String(value) };
  if (typeof value !== "object" || value === null) return value ?? null;
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString("base64") };
  if (Array.isArray(value)) return value.map(canonicalValue);
  return { entries: sorted(value).map(([key, inner]) => [key, canonicalValue(inner)]) };
}

function sorted(object: object): [string, unknown][] {
  return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
}
