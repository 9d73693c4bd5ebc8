import fc from "fast-check";
import { expect, test } from "vitest";
import {
  holdsCardNumber,
  holdsCardNumberAsName,
  isCardNumber,
  isCardNumberAsNumber,
  isCardNumberAsPhone,
  withoutCardNumbers,
} from "../../src/formats/card-numbers.js";
import { cardNumbers, otherDigits } from "../support/card-numbers.js";

const held = [
  "4242424242424242",
  "4242 4242 4242 4242",
  "4242-4242-4242-4242",
  "4242 – 4242 – 4242 – 4242",
  "4242\u00a04242\u00a04242\u00a04242",
  "4242\u00ad4242\u00ad4242\u00ad4242",
  "4242\u200b4242\u200b4242\u200b4242",
  "4242\u22124242\u22124242\u22124242",
  "\u202d4242 4242 4242\u200e 4242\u202c",
  "4 2 4 2 4 2 4 2 4 2 4 2 4 2 4 2",
  "378282246310005",
  "3782 822463 10005",
  "4222222222222",
  "6304000000000000000",
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

const clean = [
  "",
  "4242424242424241",
  "4242 4242 4242 4241",
  "424242424242",
  "42424242424242424242424242424242",
  "+1 (555) 017-7299",
  "2026-03-01T12:00:00Z",
  "4242.4242.4242.4242",
  "4242/4242/4242/4242",
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

test("a number of JSON is one of a card if it begins as cards do, so that times are none", () => {
  expect([4242424242424242, 378282246310005, 2223003122003222].map(isCardNumberAsNumber)).toEqual([true, true, true]);
  const times = Array.from({ length: 100 }, (_, second) => 1_764_000_000_000 + second * 1000);
  expect([...times, 4242424242424241, 42.5, Number.NaN, 4.2e30].filter(isCardNumberAsNumber)).toEqual([]);
});

test("a name holds the number of a card if it begins as cards do, so that times are none", () => {
  const cards = [
    "pay-4242424242424242",
    "378282246310005",
    "pay-4242-4242-4242-4242-1",
    "order-1764000000000-4222222222222",
  ];
  expect(cards.filter(holdsCardNumberAsName)).toEqual(cards);
  const times = Array.from({ length: 100 }, (_, second) => `order-${1_764_000_000_000 + second * 1000}`);
  expect([...times, "4242424242424241"].filter(holdsCardNumberAsName)).toEqual([]);
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

test("a text of any length costs little", () => {
  const texts = ["111 ", "1 ", "1", "1   ", `${"1".repeat(12)} `, "a1", "1-"].map((part) =>
    part.repeat(65_536 / part.length),
  );
  const start = performance.now();
  for (const text of texts) holdsCardNumber(text);
  expect(performance.now() - start).toBeLessThan(1_000);
});
