import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readConfig } from "../src/config.js";
import { withSecretKey } from "../src/secret-key.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "clientele-key-"));
});
afterEach(() => rm(folder, { recursive: true }));

const keyOf = (environment: Record<string, string> = {}) =>
  withSecretKey(readConfig({ CLIENTELE_DATA_DIR: folder, ...environment })).secretKey?.toString();

test("a key is made beside the data, for nobody else to read, and is the same from then on", async () => {
  const made = keyOf();
  expect(made).toMatch(/^[\w-]{43}$/);
  expect((await stat(join(folder, "secret-key"))).mode & 0o777).toBe(0o600);
  expect(keyOf()).toBe(made);
});

test("a given key is used, and beside an external database none is made", async () => {
  const given = "0123456789abcdef0123456789abcdef";
  expect(keyOf({ CLIENTELE_SECRET_KEY: given })).toBe(given);
  expect(keyOf({ DATABASE_URL: "postgres://127.0.0.1/clientele" })).toBeUndefined();
  await expect(stat(join(folder, "secret-key"))).rejects.toThrow("ENOENT");
});

test("an empty file is no key", async () => {
  await writeFile(join(folder, "secret-key"), "");
  expect(() => keyOf()).toThrow("holds no key");
});
