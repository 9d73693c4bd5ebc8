import { beforeAll, describe, expect, test, vi } from "vitest";
import { AccountService } from "../../../gen/clientele/v1/accounts_pb.js";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { Health } from "../../../gen/grpc/health/v1/health_pb.js";
import { accessOf } from "../../../src/access.js";
import { services } from "../../../src/routes.js";
import { clientsOn, type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { startReplica } from "../../support/replica.js";
import { overFetch, ways } from "../../support/ways.js";

const { getAccount } = AccountService.method;
const missing = {
  code: "Unauthenticated",
  reason: "CREDENTIALS_MISSING",
  message: "Authentication credentials were not provided.",
};
const invalid = { code: "Unauthenticated", reason: "CREDENTIALS_INVALID" };

let account: TestAccount;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
});

const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`;

/** Calls GetAccount with these header fields and no other credential. */
function getAccountWith(headers: Record<string, string>, at = clientele) {
  return overFetch(at.httpUrl, "")(getAccount, {}, headers);
}

const forms: { name: string; headers: (key: string) => Record<string, string> }[] = [
  { name: "the user of HTTP Basic with an empty password", headers: (key) => ({ authorization: basic(`${key}:`) }) },
  { name: "the user of HTTP Basic without a password", headers: (key) => ({ authorization: basic(key) }) },
  { name: "a Bearer token", headers: (key) => ({ authorization: `Bearer ${key}` }) },
  { name: "a bearer token, spelled in lower case", headers: (key) => ({ authorization: `bearer ${key}` }) },
  { name: "api-key", headers: (key) => ({ "api-key": key }) },
  { name: "x-api-key", headers: (key) => ({ "api-key": "", "x-api-key": key }) },
  { name: "the same key in two places", headers: (key) => ({ "api-key": key, authorization: `Bearer ${key}` }) },
];

describe.for(forms)("a key given as $name", ({ headers }) => {
  test("is accepted, and reaches its own tenant", async () => {
    expect(await getAccountWith(headers(account.testKey))).toMatchObject({ account: { id: account.accountId } });
    expect(await getAccountWith(headers(account.liveKey))).toMatchObject({ account: { liveMode: true } });
  });

  test("is refused when nobody has it", async () => {
    const unknown = `${account.testKey.slice(0, -1)}${account.testKey.endsWith("0") ? "1" : "0"}`;
    expect(await failureOf(getAccountWith(headers(unknown)))).toMatchObject(invalid);
  });
});

test.for(["GET", "POST"])("no cache keeps an answer to %s, which is that of one credential", async (method) => {
  const path = `${clientele.httpUrl}/clientele.v1.AccountService/GetAccount`;
  const sent =
    method === "GET"
      ? { url: `${path}?connect=v1&encoding=json&message=%7B%7D`, init: {} }
      : { url: path, init: { method, body: "{}" } };
  for (const key of [account.testKey, "sk_test_no"]) {
    const headers = { "content-type": "application/json", "api-key": key };
    const answer = await fetch(sent.url, { ...sent.init, headers });
    expect(answer.status).toBe(key === account.testKey ? 200 : 401);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    await answer.text();
  }
});

test.for(ways)("a key is needed over $name", async ({ open }) => {
  expect(await failureOf(open(clientele, "")(getAccount, {}))).toMatchObject(missing);
  expect(await failureOf(open(clientele, "sk_test_no")(getAccount, {}))).toMatchObject(invalid);
  expect(await open(clientele, account.testKey)(getAccount, {})).toMatchObject({ account: { id: account.accountId } });
});

const broken: { name: string; headers: (key: string) => Record<string, string>; want: object }[] = [
  { name: "nothing", headers: () => ({}), want: missing },
  { name: "an empty header", headers: () => ({ "x-api-key": "" }), want: missing },
  { name: "an empty user", headers: () => ({ authorization: basic(":") }), want: missing },
  { name: "a word", headers: () => ({ "api-key": "letmein" }), want: invalid },
  { name: "a key with a space", headers: (key) => ({ "api-key": `${key} ${key}` }), want: invalid },
  { name: "a key in upper case", headers: (key) => ({ "api-key": key.toUpperCase() }), want: invalid },
  {
    name: "a key that says it is live",
    headers: (key) => ({ "api-key": key.replace("_test_", "_live_") }),
    want: invalid,
  },
  {
    name: "a key that says it is publishable",
    headers: (key) => ({ "api-key": key.replace("sk_", "pk_") }),
    want: invalid,
  },
  { name: "a very long key", headers: (key) => ({ "api-key": key.repeat(100) }), want: invalid },
  { name: "half a key", headers: (key) => ({ "api-key": key.slice(0, 20) }), want: invalid },
  { name: "HTTP Basic with a password", headers: (key) => ({ authorization: basic(`${key}:secret`) }), want: invalid },
  { name: "HTTP Basic that is no base64", headers: () => ({ authorization: "Basic %%%" }), want: missing },
  { name: "an authorization without a scheme", headers: (key) => ({ authorization: key }), want: invalid },
  { name: "another scheme", headers: (key) => ({ authorization: `Digest ${key}` }), want: invalid },
  { name: "a Bearer without a token", headers: () => ({ authorization: "Bearer" }), want: invalid },
  {
    name: "two different keys",
    headers: (key) => ({ "api-key": key, "x-api-key": account.liveKey }),
    want: { ...invalid, message: "The request carries two different credentials." },
  },
  {
    name: "two different keys, one of them as Basic",
    headers: (key) => ({ authorization: basic(`${account.liveKey}:`), "api-key": key }),
    want: invalid,
  },
];

test.for(broken)("$name is refused, and no key stands in the answer", async ({ headers, want }) => {
  const failure = await failureOf(getAccountWith(headers(account.testKey)));
  expect(failure).toMatchObject(want);
  expect(JSON.stringify(failure)).not.toMatch(/[sp]k_(test|live)_/i);
});

describe("a revoked key", () => {
  test("is refused at once by the replica that revoked it, and within a second by every other", async () => {
    await using other = await startReplica(clientele);
    const { apiKey, secret } = await account.test.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } });
    for (const at of [clientele, other]) await getAccountWith({ "api-key": secret }, at);
    await account.test.apiKeys.revokeApiKey({ id: apiKey!.id });
    expect(await failureOf(getAccountWith({ "api-key": secret }))).toMatchObject(invalid);
    await vi.waitFor(() => expect(getAccountWith({ "api-key": secret }, other)).rejects.toThrow(), 1_000);
    expect(await failureOf(getAccountWith({ "api-key": secret }, other))).toMatchObject(invalid);
  });

  test("can have revoked itself", async () => {
    const { apiKey, secret } = await account.test.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } });
    const own = clientsOn(transports["Connect in binary"]!(clientele, secret));
    await own.apiKeys.revokeApiKey({ id: apiKey!.id });
    expect(await failureOf(own.accounts.getAccount({}))).toMatchObject(invalid);
  });
});

test("a method or service outside of the table is denied to everybody", () => {
  const { getAccount: known } = AccountService.method;
  const unnamed = [
    { ...known, localName: "dropAccount" },
    { ...known, localName: "constructor" },
    { ...known, parent: { ...AccountService, typeName: "clientele.v1.NoService" } },
  ];
  for (const method of unnamed) expect(accessOf(method)).toEqual({ callers: [] });
});

test("only health and reflection are public", () => {
  expect(accessOf(Health.method.check).callers).toEqual(["public"]);
  const open = services
    .flatMap(({ methods }) => methods)
    .filter((method) => accessOf(method).callers.includes("public"));
  expect(open).toEqual([]);
});
