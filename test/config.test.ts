import { expect, test } from "vitest";
import { readConfig } from "../src/config.js";

const given = {
  CLIENTELE_CARD_VAULT_URL: "https://vault.example/v1",
  CLIENTELE_CARD_VAULT_SECRET: "s3cret",
};

test("without its variables there is no card vault, and with them it is asked for two seconds", () => {
  expect(readConfig({}).cardVault).toBeUndefined();
  expect(readConfig(given).cardVault).toEqual({ url: "https://vault.example/v1", secret: "s3cret", timeoutMs: 2_000 });
  const patient = readConfig({ ...given, CLIENTELE_CARD_VAULT_TIMEOUT_SECONDS: "0.5" });
  expect(patient.cardVault).toMatchObject({ timeoutMs: 500 });
});

test.for(["http://localhost:9000", "http://127.0.0.1:9000/v1", "http://[::1]:9000/"])(
  "a vault of this machine may speak clear text at %s",
  (url) => {
    expect(readConfig({ ...given, CLIENTELE_CARD_VAULT_URL: url }).cardVault).toMatchObject({ url });
  },
);

const wrong = [
  { name: "clear text to another machine", change: { CLIENTELE_CARD_VAULT_URL: "http://vault.example" } },
  { name: "clear text to a name that begins alike", change: { CLIENTELE_CARD_VAULT_URL: "http://localhost.example" } },
  { name: "a secret in the URL", change: { CLIENTELE_CARD_VAULT_URL: "https://user:s3cret@vault.example" } },
  { name: "a query", change: { CLIENTELE_CARD_VAULT_URL: "https://vault.example/?a=1" } },
  { name: "no secret", change: { CLIENTELE_CARD_VAULT_SECRET: "" } },
  { name: "no URL", change: { CLIENTELE_CARD_VAULT_URL: "" } },
  { name: "no time", change: { CLIENTELE_CARD_VAULT_TIMEOUT_SECONDS: "0" } },
];

test.for(wrong)("a vault with $name is refused, and the secret is not repeated", ({ change }) => {
  const read = () => readConfig({ ...given, ...change });
  expect(read).toThrow(/^The environment is not usable:\n {2}CLIENTELE_CARD_VAULT_/);
  expect(read).not.toThrow(/s3cret/);
});

test("the URL of migrations needs that of the database", () => {
  const CLIENTELE_MIGRATION_URL = "postgres://postgres.example/shop";
  expect(() => readConfig({ CLIENTELE_MIGRATION_URL })).toThrow("CLIENTELE_MIGRATION_URL: needs DATABASE_URL");
  const DATABASE_URL = "postgres://pooler.example/shop";
  expect(readConfig({ DATABASE_URL, CLIENTELE_MIGRATION_URL })).toMatchObject({
    migrationUrl: CLIENTELE_MIGRATION_URL,
  });
});

test("there is one worker unless more are asked for, each with a connection", () => {
  expect(readConfig({}).workers).toBe(1);
  expect(readConfig({ CLIENTELE_WORKERS: "4" }).workers).toBe(4);
  expect(readConfig({ CLIENTELE_WORKERS: "auto" }).workers).toBeGreaterThanOrEqual(1);
  expect(readConfig({ CLIENTELE_WORKERS: "auto", CLIENTELE_POOL_SIZE: "1" }).workers).toBe(1);
});

test.for(["0", "-1", "1.5", "many", "11"])("%s workers are refused", (CLIENTELE_WORKERS) => {
  expect(() => readConfig({ CLIENTELE_WORKERS })).toThrow("CLIENTELE_WORKERS: must be");
});
