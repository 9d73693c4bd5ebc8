import { scryptSync } from "node:crypto";
import { hash as argon2 } from "@node-rs/argon2";
import { hash as bcrypt } from "@node-rs/bcrypt";
import { beforeAll, expect, test } from "vitest";
import { type TestAccount, useClientele } from "../support/clientele.js";
import { getCustomer } from "../support/customers.js";
import { failureOf } from "../support/errors.js";
import { exportRows, importRows } from "../support/imports.js";
import { password, signIn } from "../support/shoppers.js";

let account: TestAccount;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
});

const salt = Buffer.from("salt of 16 bytes");
const scrypted = (log2: number) => {
  const key = scryptSync(password, salt, 32, { N: 2 ** log2, r: 8, p: 1, maxmem: 2 ** 28 });
  return `$scrypt$ln=${log2},r=8,p=1$${salt.toString("base64")}$${key.toString("base64")}`;
};
const cheap = { memoryCost: 8_192, timeCost: 1, parallelism: 2 };

const foreign: { name: string; id: string; hash: () => string | Promise<string> }[] = [
  { name: "bcrypt", id: "bcrypt", hash: () => bcrypt(password, 6) },
  { name: "bcrypt of PHP", id: "php", hash: async () => (await bcrypt(password, 6)).replace("$2b$", "$2y$") },
  { name: "scrypt", id: "scrypt", hash: () => scrypted(12) },
  {
    name: "scrypt without padding, a . for the +",
    id: "passlib",
    hash: () =>
      scrypted(11)
        .replace(/=+(?=\$|$)/g, "")
        .replaceAll("+", "."),
  },
  { name: "argon2id of other costs", id: "argon2id", hash: () => argon2(password, cheap) },
  { name: "argon2i", id: "argon2i", hash: () => argon2(password, { ...cheap, algorithm: 1 as never }) },
  { name: "argon2d", id: "argon2d", hash: () => argon2(password, { ...cheap, algorithm: 0 as never }) },
];

test.for(foreign)("a hash of $name signs in, and is ours from the first time on", async ({ id, hash }) => {
  const given = await hash();
  const email = `${id}@example.com`;
  const { done } = await importRows(clientele, account, [{ id, email, passwordHash: given }]);
  expect(done).toMatchObject({ imported: 1 });
  expect((await getCustomer(account.test, id)).hasPassword).toBe(true);
  const stored = async () => (await clientele.db("passwords").where({ customer_id: id }).first()).hash as string;
  expect(await stored()).toBe(given);
  expect(await failureOf(signIn(account.test, email, `${password}!`))).toMatchObject({ reason: "LOGIN_FAILED" });
  expect((await signIn(account.test, email)).token.customerId).toBe(id);
  expect(await stored()).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  expect((await signIn(account.test, email)).token.customerId).toBe(id);
});

const b64 = "c2FsdCBvZiAxNiBieXRlcw";
const key = "A".repeat(43);
const hostile = [
  { name: "argon2 of 4 GiB", hash: `$argon2id$v=19$m=4194304,t=1,p=1$${b64}$${key}` },
  { name: "argon2 of a thousand passes", hash: `$argon2id$v=19$m=65536,t=1000,p=1$${b64}$${key}` },
  { name: "argon2 of 99 lanes", hash: `$argon2id$v=19$m=65536,t=1,p=99$${b64}$${key}` },
  { name: "argon2 without a salt", hash: `$argon2id$v=19$m=19456,t=2,p=1$AA$${key}` },
  { name: "argon2 with a salt of 7 bytes", hash: `$argon2id$v=19$m=64,t=1,p=1$QzBhWerOLg$${key}` },
  { name: "argon2 with bits left over", hash: `$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAB$${key}` },
  { name: "argon2 with another alphabet", hash: `$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAA_w$${key}` },
  { name: "argon2 with a leading zero", hash: `$argon2id$v=19$m=064,t=1,p=1$${b64}$${key}` },
  { name: "scrypt with N beyond its r", hash: `$scrypt$ln=16,r=1,p=1$${b64}$${key}` },
  { name: "scrypt of many blocks", hash: `$scrypt$ln=1,r=999,p=500$${b64}$${key}` },
  { name: "bcrypt of cost 31", hash: `$2b$31$${"A".repeat(53)}` },
  { name: "bcrypt cut off", hash: `$2b$10$${"A".repeat(52)}` },
  { name: "scrypt of 2^30", hash: `$scrypt$ln=30,r=8,p=1$${b64}$${key}` },
  { name: "scrypt of a hundred lanes", hash: `$scrypt$ln=15,r=8,p=100$${b64}$${key}` },
  { name: "md5", hash: "5f4dcc3b5aa765d61d8327deb882cf99" },
  { name: "a very long text", hash: `$argon2id$v=19$m=19456,t=2,p=1$${b64}$${"A".repeat(10_000)}` },
  { name: "a password", hash: password },
];

test.for(hostile)("a hash of $name is refused with its row, and not quoted", async ({ hash }) => {
  const { done, rejections } = await importRows(clientele, account, [{ email: "h@example.com", passwordHash: hash }]);
  expect(done).toMatchObject({ imported: 0, rejected: 1 });
  expect(rejections).toMatchObject([{ reason: "FIELDS_INVALID", violations: [{ field: "password_hash" }] }]);
  expect(JSON.stringify(rejections)).not.toContain(hash);
});

test("a password itself is refused, and none is ever exported", async () => {
  const { rejections } = await importRows(clientele, account, [{ email: "p@example.com", password }]);
  expect(rejections).toMatchObject([{ violations: [{ field: "customer.password" }] }]);
  const exported = JSON.stringify(await exportRows(clientele, account));
  expect(exported).toContain("bcrypt@example.com");
  expect(exported).not.toMatch(/password|\$argon2|\$2b/i);
});
