import type { JsonObject } from "@bufbuild/protobuf";
import { parse } from "lossless-json";
import { holdsCardNumber } from "../../formats/card-numbers.js";
import { isExactNumber } from "../../formats/exact-numbers.js";
import { type Findings, textFault } from "./findings.js";

/** A number of JSON that a double would change, as it is written. */
export class InexactNumber {
  constructor(readonly text: string) {}
}

/** JSON in which an object has a key twice, with different values: one of them would be lost. */
export class DuplicateKey extends Error {
  constructor(readonly key: string) {
    super("a key is given twice");
  }
}

/** Whether a JSON value is an object; a number that JavaScript cannot hold is none. */
export function isObject(json: unknown): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof InexactNumber);
}

/**
 * Parses JSON as JSON.parse does, but a number that a double would change becomes an InexactNumber; says whether there is
 * one. Throws a SyntaxError, a DuplicateKey or, for JSON that is nested too deeply, a RangeError.
 */
export function parseExactly(text: string): { readonly value: unknown; readonly hasInexact: boolean } {
  const { members, mayHoldInexact } = scan(text);
  if (!mayHoldInexact) {
    const value: unknown = JSON.parse(text);
    if (countMembers(value) === members) return { value, hasInexact: false };
  }
  let hasInexact = false;
  const parseNumber = (digits: string) => {
    if (isExactNumber(digits)) return Number(digits);
    hasInexact = true;
    return new InexactNumber(digits);
  };
  const onDuplicateKey = ({ key }: { readonly key: string }) => {
    throw new DuplicateKey(key);
  };
  return { value: parse(text, undefined, { parseNumber, onDuplicateKey }), hasInexact };
}

/** Where a text stops being JSON: the number of characters before; undefined if it does not. */
export function breakOf(text: string): number | undefined {
  try {
    parse(text, undefined, { parseNumber: Number, onDuplicateKey: ({ newValue }) => newValue });
    return undefined;
  } catch (error) {
    const at = error instanceof SyntaxError ? /at position (\d+)$/.exec(error.message)?.[1] : undefined;
    return at === undefined ? text.length : Number(at);
  }
}

/** The path of a key in an object of JSON. A path never holds a key that is refused. */
export function pathOfKey(path: string, key: string): string {
  if (textFault(key) !== undefined || holdsCardNumber(key)) return path;
  return path === "" ? key.slice(0, 40) : `${path}.${key.slice(0, 40)}`;
}

/** Notes a number that is not kept exactly. */
export function noteInexact({ text }: InexactNumber, path: string, { cards, faults }: Findings): void {
  if (holdsCardNumber(text)) cards.push(path);
  else faults.push({ field: path, description: inexactMessage });
}

/** The violation of a number that a double would change. */
export const inexactMessage = "is a number that would not keep its digits: send fewer digits, or text";

/** Notes the numbers in a value of JSON that are not kept exactly. */
export function inspectExact(value: unknown, path: string, findings: Findings): void {
  if (typeof value !== "object" || value === null) return;
  if (value instanceof InexactNumber) noteInexact(value, path, findings);
  else if (Array.isArray(value))
    for (const [at, item] of value.entries()) inspectExact(item, `${path}[${at}]`, findings);
  else for (const [key, inner] of Object.entries(value)) inspectExact(inner, pathOfKey(path, key), findings);
}

const quote = 0x22;
const backslash = 0x5c;
const colon = 0x3a;
const safeDigits = 15;

// A number of 15 digits without an exponent is always kept, so most requests are parsed by the faster JSON.parse. It keeps
// the last of the members with one key: fewer than there are in the text.
function scan(text: string): { readonly members: number; readonly mayHoldInexact: boolean } {
  let members = 0;
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) {
      digits += 1;
      if (digits > safeDigits) return { members, mayHoldInexact: true };
    } else if (code === quote) {
      at = endOfText(text, at);
      digits = 0;
    } else if (digits > 0 && (code === 0x65 || code === 0x45)) {
      return { members, mayHoldInexact: true };
    } else if (code !== 0x2e) {
      digits = 0;
      if (code === colon) members += 1;
    }
  }
  return { members, mayHoldInexact: false };
}

function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const inner = Object.values(value);
  let count = Array.isArray(value) ? 0 : inner.length;
  for (const one of inner) count += countMembers(one);
  return count;
}

// The place of the quote that ends a text.
function endOfText(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === backslash) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}
