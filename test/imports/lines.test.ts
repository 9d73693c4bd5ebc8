import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Line, maxLineBytes, readLines } from "../../src/imports/lines.js";

describe("the lines of a file", () => {
  const cases = [
    { name: "LF", bytes: "a\nb\n", want: ["a", "b"] },
    { name: "CRLF", bytes: "a\r\nb\r\n", want: ["a", "b"] },
    { name: "no end", bytes: "a\nb", want: ["a", "b"] },
    { name: "blank lines", bytes: "\n\na\n", want: ["", "", "a"] },
    { name: "a byte order mark", bytes: "\ufeffa\n\ufeffb", want: ["a", "\ufeffb"] },
    { name: "nothing", bytes: "", want: [] },
    { name: "wrong UTF-8", bytes: Buffer.from([0x61, 0x0a, 0xff, 0xfe, 0x0a, 0x62]), want: ["a", "UTF8_INVALID", "b"] },
    { name: "a line too long", bytes: `a\n${"x".repeat(maxLineBytes + 1)}\nb`, want: ["a", "LINE_TOO_LONG", "b"] },
    { name: "the longest line", bytes: `${"x".repeat(maxLineBytes)}\nb`, want: ["x".repeat(maxLineBytes), "b"] },
  ];
  test.for(cases)("are those of $name", async ({ bytes, want }) => {
    const lines = await linesOf([Buffer.from(bytes)]);
    expect(lines.map(({ text, fault }) => fault ?? text)).toEqual(want);
    expect(lines.map(({ number }) => number)).toEqual(want.map((_, index) => index + 1));
  });

  test("do not depend on how the bytes arrive, and can be read from each line on", async () => {
    const pieces = fc.array(fc.constantFrom("a", "é", "😀", "\n", "\r\n", "{}", "\ufeff"), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.nat(8), { maxLength: 40 }), async (parts, cuts) => {
        const bytes = Buffer.from(parts.join(""));
        const whole = await linesOf([bytes]);
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          chunks.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        expect(await linesOf(chunks)).toEqual(whole);
        for (const [index, { number, end }] of whole.entries()) {
          const rest = await linesOf([bytes.subarray(end)], { line: number, offset: end });
          expect(rest).toEqual(whole.slice(index + 1));
        }
      }),
    );
  });

  test("hold no more than one line in memory, however long it is", async () => {
    const before = process.memoryUsage().arrayBuffers;
    async function* endless() {
      for (let i = 0; i < 200; i++) yield Buffer.alloc(1_000_000, "x");
    }
    const lines: Line[] = [];
    for await (const some of readLines(endless(), { line: 0, offset: 0 })) lines.push(...some);
    expect(lines).toEqual([{ number: 1, end: 200_000_000, text: undefined, fault: "LINE_TOO_LONG" }]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150_000_000);
  });
});

async function linesOf(chunks: Buffer[], from = { line: 0, offset: 0 }): Promise<Line[]> {
  async function* all() {
    yield* chunks;
  }
  const lines: Line[] = [];
  for await (const some of readLines(all(), from)) lines.push(...some);
  return lines;
}
