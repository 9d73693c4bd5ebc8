import { isDay } from "../../formats/days.js";
import type { Clause, Field, Filter, Member, Operand } from "./filter-clause.js";

/**
 * Whether a filter holds for a row, by the names of its fields: what `applyFilter` means, without Postgres.
 *
 * - Null, and a key that a map does not have, hold for `is_null` only.
 * - A text is compared exactly, or in lower case where its field says so; `gt` and the like go by code point. A time is
 *   compared to the microsecond.
 * - `like` compares the whole text in any case; `*` stands for any characters, `\*` for itself and `\\` for a backslash.
 * - In a map, a bare number equals that JSON number or its text, and likewise a bare `true` or `false`; anything else
 *   equals that JSON string. `gt` and the like order JSON numbers by a bare number, JSON strings by anything else. `like`
 *   is for JSON strings. Arrays and objects are neither equal nor ordered.
 */
export function matches({ clauses }: Filter, row: Readonly<Record<string, unknown>>): boolean {
  return clauses.every((clause) => holds(clause, clause.key === undefined ? row[clause.name] : keyOf(row, clause)));
}

function keyOf(row: Readonly<Record<string, unknown>>, { name, key = "" }: Clause): unknown {
  const map = row[name];
  return typeof map === "object" && map !== null && Object.hasOwn(map, key) ? Reflect.get(map, key) : null;
}

function holds(clause: Clause, stored: unknown): boolean {
  const { operator, operands } = clause;
  if (stored === null || stored === undefined) return operator === "is_null";
  const value = comparable(clause, stored);
  switch (operator) {
    case "is_null":
      return false;
    case "eq":
    case "in":
      return operands.some((operand) => meaningsOf(clause, operand).some((one) => comparable(clause, one) === value));
    case "like":
      return typeof stored === "string" && operands.some(({ text }) => isLike(fold(stored), likeParts(fold(text))));
    default:
      return operands.some((operand) => inOrder(operator, value, comparable(clause, boundOf(clause, operand))));
  }
}

function comparable({ field }: Clause, value: unknown): unknown {
  if (value instanceof Date) return utcOf(value.toISOString());
  return field.type === "text" && field.caseInsensitive && typeof value === "string" ? fold(value) : value;
}

/** The values that an operand of `eq` or `in` stands for. */
export function meaningsOf({ field }: Clause, { text, value }: Operand): readonly Operand["value"][] {
  return field.type === "map" && value !== text ? [value, text] : [value];
}

/** What an operand of `gt` and the like is compared with: a number only in a map. */
export function boundOf({ field }: Clause, { text, value }: Operand): Operand["value"] {
  return field.type === "map" && typeof value !== "number" ? text : value;
}

function inOrder(operator: "gt" | "ge" | "lt" | "le", value: unknown, bound: unknown): boolean {
  if (typeof value !== typeof bound) return false;
  const sign = typeof value === "number" ? value - Number(bound) : bytewise(String(value), String(bound));
  return { gt: sign > 0, ge: sign >= 0, lt: sign < 0, le: sign <= 0 }[operator];
}

// The order of code points is that of UTF-8, and not that of JavaScript's strings.
function bytewise(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** What a text in a filter means for a field; undefined if nothing. */
export function valueIn(field: Field, text: string, quoted: boolean): Operand["value"] | undefined {
  switch (field.type) {
    case "text":
      return text;
    case "timestamp":
      return utcOf(text);
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "enum":
      return Object.hasOwn(field.values, text) ? field.values[text] : undefined;
    case "member":
      return memberValueIn(field, text);
    case "record":
      return undefined;
    case "map":
      if (quoted) return text;
      if (text === "true" || text === "false") return text === "true";
      return isJsonNumber(text) ? Number(text) : text;
  }
}

function memberValueIn({ of }: Member, text: string): Operand["value"] | undefined {
  if (of === "text") return text;
  if (of === "number") return isJsonNumber(text) ? Number(text) : undefined;
  if (of === "day") return isDay(text) ? text : undefined;
  return text === "true" ? true : text === "false" ? false : undefined;
}

function isJsonNumber(text: string): boolean {
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text));
}

const rfc3339 =
  /^(\d{4}-(?:0[1-9]|1[0-2])-\d\d)T(?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.(\d{1,9}))?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * An RFC 3339 time in UTC with six digits of the second, the most that Postgres keeps, so that times compare as texts;
 * further digits are dropped. Undefined if it is none, or beyond the years 1 to 9999.
 */
export function utcOf(text: string): string | undefined {
  const [, day, fraction = ""] = rfc3339.exec(text) ?? [];
  // Date would take the 30th of February for the 2nd of March.
  if (day === undefined || !isoOf(Date.parse(`${day}T00:00:00Z`)).startsWith(day)) return undefined;
  const utc = isoOf(Date.parse(text));
  return /^(?!0000)\d{4}-/.test(utc) ? `${utc.slice(0, 19)}.${fraction.padEnd(6, "0").slice(0, 6)}Z` : undefined;
}

function isoOf(ms: number): string {
  return Number.isNaN(ms) ? "" : new Date(ms).toISOString();
}

/** Lower case by code points, as Postgres has it in C.UTF-8 and most other locales of Unicode. */
export function fold(text: string): string {
  return text.replace(/./gsu, (character) => (character === "\u0130" ? "i" : character.toLowerCase()));
}

/** The texts between the wildcards of a pattern. */
export function likeParts(pattern: string): string[] {
  const parts = [""];
  for (const [token] of pattern.matchAll(/\\[\\*]|./gsu)) {
    if (token === "*") parts.push("");
    else parts.push(parts.pop() + (token.length > 1 ? token.replace(/^\\/, "") : token));
  }
  return parts;
}

// Each part at its first place is enough, because the wildcards after it take any rest.
function isLike(text: string, parts: readonly string[]): boolean {
  const [first = "", ...others] = parts;
  const last = others.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let end = first.length;
  for (const part of others) {
    const found = text.indexOf(part, end);
    if (found < 0) return false;
    end = found + part.length;
  }
  return text.length - last.length >= end && text.endsWith(last);
}
