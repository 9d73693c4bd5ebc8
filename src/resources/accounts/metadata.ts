import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { MetadataLimits } from "../../../gen/clientele/v1/accounts_pb.js";
import { countCharacters } from "../../formats/characters.js";
import type { FieldViolation } from "../../rpc/errors.js";

/** The most bytes of metadata as compact JSON, whatever the settings say. */
export const maxMetadataBytes = 65_536;
// A message of protobuf may nest 100 deep, and each level of JSON takes three of them.
const maxMetadataDepth = 20;

/** The limits that metadata exceeds, except those that the metadata before exceeded as far already. */
export function metadataViolations(
  metadata: JsonObject,
  limits: MetadataLimits | undefined,
  before: JsonObject = {},
): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const exceeds = (size: number, sizeBefore: number, limit: number | undefined, field: string, unit: string) => {
    if (limit !== undefined && size > Math.max(limit, sizeBefore))
      violations.push({ field, description: `must be at most ${limit} ${unit}` });
  };
  const maxBytes = Math.min(limits?.maxBytes ?? maxMetadataBytes, maxMetadataBytes);
  exceeds(bytesOf(metadata), bytesOf(before), maxBytes, "customer.metadata", "bytes of JSON");
  // The other checks walk the metadata, which may be of any size here.
  if (violations.length > 0) return violations;
  exceeds(depthOf(metadata), depthOf(before), maxMetadataDepth, "customer.metadata", "levels deep");
  const [keys, keysBefore] = [Object.keys(metadata), Object.keys(before)];
  exceeds(keys.length, keysBefore.length, limits?.maxKeys, "customer.metadata", "keys");
  for (const [key, value] of Object.entries(metadata)) {
    const field = `customer.metadata.${key.slice(0, 40)}`;
    const isStored = Object.hasOwn(before, key);
    const keyBefore = isStored ? countCharacters(key) : 0;
    const valueBefore = isStored ? countCharacters(textOf(before[key])) : 0;
    exceeds(countCharacters(key), keyBefore, limits?.maxKeyLength, field, "characters long as a key");
    exceeds(countCharacters(textOf(value)), valueBefore, limits?.maxValueLength, field, "characters long");
  }
  return violations.slice(0, 100);
}

function bytesOf(metadata: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(metadata));
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Object.values(value).reduce<number>((deepest, inner) => Math.max(deepest, depthOf(inner)), 0);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
