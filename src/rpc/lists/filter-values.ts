import { isDay } from "../../formats/days.js";
import { isExactNumber } from "../../formats/exact-numbers.js";
import type { Clause, Field, Member, Operand } from "./filter-clause.js";

/** The values that an operand of `eq` or `in` stands for. */
export function meaningsOf({ field }: Clause, { text, value }: Operand): readonly Operand["value"][] {
  return field.type === "map" && value !== text ? [value, text] : [value];
}

/** The bound of an operand of `gt` and the like: a number only in a map. */
export function boundOf({ field }: Clause, { text, value }: Operand): Operand["value"] {
  return field.type === "map" && typeof value !== "number" ? text : value;
}

/** The value of a text for a field; undefined if it has none. */
export function valueIn(field: Field, text: string, quoted: boolean): Operand["value"] | undefined {
  switch (field.type) {
    case "text":
      return field.normal?.(text) ?? text;
    case "timestamp":
      return utcOf(text);
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "enum":
      return enumValueIn(field.values, text.toUpperCase());
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

function enumValueIn(values: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function memberValueIn({ of }: Member, text: string): Operand["value"] | undefined {
  if (of === "text") return text;
  if (of === "number") return isJsonNumber(text) ? Number(text) : undefined;
  if (of === "day") return isDay(text) ? text : undefined;
  return text === "true" ? true : text === "false" ? false : undefined;
}

function isJsonNumber(text: string): boolean {
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) && isExactNumber(text);
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

/** The texts between the wildcards of a pattern. */
export function likeParts(pattern: string): string[] {
  const parts = [""];
  for (const [token] of pattern.matchAll(/\\[\\*]|./gsu)) {
    if (token === "*") parts.push("");
    else parts.push(parts.pop() + (token.length > 1 ? token.replace(/^\\/, "") : token));
  }
  return parts;
}
