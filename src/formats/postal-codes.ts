import { type AddressData, addressData } from "./address-data.js";
import { countCharacters } from "./characters.js";
import { hasControls, plainText } from "./folding.js";

/** How long a postal code may be, in characters. */
export const maxPostalCodeLength = 20;

/**
 * A postal code as its country writes it, such as `K1A 0B1` for "k1a0b1" in `CA`. One of another form is undefined in the
 * United States. Elsewhere it is kept as typed, because forms change.
 */
export function normalPostalCode(country: string, text: string): string | undefined {
  const typed = text.trim();
  if (typed === "" || typed.length > 2 * maxPostalCodeLength) return undefined;
  if (countCharacters(typed) > maxPostalCodeLength || hasControls(typed)) return undefined;
  const data = addressData(country);
  const postalCode = data?.postalCode === undefined ? undefined : postalCodeByData(country, typed, data);
  return postalCode ?? (country === "US" ? undefined : typed);
}

function postalCodeByData(country: string, typed: string, data: AddressData): string | undefined {
  const plain = plainText(typed).replace(/^〒 ?/, "");
  if (!/^[A-Za-z0-9]+(?:[ .-]{1,3}[A-Za-z0-9]+){0,2}$/.test(plain)) return undefined;
  const code = plain.toUpperCase();
  const candidates = [code, withoutPrefix(code, country, data.prefix), missingLetters(data.examples) + code];
  return candidates.map((candidate) => laidOut(candidate, data)).find((candidate) => candidate !== undefined);
}

// With its blanks and hyphens where an example of the same length has them.
function laidOut(code: string, { postalCode, examples }: AddressData): string | undefined {
  const compact = code.replace(/[ .-]/g, "");
  const fitting = examples
    .filter((example) => example.replace(/[ -]/g, "").length === compact.length)
    .map((example) => separatedLike(example, compact));
  return [...fitting, compact, code].find((candidate) => postalCode?.test(candidate));
}

function separatedLike(example: string, compact: string): string {
  const signs = [...compact];
  return example.replace(/[^ -]/g, () => signs.shift() ?? "");
}

function withoutPrefix(code: string, ...prefixes: string[]): string {
  const prefix = prefixes.find((candidate) => code.startsWith(candidate)) ?? "";
  return code.slice(prefix.length).replace(/^[ -]+/, "");
}

// Of "1073" in Latvia, whose codes all begin with "LV-".
function missingLetters(examples: readonly string[]): string {
  const letters = /^[A-Z]{2}[ -]?(?=\d)/.exec(examples[0] ?? "")?.[0] ?? "";
  return examples.every((example) => example.startsWith(letters)) ? letters : "";
}
