import { parsePhoneNumberFromString } from "libphonenumber-js/min";
import { isOfNetwork, longestCardNumber as longest, shortestCardNumber as shortest } from "./card-networks.js";
import { passesLuhn } from "./luhn.js";

// Signs between the digits of a number in groups: spaces, dashes, the minus sign, and invisible ones,
// such as soft hyphens and the marks of direction that are copied along.
const between = String.raw`\s\p{Pd}\p{Cf}\u2212`;
const gap = `[${between}]{0,3}`;
// Most texts hold no such run, and then this is all that they cost.
const longRun = new RegExp(`(?:\\d${gap}){${shortest}}`, "u");
const alone = new RegExp(`^[\\d${between}]+$`, "u");
const run = new RegExp(`\\d(?:${gap}\\d)*`, "gu");
const longRuns = new RegExp(`(?:\\d${gap}){${shortest - 1},}\\d`, "gu");
// Digits in hexadecimal ids come in long runs too: of random UUIDs one in 8000 would be taken for a card.
const hexadecimal =
  /(?<![0-9a-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{24,}|(?![0-9a-f]*\d{14})(?=(?:[0-9]*[a-f]){3})[0-9a-f]{16,23})(?![0-9a-z])/gi;

/**
 * Whether a text holds the number of a payment card: digits with the prefix and the length of a card network that pass
 * the Luhn check (ISO/IEC 7812), with spaces or dashes between. Other digits may stand around it, such as an expiry
 * date, in groups of their own. A time, a French SIRET and a telephone number of 13 digits or fewer are none.
 */
export function holdsCardNumber(text: string, atLeast = shortest): boolean {
  if (text.length < shortest) return false;
  const plain = withPlainDigits(text);
  if (!longRun.test(plain)) return false;
  return (plain.replace(hexadecimal, "x").match(run) ?? []).some((digits) => isCardNumberIn(digits, atLeast));
}

/** Whether a text is such a number and nothing else. */
export function isCardNumber(text: string): boolean {
  return text.length < 100 && alone.test(withPlainDigits(text)) && holdsCardNumber(text);
}

/** Whether a number, of JSON, is that of a card. */
export function isCardNumberAsNumber(value: number): boolean {
  return Number.isInteger(value) && /^\d+$/.test(String(value)) && isCardNumberOf(String(value));
}

/**
 * Whether a telephone number is rather that of a card. Many with 13 to 15 digits pass the check; but none has 16, and none
 * of 14 or 15 begins as American Express and Diners Club do: the countries of 30 to 38 have shorter ones (ITU-T E.164).
 */
export function isCardNumberAsPhone(text: string): boolean {
  if (holdsCardNumber(text, 16)) return true;
  return isCardNumber(text) && /^(3[47]\d{13}|3(0[0-5]|[68]\d)\d{11})$/.test(withPlainDigits(text).replace(/\D/g, ""));
}

/** A text in which nothing is left of such numbers, for messages that may quote what a client sent. */
export function withoutCardNumbers(text: string): string {
  return holdsCardNumber(text) ? withPlainDigits(text).replace(longRuns, "(digits)") : text;
}

// The whole run, or some of its groups where each has three digits or more, as on a card: digits that stand alone are
// rather a list, of which some part would pass the check by chance.
function isCardNumberIn(text: string, atLeast: number): boolean {
  const groups = text.match(/\d+/g) ?? [];
  const digits = groups.join("");
  const isOne = (from: number, to: number) =>
    to - from >= atLeast && to - from <= longest && isCardNumberOf(digits.slice(from, to));
  if (isOne(0, digits.length)) return true;
  let from = 0;
  for (let first = 0; first < groups.length; first++) {
    let to = from;
    for (let last = first; (groups[last]?.length ?? 0) >= 3 && to - from < longest; last++) {
      to += groups[last]?.length ?? 0;
      if (isOne(from, to)) return true;
    }
    from += groups[first]?.length ?? 0;
  }
  return false;
}

function isCardNumberOf(digits: string): boolean {
  return passesLuhn(digits) && isOfNetwork(digits) && !isSiret(digits) && !isPhone(digits);
}

// A SIRET begins with a SIREN of nine digits, which has a check digit of its own.
function isSiret(digits: string): boolean {
  return digits.length === 14 && passesLuhn(digits.slice(0, 9));
}

// Maestro has numbers of 12 and 13 digits, as the mobile telephones of Colombia, Indonesia and the Philippines do.
function isPhone(digits: string): boolean {
  return digits.length <= 13 && parsePhoneNumberFromString(`+${digits}`)?.isValid() === true;
}

// Four groups, or the three of American Express, with one sign between that also stands in dates and versions.
const signedGroups = /(?<!\d)(?:(\d{4})([./_·])(\d{4})\2(\d{4})\2(\d{4})|(\d{4})([./_·])(\d{6})\7(\d{5}))(?!\d)/g;

function withPlainDigits(text: string): string {
  return digitsOfAscii(text).replace(signedGroups, "$1 $3 $4 $5$6 $8 $9");
}

// The digits of other scripts, and of other widths, are those of ASCII.
function digitsOfAscii(text: string): string {
  if (!/[^\P{Nd}0-9]/u.test(text)) return text;
  return text.normalize("NFKC").replace(/[^\P{Nd}0-9]+/gu, (digits) => Array.from(digits, digitOf).join(""));
}

const values = new Map<string, number>();

// The ten digits of a script follow each other, and nothing that is a digit precedes them.
function digitOf(digit: string): number {
  const cachedValue = values.get(digit);
  if (cachedValue !== undefined) return cachedValue;
  let value = 0;
  const code = digit.codePointAt(0) ?? 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value += 1;
  values.set(digit, value);
  return value;
}
