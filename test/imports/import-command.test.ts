import { createReadStream, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { startCommand } from "../support/cli.js";
import { type TestAccount, useClientele } from "../support/clientele.js";

let folder: string;
const clientele = useClientele();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "clientele-import-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

describe("clientele import", () => {
  test("says how many rows it imported and rejected, and ends with 1 if it rejected one", async () => {
    const account = await clientele.createAccount();
    const file = await fileOf(
      "\ufeff" + '{"email":"a@x.io"}\r\n\r\n{"email":\n{"email":"A@x.io"}\n{"email":"b"}\n{"email":"c@x.io"}',
    );
    const { code, stdout, stderr } = await run(account, "import", file, "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ rows: 5, imported: 2, rejected: 3, lines: 6, resumedAfterLine: 0 });
    expect(stderr.trim().split("\n")).toEqual([
      "line 3: The line is not JSON: it breaks off at column 10.",
      "line 4: customer.email: A customer with this e-mail address exists already.",
      "line 5: customer.email: Enter a valid email address.",
    ]);
    const good = await run(account, "import", await fileOf('{"email":"d@x.io"}'));
    expect(good).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringMatching(/^Imported 1 customers, rejected 0/),
    });
  });

  test("reads standard input, writes a file of rejects, and the other way round exports", async () => {
    const [account, other] = [await clientele.createAccount(), await clientele.createAccount()];
    const samples = join(import.meta.dirname, "stripe.ndjson");
    const rejects = join(folder, "rejects.ndjson");
    const imported = await run(
      account,
      "import",
      "-",
      "--from",
      "stripe",
      "--rejects",
      rejects,
      createReadStream(samples),
    );
    expect(imported.code).toBe(1);
    expect(imported.stderr).toBe("");
    expect(entriesOf(rejects)).toMatchObject([
      { line: 5, reason: "MODE_MISMATCH" },
      { line: 6, reason: "SOURCE_DELETED" },
    ]);
    const exported = await run(account, "export");
    expect(exported.code).toBe(0);
    const rows = exported.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(rows.map(({ id }) => id)).toEqual([
      "cus_CountryOnly",
      "cus_NWeHJ69zAJZx9Y",
      "cus_NffrFeUfNV2Hib",
      "cus_SamePlace",
    ]);
    const back = await run(other, "import", await fileOf(exported.stdout), "--json");
    expect(JSON.parse(back.stdout)).toMatchObject({ imported: 4, rejected: 0 });
    const after = await run(account, "export", "--resume-after", "cus_NWeHJ69zAJZx9Y");
    expect(after.stdout.trimEnd().split("\n")).toEqual(exported.stdout.trimEnd().split("\n").slice(2));
    const live = await run(account, "import", await fileOf(exported.stdout), "--mode", "live");
    expect(live.stderr).toContain("line 1: The customer is of the test mode, and this tenant of the live mode.");
  });

  test("says what is wrong with the command itself, in one line", async () => {
    const account = await clientele.createAccount();
    const file = await fileOf('{"email":"e@x.io"}');
    await run(account, "import", file);
    const wrong = [
      [[file], /imported already: go on with --resume, or begin again with --restart/],
      [[join(folder, "absent")], /no such file/],
      [[folder], /is a folder/],
      [[file, "--from", "shopify"], /Allowed choices are clientele, stripe/],
      [[file, "--resume", "--restart"], /cannot be used with/],
    ] as const;
    for (const [args, says] of wrong) {
      const { code, stderr } = await run(account, "import", ...args);
      expect(code).toBe(1);
      expect(stderr).toMatch(says);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
  });

  // Where addresses may repeat and ids are generated, nothing but the progress keeps a row from being imported twice.
  test("that is killed again and again imports each row once", { timeout: 120_000 }, async () => {
    const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const count = 12_000;
    const bad = (index: number) => index % 97 === 0;
    const file = await fileOf(
      Array.from({ length: count }, (_, index) => `{"email":"${bad(index) ? "bad" : `k${index}@x.io`}"}\n`).join(""),
    );
    const rejects = join(folder, "killed.ndjson");
    let kills = 0;
    for (const share of [0.1, 0.3, 0.5, 0.8]) {
      const running = start(account, "import", file, "--resume", "--rejects", rejects);
      while ((await doneLines(account)) < count * share) await sleep(2);
      running.kill("SIGKILL");
      if ((await running.ended).code === null) kills += 1;
    }
    const last = await run(account, "import", file, "--resume", "--rejects", rejects, "--json");
    const rejected = Math.ceil(count / 97);
    expect(kills).toBeGreaterThan(1);
    expect(JSON.parse(last.stdout)).toMatchObject({ imported: count - rejected, rejected, lines: count });
    const stored = await clientele.db("customers").whereLike("email", "k%@x.io").pluck("email");
    expect(stored).toHaveLength(count - rejected);
    expect(new Set(stored).size).toBe(count - rejected);
    const { rows: events } = await clientele.db.raw(
      "select count(*)::int, count(distinct resource_id)::int as distinct from events where tenant_id = (select tenant_id from imports where line = ?) and type = 'customer.created'",
      [count],
    );
    expect(events).toEqual([{ count: count - rejected, distinct: count - rejected }]);
    const lines = entriesOf(rejects).map(({ line }) => line);
    expect(lines).toEqual(Array.from({ length: count }, (_, index) => index + 1).filter((line) => bad(line - 1)));
  });

  // That makes more than 1000 rows a second on an idle machine. A busy one tells nothing by its time.
  test("imports 500 rows in a transaction", { timeout: 120_000 }, async () => {
    const account = await clientele.createAccount();
    const count = 5_000;
    const rows = Array.from({ length: count }, (_, index) => ({
      id: `rate-${index}`,
      email: `rate.${index}@example${index % 100}.com`,
      name: `Ada ${index.toString(36)} Lovelace`,
      firstName: "Ada",
      lastName: `Lovelace ${index}`,
      phone: "+50683236988",
      country: "Costa Rica",
      metadata: { plan: "gold", n: index },
      ...(index % 2 === 0 && {
        addresses: [
          { line1: `${index} Bagby Street`, city: "Houston", state: "TX", postalCode: "77002", country: "US" },
        ],
      }),
    }));
    const file = await fileOf(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const { stdout } = await run(account, "import", file, "--json");
    const { imported, rowsPerSecond } = JSON.parse(stdout);
    process.stdout.write(`imported ${rowsPerSecond} rows a second\n`);
    expect(imported).toBe(count);
    const writers = await clientele
      .db("customers")
      .whereLike("email", "rate.%")
      .distinct(clientele.db.raw("xmin::text"));
    // A row is written in a savepoint, of which each batch has one.
    expect(writers).toHaveLength(count / 500);
  });
});

type Argument = string | ReturnType<typeof createReadStream>;

function start(account: TestAccount, ...args: Argument[]) {
  const words = args.filter((arg) => typeof arg === "string");
  const input = args.find((arg) => typeof arg !== "string");
  return startCommand(clientele.databaseUrl, [...words, "--account", account.accountId], input);
}

async function run(account: TestAccount, ...args: Argument[]) {
  return await start(account, ...args).ended;
}

let files = 0;

async function fileOf(text: string): Promise<string> {
  files += 1;
  const path = join(folder, `${files}.ndjson`);
  await writeFile(path, text);
  return path;
}

async function doneLines({ accountId }: TestAccount): Promise<number> {
  const { rows } = await clientele.db.raw(
    "select line::int from imports join tenants using (tenant_id) where account_id = ? and not live_mode",
    [accountId],
  );
  return rows[0]?.line ?? 0;
}

function entriesOf(path: string): { line: number; reason: string }[] {
  return readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
