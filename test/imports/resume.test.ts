import { describe, expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { useClientele } from "../support/clientele.js";
import { importRows } from "../support/imports.js";

const clientele = useClientele();

const person = (id: string, more: object = {}) => ({ id, email: `${id}@example.com`, name: "Ada", ...more });

describe("an import that ended early", () => {
  test("goes on behind its last batch, and imports each row once", async () => {
    const account = await clientele.createAccount();
    const rows = Array.from({ length: 2200 }, (_, index) =>
      person(`p-${index}`, index % 50 === 0 ? { email: "bad" } : {}),
    );
    const failing = importRows(clientele, account, rows, {
      keepRejections: (batch) => {
        if (batch === 2) throw new Error("killed");
      },
    });
    await expect(failing).rejects.toThrow("killed");
    await expect(importRows(clientele, account, rows)).rejects.toThrow("up to line 1000: go on with --resume");
    const { done, rejections } = await importRows(clientele, account, rows, { again: "resume" });
    expect(done).toMatchObject({ imported: 2156, rejected: 44, line: 2200 });
    expect(rejections[0]!.line).toBe(1001);
    await expect(importRows(clientele, account, rows)).rejects.toThrow("imported already");
    expect((await importRows(clientele, account, rows, { again: "resume" })).done).toEqual(done);
  });

  test("is not run by two processes at a time", async () => {
    const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const rows = Array.from({ length: 3000 }, (_, index) => ({ email: `d${index}@example.com` }));
    const first = importRows(clientele, account, rows);
    const runs = await Promise.allSettled([first, importRows(clientele, account, rows, { again: "resume" })]);
    expect(runs.filter(({ status }) => status === "fulfilled").length).toBeLessThanOrEqual(1);
    const { done } = await importRows(clientele, account, rows, { again: "resume" });
    expect(done.imported).toBe(3000);
    const { rows: stored } = await clientele.db.raw(
      "select count(*)::int from customers where email like 'd%@example.com'",
    );
    expect(stored).toEqual([{ count: 3000 }]);
  });
});
