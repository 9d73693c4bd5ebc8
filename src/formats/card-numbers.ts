const shortest = 13;
const longest = 19;
const anyDigit = /\d/;
const networks = /[2-6]/;

// What may stand between the digits of a number that is written in groups: spaces, dashes, the minus sign, and what
// nobody sees, such as the soft hyphens and the marks of direction that are copied along.
const between = String.raw`\s\p{Pd}\p{Cf}\u2212`;
const gap = `[${between}]{0,3}`;
// Most texts hold no such run, and then this is all that they cost.
const longRun = new RegExp(`(?:\\d${gap}){${shortest}}`, "u");
const alone = new RegExp(`^[\\d${between}]+$`, "u");
const run = new RegExp(`\\d(?:${gap}\\d)*`, "gu");
const longRuns = new RegExp(`(?:\\d${gap}){${shortest - 1},}\\d`, "gu");
// Digits in hexadecimal ids come in long runs too: of random UUIDs one in 8000 would be taken for a card.
const hexadecimal =
  /(?<![0-9a-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{24,})(?![0-9a-z])/gi;

/**
 * Whether a text holds what may be the number of a payment card: 13 to 19 digits that pass the Luhn check (ISO/IEC 7812),
 * with spaces or dashes between. Other digits may stand around it, such as an expiry date, in groups of their own.
 */
export function holdsCardNumber(text: string, atLeast = shortest, beginning = anyDigit): boolean {
  if (text.length < shortest) return false;
  const plain = withPlainDigits(text);
  if (!longRun.test(plain)) return false;
  return (plain.replace(hexadecimal, "x").match(run) ?? []).some((found) => isCardNumberIn(found, atLeast, beginning));
}

/**
 * Whether a name that a program makes up holds such a number. It must begin as those of the card networks do, with 2 to
 * 6: else every tenth name with a time in milliseconds would hold one.
 */
export function holdsCardNumberAsName(text: string): boolean {
  return holdsCardNumber(text, shortest, networks);
}

/** Whether a text is such a number and nothing else. */
export function isCardNumber(text: string): boolean {
  return text.length < 100 && alone.test(withPlainDigits(text)) && holdsCardNumber(text);
}

/**
 * Whether a number, of JSON, may be that of a card. Unlike in a text it must begin as those of the card networks do, with
 * 2 to 6: else every tenth time in milliseconds would be one.
 */
export function isCardNumberAsNumber(value: number): boolean {
  return Number.isInteger(value) && /^[2-6]\d{12,18}$/.test(String(value)) && passesLuhn(String(value));
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
function isCardNumberIn(text: string, atLeast: number, beginning: RegExp): boolean {
  const groups = text.match(/\d+/g) ?? [];
  const digits = groups.join("");
  const isOne = (from: number, to: number) =>
    to - from >= atLeast && to - from <= longest && beginning.test(digits.charAt(from)) && passesLuhn(digits, from, to);
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

// From the right, every second digit counts twice.
function passesLuhn(digits: string, from = 0, to = digits.length): boolean {
  let sum = 0;
  for (let at = to - 1; at >= from; at--) {
    const digit = digits.charCodeAt(at) - 48;
    const counted = (to - at) % 2 === 0 ? digit * 2 : digit;
    sum += counted > 9 ? counted - 9 : counted;
  }
  return sum % 10 === 0;
}

// The digits of other scripts, and of other widths, are those of ASCII.
function withPlainDigits(text: string): string {
  if (!/[^\P{Nd}0-9]/u.test(text)) return text;
  return text.normalize("NFKC").replace(/[^\P{Nd}0-9]+/gu, (digits) => Array.from(digits, digitOf).join(""));
}

const values = new Map<string, number>();

// The ten digits of a script follow each other, and nothing that is a digit precedes them.
function digitOf(digit: string): number {
  const known = values.get(digit);
  if (known !== undefined) return known;
  let value = 0;
  const code = digit.codePointAt(0) ?? 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value += 1;
  values.set(digit, value);
  return value;
}
