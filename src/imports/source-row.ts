import type { DescMessage, JsonObject, JsonValue, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { Address, AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import type { CustomerSchema } from "../../gen/clientele/v1/customers_pb.js";
import type { TaxIdentifier } from "../../gen/clientele/v1/tax_identifiers_pb.js";
import type { FieldViolation } from "../rpc/errors.js";
import { InexactNumber, isObject } from "../rpc/requests/exact-json.js";
import { messageFrom } from "./source-message.js";

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
  /** The place of the default billing address among the addresses; undefined for none. */
  readonly defaultBillingAddress?: number | undefined;
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
  return withoutUndefined(Object.fromEntries(Object.entries(names).map(([field, name]) => [field, object.text(name)])));
}

/** An object without the keys that are undefined. */
export function withoutUndefined<Value extends object>(
  value: Value,
): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
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

/**
 * An object of a source as its reader sees it. A value of the wrong kind is noted among the problems, with its path, and
 * read as absent, so that one reading finds all of them.
 */
export class SourceObject {
  constructor(
    readonly json: JsonObject,
    readonly problems: FieldViolation[],
    private readonly path = "",
  ) {}

  /** The text of a key, a whole number as its digits; undefined if it is absent, null or blank. */
  text(key: string): string | undefined {
    const value: unknown = this.json[key] ?? "";
    if (typeof value !== "string") return this.digits(key, value);
    return value.trim() === "" ? undefined : value;
  }

  boolean(key: string): boolean | undefined {
    const value = this.json[key] ?? undefined;
    if (value === undefined || typeof value === "boolean") return value;
    return this.wrong(key, "must be true or false");
  }

  /** The object of a key; undefined if it is absent or null. */
  object(key: string): SourceObject | undefined {
    const value = this.json[key] ?? undefined;
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.wrong(key, "must be an object");
    return new SourceObject(value, this.problems, this.at(key));
  }

  /** The objects of a list; none if it is absent or null. */
  objects(key: string): SourceObject[] {
    const value: JsonValue = this.json[key] ?? [];
    if (!Array.isArray(value)) return this.wrong(key, "must be a list of objects") ?? [];
    return value.flatMap((item, at) => {
      if (isObject(item)) return [new SourceObject(item, this.problems, `${this.at(key)}[${at}]`)];
      return this.wrong(`${key}[${at}]`, "must be an object") ?? [];
    });
  }

  /** An id, or the id of the object that a source may show in its place. */
  reference(key: string): string | undefined {
    if (!isObject(this.json[key])) return this.text(key);
    return this.object(key)!.text("id") ?? this.wrong(key, "must be an id, or an object with one");
  }

  /** A time as RFC 3339, or as seconds since 1970; undefined if it is absent or null. */
  time(key: string): Date | undefined {
    const value = this.json[key] ?? undefined;
    if (value === undefined) return undefined;
    const time = typeof value === "number" ? new Date(value * 1000) : new Date(timestamp(value));
    return Number.isNaN(time.getTime()) ? this.wrong(key, "must be a time") : time;
  }

  /** A message of the contract from the keys of the object but those named, at a path; what is no such message is noted. */
  message<Desc extends DescMessage>(schema: Desc, path: string, besides: readonly string[] = []): MessageShape<Desc> {
    const json = Object.fromEntries(Object.entries(this.json).filter(([key]) => !besides.includes(key)));
    return messageFrom(schema, json, path, this.problems);
  }

  /** Notes a problem of a key; the key is absent then. */
  wrong(key: string, description: string): undefined {
    this.problems.push({ field: this.at(key), description });
    return undefined;
  }

  private digits(key: string, value: unknown): string | undefined {
    const text = value instanceof InexactNumber ? value.text : typeof value === "number" ? String(value) : "";
    return /^-?\d+$/.test(text) ? text : this.wrong(key, "must be text");
  }

  private at(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }
}

function timestamp(value: JsonValue): string {
  return typeof value === "string" && /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(value) ? value : "";
}
