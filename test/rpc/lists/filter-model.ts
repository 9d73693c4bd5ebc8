import type { Clause, Filter } from "../../../src/rpc/lists/filter-clause.js";
import { boundOf, likeParts, meaningsOf, utcOf } from "../../../src/rpc/lists/filter-values.js";

/**
 * Whether a filter holds for a row, by the names of its fields: the meaning of `applyFilter`, without Postgres.
 *
 * - Null, and a key that a map does not have, hold for `is_null` only.
 * - A text is compared exactly, or in lower case where its field says so; `gt` and the like go by code point. A time is
 *   compared to the microsecond.
 * - `like` compares the whole folded text; `*` stands for any characters, `\*` for itself and `\\` for a backslash.
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
      return (
        typeof stored === "string" &&
        operands.some(({ text }) => isLike(foldText(stored), likeParts(text).map(foldText)))
      );
    default:
      return operands.some((operand) => inOrder(operator, value, comparable(clause, boundOf(clause, operand))));
  }
}

function comparable({ field }: Clause, value: unknown): unknown {
  if (value instanceof Date) return utcOf(value.toISOString());
  return field.type === "text" && field.caseInsensitive && typeof value === "string" ? fold(value) : value;
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

/** Lower case by code points, as Postgres has it in C.UTF-8 and most other locales of Unicode. */
export function fold(text: string): string {
  return text.replace(/./gsu, (character) => (character === "\u0130" ? "i" : character.toLowerCase()));
}

/** A text as `fold_text` of the database folds it. */
export function foldText(text: string): string {
  if (/^[\0-\x7f]*$/.test(text)) return fold(text);
  const plain = text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "")
    .normalize("NFC");
  return [...fold(plain)].map((letter) => letters.get(letter) ?? letter).join("");
}

const letters = new Map([
  ..."ςσ ıi łl øo đd ðd ħh ŧt ŋn ĸk ’' ‘' ʼ' ′' ‐- ‑- ‒- –- —-".split(" ").map(([from, to]) => [from, to] as const),
  ...(["ß ss", "æ ae", "œ oe", "þ th"].map((pair) => pair.split(" ")) as [string, string][]),
] as [string, string][]);

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
