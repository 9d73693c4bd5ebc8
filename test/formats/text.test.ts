import fc from "fast-check";
import { expect, test } from "vitest";
import { cleanText, isBlank, visibleText } from "../../src/formats/text.js";

const cleaned: [typed: string, kept: string][] = [
  ["Ada", "Ada"],
  ["  Ada ", "Ada"],
  ["\u200bAda\u2060", "Ada"],
  ["\u202aAda\u202c", "Ada"],
  ["A\u00adda", "Ada"],
  ["Jose\u0301", "José"],
  ["A\u0007da", "Ada"],
  ["1 Main St\r\nApt 2", "1 Main St Apt 2"],
  ["Ada\tLovelace", "Ada Lovelace"],
  // Joiners and variation selectors that mean something.
  ["می\u200cخواهم", "می\u200cخواهم"],
  ["👩\u200d💻", "👩\u200d💻"],
  ["葛\u{e0100}城", "葛\u{e0100}城"],
  ["❤\ufe0f", "❤\ufe0f"],
  ["a\u200c", "a"],
  ["\u200d", ""],
  ["\u200b", ""],
  ["\u3164\u115f", ""],
  ["\u2800 \u2800", ""],
  ["\u0001\u0002", ""],
  ["\u00a0\u3000", ""],
];

test.for(cleaned)("%j is kept as %j", ([typed, kept]) => {
  expect(cleanText(typed)).toBe(kept);
  expect(isBlank(typed)).toBe(kept === "");
});

test("cleaning any text twice changes nothing, and leaves no control character", () => {
  const odd = fc.string({
    unit: fc.constantFrom(
      "a",
      "é",
      "e\u0301",
      "\u200b",
      "\u200c",
      "\u200d",
      "\ufe0f",
      "\n",
      "\u0007",
      " ",
      "ی",
      "👩",
      "\u{e0100}",
    ),
  });
  fc.assert(
    fc.property(fc.oneof(odd, fc.string({ unit: "binary" })), (text) => {
      const kept = cleanText(text);
      expect(kept).not.toMatch(/\p{Cc}/u);
      expect(cleanText(kept)).toBe(kept);
      expect(kept === "" || !isBlank(kept)).toBe(true);
      expect(visibleText(visibleText(text))).toBe(visibleText(text));
    }),
    { numRuns: 3_000 },
  );
});
