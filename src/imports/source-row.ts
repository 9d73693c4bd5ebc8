import type { JsonObject, JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import type { Address, AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import type { CustomerSchema } from "../../gen/clientele/v1/customers_pb.js";
import type { TaxIdentifier } from "../../gen/clientele/v1/tax_identifiers_pb.js";
import type { SourceObject } from "./source-object.js";

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
  /** Whether the customer asked to be forgotten, and is still there. */
  readonly wantsErasure?: boolean;
}

/** How the customers of a source are found and read. */
export interface Reader {
  /** The key under which a page of results, or an answer that wraps a customer, holds them; undefined for a bare object. */
  readonly unwrap: (object: JsonObject) => string | undefined;
  /** Whether the source also answers bare lists of customers. */
  readonly hasBareLists?: boolean;
  /** Why an object is no customer of the source, in a sentence; undefined for a customer. It quotes no value. */
  readonly refuse: (object: JsonObject) => string | undefined;
  /** Reads a customer, and notes the problems of its fields. Throws a refusal for a customer that is not imported. */
  readonly read: (object: SourceObject) => SourceRow;
}

type AddressText = Exclude<
  keyof Address,
  "$typeName" | "$unknown" | "additionalAddressInfo" | "isDefault" | "createTime" | "updateTime"
>;

/** The texts of an address object, by the source's name for each field. */
export function addressOf(object: SourceObject, names: Partial<Record<AddressText, string>>): AddressInit {
  return present(Object.fromEntries(Object.entries(names).map(([field, name]) => [field, object.text(name)])));
}

/** An object without the keys that are undefined. */
export function present<Value extends object>(value: Value): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries) as { [Key in keyof Value]?: Exclude<Value[Key], undefined> };
}

/** Whether the value is a list. */
export function isList(value: JsonValue | undefined): value is JsonValue[] {
  return Array.isArray(value);
}

/** The name of a kind or a field, to be quoted in a refusal; undefined for what may be more than a name. */
export function nameIn(value: unknown): string | undefined {
  return typeof value === "string" && /^[A-Za-z][A-Za-z_.-]{0,39}$/.test(value) ? value : undefined;
}
