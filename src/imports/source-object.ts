import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { FieldViolation } from "../rpc/errors.js";
import { InexactNumber } from "../rpc/requests/exact-json.js";

/** Whether a JSON value is an object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof InexactNumber);
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
