import creditCardType from "credit-card-type";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  holdsCardNumber,
  isCardNumber,
  isCardNumberAsNumber,
  isCardNumberAsPhone,
  withoutCardNumbers,
} from "../../src/formats/card-numbers.js";
import { cardNumbers, digitsOfNetwork, otherDigits, withCheckDigit } from "../support/card-numbers.js";
import { generousMs } from "../support/time.js";

const held = [
  "4242424242424242",
  "4242 4242 4242 4242",
  "4242-4242-4242-4242",
  "4242 – 4242 – 4242 – 4242",
  "4242.4242.4242.4242",
  "4242/4242/4242/4242",
  "card_4242_4242_4242_4242_end",
  "4242·4242·4242·4242",
  "3782.822463.10005",
  "4242\u00a04242\u00a04242\u00a04242",
  "4242\u00ad4242\u00ad4242\u00ad4242",
  "4242\u200b4242\u200b4242\u200b4242",
  "4242\u22124242\u22124242\u22124242",
  "\u202d4242 4242 4242\u200e 4242\u202c",
  "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
  "378282246310005",
  "3782 822463 10005",
  "6304000000000000000",
  "5020 0000 0005",
  "4111 1111 1111 1111 110",
  "30569309025904",
  "3056 930902 5904",
  "9792030000000000",
  "cct_sandbox_4242424242424242",
  "tok4242424242424242",
  "cct_live_abc4242424242424242",
  "abc30569309025904",
  "My card is 4242424242424242, thank you",
  "x4242424242424242y",
  "card_4242424242424242",
  "4242424242424242 12/28 123",
  "4242 4242 4242 4242 123",
  "order 17 4242 4242 4242 4242",
  "4242\n4242\n4242\n4242",
  "４２４２４２４２４２４２４２４２",
  "٤٢٤٢ ٤٢٤٢ ٤٢٤٢ ٤٢٤٢",
];

test.for(held)("%s holds the number of a card, of which a message keeps nothing", (text) => {
  expect(holdsCardNumber(text)).toBe(true);
  const told = withoutCardNumbers(`The value ${text} is wrong.`);
  expect(told).toMatch(/^The value .*\(digits\).* is wrong\.$/s);
  expect(holdsCardNumber(told)).toBe(false);
});

// Of Colombia, Indonesia and the Philippines, with a check digit.
const phones = ["57300123456", "62812345678", "628123456789", "63917123456"].map(withCheckDigit);

const clean = [
  "cct_live_ab676777000008cd",
  "",
  "4242424242424241",
  "4242 4242 4242 4241",
  "424242424242",
  // No network has this prefix, or this length.
  "4222222222222",
  "7242424242424240",
  // A SIRET of each beginning that a network has too.
  "73282932000074",
  "632 012 100 00018",
  "38012986646850",
  "380 129 866 46850",
  // An IMEI.
  "490154203237518",
  "35-693803-564380-9",
  "868932036356090",
  // Mobile telephone numbers that pass the check.
  ...phones,
  "42424242424242424242424242424242",
  "+1 (555) 017-7299",
  "2026-03-01T12:00:00Z",
  "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
  "42424242-4242-4242-8242-424242424242",
  "424242424242424242424abc",
  "da39a3ee5e6b4b0d3255bfef95601890afd80709",
];

test.for(clean)("'%s' holds none", (text) => {
  expect(holdsCardNumber(text)).toBe(false);
  expect(withoutCardNumbers(text)).toBe(text);
});

test("a number stands alone if nothing but spaces and dashes is around it", () => {
  const alone = ["4242 4242 4242 4242", " 4242424242424242-", "\u202d4242424242424242\u202c"];
  expect(alone.filter(isCardNumber)).toEqual(alone);
  expect(["cct_4242424242424242", "4242424242424241", "x".repeat(9999)].map(isCardNumber)).toEqual([
    false,
    false,
    false,
  ]);
});

test("a time is no number of a card, whatever its unit and wherever it stands", () => {
  const units = [1, 1_000, 1_000_000, 1_000_000_000].map(BigInt);
  for (let second = 1_764_000_000n; second < 1_764_000_500n; second++) {
    const times = units.flatMap((unit) => [`${second * unit}`, `shopper+${second * unit}@example.com`]);
    expect(times.filter((text) => holdsCardNumber(text))).toEqual([]);
  }
});

const networks = Object.values(creditCardType.types).flatMap((type) => {
  const { patterns, lengths } = creditCardType.getTypeInfo(type);
  return lengths.filter((length) => length >= 14).map((length) => ({ type, patterns, length }));
});

test.for(networks)("every prefix of $type is one of a card with $length digits", ({ patterns, length }) => {
  for (const prefix of patterns.flat()) {
    const number = digitsOfNetwork(String(prefix), length, 0);
    expect([number, holdsCardNumber(number), isCardNumberAsNumber(Number(number))]).toEqual([
      number,
      true,
      length <= 15 || isCardNumberAsNumber(Number(number)),
    ]);
  }
});

test("a number of JSON is one of a card if it begins as cards do, so that times are none", () => {
  expect([4242424242424242, 378282246310005, 2223003122003222].map(isCardNumberAsNumber)).toEqual([true, true, true]);
  const times = Array.from({ length: 100 }, (_, second) => 1_764_000_000_000 + second * 1000);
  expect([...times, 4242424242424241, 42.5, Number.NaN, 4.2e30].filter(isCardNumberAsNumber)).toEqual([]);
});

test("a telephone number is one of a card only if no telephone has it", () => {
  const cards = ["4242424242424242", "4242 4242 4242 4242", "378282246310005", "3782 822463 10005", "30569309025904"];
  expect(cards.filter(isCardNumberAsPhone)).toEqual(cards);
  const phones = ["+5511987654325", "5511987654325", "+378282246310005", "4915112345672", "+1 (555) 017-7299", "911"];
  expect(phones.filter(isCardNumberAsPhone)).toEqual([]);
});

const word = fc.string({ unit: fc.constantFrom(..."ghijklmnopqrstuvwxyzé,.;:_/"), maxLength: 8 });

test("every number of a card is found in any text, however it is grouped", () => {
  fc.assert(fc.property(word, cardNumbers, word, (before, number, after) => holdsCardNumber(before + number + after)));
});

test("digits that fail the check are no number of a card", () => {
  fc.assert(fc.property(word, otherDigits, word, (before, digits, after) => !holdsCardNumber(before + digits + after)));
});

test("a long text costs little", () => {
  const texts = ["111 ", "1 ", "1", "1   ", `${"1".repeat(12)} `, "a1", "1-", "600000000000 ", "4242 "].map((part) =>
    part.repeat(65_536 / part.length),
  );
  const start = performance.now();
  for (const text of texts) holdsCardNumber(text);
  expect(performance.now() - start).toBeLessThan(generousMs);
});
