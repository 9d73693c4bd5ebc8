import fc from "fast-check";

/** Numbers of payment cards, of 13 to 19 digits, written as people write them. */
export const cardNumbers = grouped((digits) => digits.slice(0, -1) + checkDigitOf(digits.slice(0, -1)));

/** As many digits, written alike, that no card has: they fail the Luhn check, as does every group of them. */
export const otherDigits = fc
  .tuple(digitsOf(13, 19), fc.constantFrom("", " ", "-"))
  .map(([digits, separator]) => {
    const last = (Number(checkDigitOf(digits.slice(0, -1))) + 1 + (Number(digits.at(-1)) % 9)) % 10;
    return digits.slice(0, 4) + separator + digits.slice(4, -1) + last;
  })
  // Such a group would be one by itself.
  .filter((text) => !/^\d{4}[ -]\d{13,}$/.test(text));

function grouped(numberOf: (digits: string) => string) {
  return fc
    .tuple(digitsOf(13, 19), fc.constantFrom("", " ", "-", "\u00a0", " - "), fc.constantFrom(1, 4))
    .map(([digits, separator, size]) =>
      numberOf(digits).replace(new RegExp(`\\d{${size}}(?=\\d)`, "g"), `$&${separator}`),
    );
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
