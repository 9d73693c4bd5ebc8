import type { JsonObject } from "@bufbuild/protobuf";
import { parse } from "lossless-json";
import { holdsCardNumber } from "../../formats/card-numbers.js";
import { isExactNumber } from "../../formats/exact-numbers.js";
import { type Findings, textFault } from "./findings.js";

/** A number of JSON that a double would change, as it is written. */
export class InexactNumber {
  constructor(readonly text: string) {}
}

/** Whether a JSON value is an object; a number that JavaScript cannot hold is none. */
export function isObject(json: unknown): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json) && !(json instanceof InexactNumber);
}

/**
 * Parses JSON as JSON.parse does, but a number that a double would change becomes an InexactNumber; says whether there is
 * one. Throws a SyntaxError or, for JSON that is nested too deeply, a RangeError.
 */
export function parseExactly(text: string): { readonly value: unknown; readonly hasInexact: boolean } {
  if (!mayHoldInexact(text)) return { value: JSON.parse(text), hasInexact: false };
  let hasInexact = false;
  const parseNumber = (digits: string) => {
    if (isExactNumber(digits)) return Number(digits);
    hasInexact = true;
    return new InexactNumber(digits);
  };
  const value = parse(text, undefined, { parseNumber, onDuplicateKey: ({ newValue }) => newValue });
  return { value, hasInexact };
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
const safeDigits = 15;

// A number of 15 digits without an exponent is always kept, so most requests are parsed by the faster JSON.parse.
function mayHoldInexact(text: string): boolean {
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) {
      digits += 1;
      if (digits > safeDigits) return true;
    } else if (code === quote) {
      at = endOfText(text, at);
      digits = 0;
    } else if (digits > 0 && (code === 0x65 || code === 0x45)) {
      return true;
    } else if (code !== 0x2e) {
      digits = 0;
    }
  }
  return false;
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
