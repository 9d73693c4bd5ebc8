import { expect, test } from "vitest";
import { normalEmail } from "../../src/formats/emails.js";
import { generousMs } from "../support/time.js";

const kept: [typed: string, kept: string][] = [
  ["ada@example.com", "ada@example.com"],
  ["  Ada.Lovelace+news@Example.COM ", "Ada.Lovelace+news@Example.COM"],
  ["o'neil!#$%&*/=?^_`{|}~-@example.co.uk", "o'neil!#$%&*/=?^_`{|}~-@example.co.uk"],
  ["info@müller-beispiel.de", "info@müller-beispiel.de"],
  ["info@MÜLLER-Beispiel.de", "info@MÜLLER-Beispiel.de"],
  ["info@xn--mller-beispiel-gsb.de", "info@müller-beispiel.de"],
  ["info@XN--MLLER-BEISPIEL-GSB.DE", "info@müller-beispiel.de"],
  ["info@mu\u0308ller-beispiel.de", "info@müller-beispiel.de"],
  ["info@ｅxample.com", "info@example.com"],
  ["info@例え。テスト", "info@例え.テスト"],
  ["josé@example.es", "josé@example.es"],
  ["jose\u0301@example.es", "josé@example.es"],
  ["пример@пример.рф", "пример@пример.рф"],
  ["ada\u200b@example.com", "ada@example.com"],
  ["a\u2060da@exam\u200bple.com\u200b", "ada@example.com"],
  ["\u202aada@example.com\u202c", "ada@example.com"],
  ["\ufeffada@exam\u00adple.com", "ada@example.com"],
  [`${"a".repeat(64)}@example.com`, `${"a".repeat(64)}@example.com`],
];

test.for(kept)("%j is kept as %j", ([typed, stored]) => {
  expect(normalEmail(typed)).toBe(stored);
  expect(normalEmail(stored)).toBe(stored);
});

const none = [
  "",
  "ada",
  "@example.com",
  "ada@",
  "ada@example",
  ".ada@example.com",
  "ada.@example.com",
  "ada..lovelace@example.com",
  "ada@@example.com",
  "ada@b@example.com",
  "ada lovelace@example.com",
  "a\tda@example.com",
  "a\0da@example.com",
  '"ada"@example.com',
  "ada<x>@example.com",
  "ada\\@example.com",
  "a:b@example.com",
  "a[b]@example.com",
  "ada@-example.com",
  "ada@example-.com",
  "ada@exa_mple.com",
  "ada@example..com",
  "ada@.example.com",
  "ada@example.com.",
  "ada@[127.0.0.1]",
  "ada@127.0.0.1",
  "ada@example.123",
  "ada@１２７.0.0.1",
  "ada@xn--a.com",
  "\u200b@example.com",
  `${"a".repeat(65)}@example.com`,
  `${"é".repeat(33)}@example.com`,
  `ada@${"a".repeat(64)}.com`,
  `ada@${"a.".repeat(127)}com`,
];

test.for(none)("%j is no e-mail address", (text) => {
  expect(normalEmail(text)).toBeUndefined();
});

test("an address of any length is read in linear time", () => {
  const started = performance.now();
  for (const piece of ["a", ".", "@", "a.", "a@", "é", "\u200b", "xn--"]) {
    normalEmail(piece.repeat(300_000));
    normalEmail(`ada@${piece.repeat(300_000)}`);
  }
  expect(performance.now() - started).toBeLessThan(2 * generousMs);
});
