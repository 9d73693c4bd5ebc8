import { describe, expect, test } from "vitest";
import { createProgress } from "../../src/commands/progress.js";

const state = (rows: number) => ({ rows, rate: 5432.1, rejected: 1, share: rows / 100 });

describe("the progress of a command", () => {
  test.for([
    {
      isTTY: true,
      want: ["\r\x1b[K███████████████░░░░░░░░░░░░░░░ 50 %, 50 rows, 5432 a second, 1 rejected"],
      every: 100,
    },
    { isTTY: false, want: ["50 %, 50 rows, 5432 a second, 1 rejected\n"], every: 5_000 },
  ])("is shown every $every ms, where a terminal is $isTTY", ({ isTTY, want, every }) => {
    let now = 0;
    const shown: string[] = [];
    const progress = createProgress({ isTTY, write: (text) => shown.push(text) }, () => now);
    for (const rows of [49, 50, 51]) {
      now = rows === 49 ? -1 : every + rows;
      progress.show(state(rows));
    }
    expect(shown).toEqual(want);
  });

  test("has no bar where nobody knows the end", () => {
    const shown: string[] = [];
    createProgress({ isTTY: true, write: (text) => shown.push(text) }).show({ ...state(7), share: undefined });
    expect(shown).toEqual(["\r\x1b[K7 rows, 5432 a second, 1 rejected"]);
  });
});
