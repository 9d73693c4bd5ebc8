import type { JsonObject, JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import type { Address, AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import type { CustomerSchema } from "../../gen/clientele/v1/customers_pb.js";
import type { TaxIdentifier } from "../../gen/clientele/v1/tax_identifiers_pb.js";
import { refusal } from "./refusal.js";

export type CustomerInit = MessageInitShape<typeof CustomerSchema>;
export type AddressInit = MessageInitShape<typeof AddressSchema>;

/** A customer of some source, in our words and not validated yet. */
export interface SourceRow {
  /** Its id at the source. */
  readonly id: string | undefined;
  readonly customer: CustomerInit;
  readonly addresses: readonly AddressInit[];
  /** Which of the addresses is the default: an index. Undefined lets the account settings decide; null is none. */
  readonly defaultAddress?: number | null | undefined;
  readonly taxIdentifiers?: readonly TaxIdentifier[];
  /** Undefined if the source does not say. */
  readonly liveMode?: boolean | undefined;
  readonly createTime?: Date | undefined;
  /** The hash of the password, as `parsePasswordHash` reads them. */
  readonly passwordHash?: string | undefined;
  /** Present on a deleted customer. */
  readonly deletion?: { readonly deleteTime: Date | undefined; readonly purgeTime: Date | undefined };
}

/** Reads a source's customer object. Throws a refusal if it is none. */
export type Reader = (object: JsonObject) => SourceRow;

/** The text of a key, a number as its digits; undefined if it is absent, null or blank. */
export function textOf(object: JsonObject, key: string): string | undefined {
  const value = object[key] ?? "";
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") throw wrong(key, "must be text");
  return value.trim() === "" ? undefined : value;
}

type AddressText = Exclude<
  keyof Address,
  "$typeName" | "$unknown" | "additionalAddressInfo" | "isDefault" | "createTime" | "updateTime"
>;

/** The texts of an address object, by the source's name for each field. */
export function addressOf(object: JsonObject, names: Partial<Record<AddressText, string>>): AddressInit {
  return present(Object.fromEntries(Object.entries(names).map(([field, name]) => [field, textOf(object, name)])));
}

export function booleanOf(object: JsonObject, key: string): boolean | undefined {
  const value = object[key] ?? undefined;
  if (value !== undefined && typeof value !== "boolean") throw wrong(key, "must be true or false");
  return value;
}

/** The object of a key; undefined if it is absent or null. */
export function objectOf(object: JsonObject, key: string): JsonObject | undefined {
  const value = object[key] ?? undefined;
  if (value !== undefined && !isObject(value)) throw wrong(key, "must be an object");
  return value;
}

/** The objects of a list; none if it is absent or null. */
export function objectsOf(object: JsonObject, key: string): JsonObject[] {
  const value = object[key] ?? [];
  if (!Array.isArray(value) || !value.every(isObject)) throw wrong(key, "must be a list of objects");
  return value;
}

/** A time as RFC 3339, or as seconds since 1970; undefined if it is absent or null. */
export function timeOf(object: JsonObject, key: string): Date | undefined {
  const value = object[key] ?? undefined;
  if (value === undefined) return undefined;
  const time = typeof value === "number" ? new Date(value * 1000) : new Date(timestamp(value));
  if (Number.isNaN(time.getTime())) throw wrong(key, "must be a time");
  return time;
}

/** An object without the keys that are undefined. */
export function present<Value extends object>(value: Value): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Value]?: Exclude<Value[Key], undefined> };
}

/** Whether a JSON value is an object. */
export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function timestamp(value: JsonValue): string {
  return typeof value === "string" && /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(value) ? value : "";
}

function wrong(key: string, description: string): Error {
  return refusal("FIELDS_INVALID", description, key);
}
