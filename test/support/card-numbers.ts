import creditCardType from "credit-card-type";
import fc from "fast-check";

/** Numbers of payment cards, of 14 to 19 digits, written as people write them. Shorter ones may be telephone numbers. */
export const cardNumbers = fc
  .tuple(
    fc.constantFrom(...prefixesAndLengths()),
    fc.nat(999_999),
    fc.constantFrom("", " ", "-", "\u00a0", " - "),
    fc.constantFrom(1, 4),
  )
  .map(([{ prefix, length }, filling, separator, size]) =>
    digitsOfNetwork(prefix, length, filling).replace(new RegExp(`\\d{${size}}(?=\\d)`, "g"), `$&${separator}`),
  );

/** As many digits, written alike, that no card has: they fail the Luhn check, as does every group of them. */
export const otherDigits = fc
  .tuple(digitsOf(13, 19), fc.constantFrom("", " ", "-"))
  .map(([digits, separator]) => {
    const last = (Number(checkDigitOf(digits.slice(0, -1))) + 1 + (Number(digits.at(-1)) % 9)) % 10;
    return digits.slice(0, 4) + separator + digits.slice(4, -1) + last;
  })
  // Such a group would be one by itself.
  .filter((text) => !/^\d{4}[ -]\d{12,}$/.test(text));

/** A number of a network, which is no SIRET: the filling moves until its first nine digits fail the check. */
export function digitsOfNetwork(prefix: string, length: number, filling: number): string {
  const number = withCheckDigit(prefix + String(filling).padStart(length - prefix.length - 1, "0"));
  const isSiret = length === 14 && withCheckDigit(number.slice(0, 8)) === number.slice(0, 9);
  return isSiret ? digitsOfNetwork(prefix, length, filling + 100_001) : number;
}

/** Digits with the check digit that they lack. */
export function withCheckDigit(digits: string): string {
  return digits + checkDigitOf(digits);
}

function prefixesAndLengths() {
  return Object.values(creditCardType.types).flatMap((type) => {
    const { patterns, lengths } = creditCardType.getTypeInfo(type);
    const prefixes = patterns.flat().map(String);
    return lengths.flatMap((length) => (length < 14 ? [] : prefixes.map((prefix) => ({ prefix, length }))));
  });
}

function digitsOf(minLength: number, maxLength: number) {
  return fc.string({ unit: fc.constantFrom(..."0123456789"), minLength, maxLength });
}

// The textbook's way: doubled digits from the right, beside the check digit that is to come.
function checkDigitOf(digits: string): string {
  const doubled = [...digits].reverse().map((digit, at) => Number(digit) * (at % 2 === 0 ? 2 : 1));
  const sum = doubled.flatMap((value) => [...String(value)]).reduce((total, digit) => total + Number(digit), 0);
  return String((10 - (sum % 10)) % 10);
}
