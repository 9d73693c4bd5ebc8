import fc from "fast-check";
import { expect, test } from "vitest";
import { isExactNumber } from "../../src/formats/exact-numbers.js";

test.for([
  "0",
  "-0",
  "0.0",
  "0e999",
  "1",
  "1.0",
  "1.10",
  "100",
  "-12.5",
  "0.1",
  "1e2",
  "1E+2",
  "1e-7",
  "1e21",
  "1e23",
  "9007199254740991",
  "9007199254740992",
  "9007199254740994",
  "5e-324",
  "1.7976931348623157e308",
  "100000000000000000000000",
  "0.30000000000000004",
])("a double keeps %s", (text) => {
  expect(isExactNumber(text)).toBe(true);
});

test.for([
  "9007199254740993",
  "-9007199254740993",
  "7234567890123456789",
  "12345678901234567890",
  "1e400",
  "-1e400",
  "1e-400",
  "0.1000000000000000055",
  "0.1234567890123456789",
  "1.00000000000000000001",
  "123456789.12345678901",
  `1${"0".repeat(5000)}`,
])("a double does not keep %s", (text) => {
  expect(isExactNumber(text)).toBe(false);
});

test("a double keeps every number that is written as JavaScript writes it", () => {
  fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => isExactNumber(String(value))));
});

test("a double keeps every integer of up to 53 bits", () => {
  const limit = 2n ** 53n;
  fc.assert(fc.property(fc.bigInt({ min: -limit, max: limit }), (value) => isExactNumber(String(value))));
});
