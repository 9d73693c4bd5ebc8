import { createClient } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { type ApiKey, ApiKeyKind, ApiKeyService } from "../../../gen/clientele/v1/api_keys_pb.js";
import { hashOfKey } from "../../../src/rpc/calls/idempotency.js";
import { type Clients, clientsOn, transports, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
const clientele = useClientele({ clock: () => now });

interface Created {
  readonly apiKey: ApiKey;
  readonly secret: string;
}

async function createKey({ apiKeys }: Clients, kind = ApiKeyKind.SECRET, label = "The shop"): Promise<Created> {
  const { apiKey, secret } = await apiKeys.createApiKey({ apiKey: { kind, label } });
  return { apiKey: apiKey!, secret };
}

function clientsWith(secret: string): Clients {
  return clientsOn(transports["Connect in JSON"]!(clientele, secret));
}

const kinds = [
  { kind: ApiKeyKind.SECRET, live: false, prefix: "sk_test" },
  { kind: ApiKeyKind.SECRET, live: true, prefix: "sk_live" },
  { kind: ApiKeyKind.PUBLISHABLE, live: false, prefix: "pk_test" },
  { kind: ApiKeyKind.PUBLISHABLE, live: true, prefix: "pk_live" },
];

test.for(kinds)("a key $prefix is created and read back without its secret", async ({ kind, live, prefix }) => {
  const account = await clientele.createAccount();
  const by = live ? account.live : account.test;
  const { apiKey, secret } = await createKey(by, kind);
  expect(secret).toMatch(new RegExp(`^${prefix}_[0-9a-z]{26}[0-9a-z]{32}$`));
  expect(apiKey).toMatchObject({ kind, label: "The shop", last4: secret.slice(-4), liveMode: live });
  expect(apiKey.createTime!.seconds).toBe(BigInt(start.getTime() / 1000));
  expect(apiKey.revokeTime).toBeUndefined();
  expect(apiKey.id).toMatch(/^key_[0-9a-z]{26}$/);
  expect(await by.apiKeys.getApiKey({ id: apiKey.id })).toMatchObject({ apiKey });
  const { apiKeys } = await by.apiKeys.listApiKeys({});
  expect(apiKeys.map(({ label }) => label).sort()).toEqual(["The first key", "The shop"]);
  expect(apiKeys).toContainEqual(apiKey);
  expect(JSON.stringify(await clientele.db("api_keys").where({ id: apiKey.id }))).not.toContain(secret);
});

test("a secret key reaches its tenant, and its account shows which", async () => {
  const { accountId, live } = await clientele.createAccount();
  const { secret } = await createKey(live);
  const { account } = await clientsWith(secret).accounts.getAccount({});
  expect(account).toMatchObject({ id: accountId, liveMode: true });
});

test("a publishable key may do nothing that is a secret key's", async () => {
  const { test: clients } = await clientele.createAccount();
  const { secret } = await createKey(clients, ApiKeyKind.PUBLISHABLE);
  const { apiKeys, customers } = clientsWith(secret);
  const denied = { code: "PermissionDenied", reason: "ACCESS_DENIED" };
  expect(await failureOf(apiKeys.listApiKeys({}))).toMatchObject(denied);
  expect(await failureOf(apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } }))).toMatchObject(denied);
  expect(await failureOf(customers.listCustomers({}))).toMatchObject(denied);
});

const invalid = [
  { field: "api_key", apiKey: undefined },
  { field: "api_key.kind", apiKey: { label: "No kind" } },
  { field: "api_key.kind", apiKey: { kind: 99 as ApiKeyKind } },
  { field: "api_key.label", apiKey: { kind: ApiKeyKind.SECRET, label: "x".repeat(101) } },
  { field: "api_key.label", apiKey: { kind: ApiKeyKind.SECRET, label: "\0" } },
];

test.for(invalid)("a wrong $field is refused and named: $apiKey", async ({ field, apiKey }) => {
  const { test: clients } = await clientele.createAccount();
  const failure = await failureOf(clients.apiKeys.createApiKey(apiKey === undefined ? {} : { apiKey }));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
  expect(Object.keys(failure.fields)).toEqual([field]);
});

test("a revoked key is refused from the next call on, listed still, and answered when it is revoked again", async () => {
  const { test: clients } = await clientele.createAccount();
  const { apiKey, secret } = await createKey(clients);
  const revoked = clientsWith(secret);
  expect(await revoked.accounts.getAccount({})).toMatchObject({ account: { liveMode: false } });
  now = new Date(start.getTime() + 1000);
  const answer = await clients.apiKeys.revokeApiKey({ id: apiKey.id });
  now = start;
  expect(answer.apiKey).toMatchObject({ id: apiKey.id, revokeTime: { seconds: BigInt(start.getTime() / 1000 + 1) } });
  expect(answer.apiKey!.etag).not.toBe(apiKey.etag);
  expect(await failureOf(revoked.accounts.getAccount({}))).toMatchObject({
    code: "Unauthenticated",
    reason: "CREDENTIALS_INVALID",
  });
  expect((await clients.apiKeys.listApiKeys({})).apiKeys).toContainEqual(answer.apiKey);
  expect(await clients.apiKeys.getApiKey({ id: apiKey.id })).toMatchObject({ apiKey: answer.apiKey });
  expect(await clients.apiKeys.revokeApiKey({ id: apiKey.id })).toMatchObject({ apiKey: answer.apiKey });
});

test("a key can revoke itself", async () => {
  const { test: clients } = await clientele.createAccount();
  const { apiKey, secret } = await createKey(clients);
  const own = clientsWith(secret);
  expect(await own.apiKeys.revokeApiKey({ id: apiKey.id })).toMatchObject({ apiKey: { id: apiKey.id } });
  expect(await failureOf(own.accounts.getAccount({}))).toMatchObject({ reason: "CREDENTIALS_INVALID" });
});

test("a secret is shown once: an answer that is replayed has none", async () => {
  const { test: clients } = await clientele.createAccount();
  const headers = { "Idempotency-Key": "the-shop" };
  const create = () => clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } }, { headers });
  const [first, second] = [await create(), await create()];
  expect(second).toMatchObject({ apiKey: first.apiKey, secret: "" });
  expect(await clientsWith(first.secret).accounts.getAccount({})).toMatchObject({ account: { liveMode: false } });
  const stored = await clientele.db("idempotency_keys").where({ key_hash: hashOfKey("the-shop") });
  expect(stored.map(({ response }) => response.includes(first.secret))).toEqual([false]);
});

const calls: { name: string; call: (clients: Clients, id: string) => Promise<unknown> }[] = [
  { name: "get", call: ({ apiKeys }, id) => apiKeys.getApiKey({ id }) },
  { name: "revoke", call: ({ apiKeys }, id) => apiKeys.revokeApiKey({ id }) },
];

test.for(calls)("another tenant's key is not found by $name, as if it were absent", async ({ call }) => {
  const { test: own, live } = await clientele.createAccount();
  const { apiKey, secret } = await createKey(own);
  const failure = await failureOf(call(live, apiKey.id));
  expect(failure).toMatchObject({
    code: "NotFound",
    reason: "RESOURCE_NOT_FOUND",
    message: "The API key could not be found, please check the id.",
  });
  expect(failure).toEqual(await failureOf(call(own, "key_absent")));
  expect(await clientsWith(secret).apiKeys.getApiKey({ id: apiKey.id })).toMatchObject({ apiKey });
});

const wrongSecrets = [
  { name: "an unknown one", change: (secret: string) => `${secret.slice(0, -4)}0000` },
  { name: "one of no form", change: () => "sk_test_nonsense" },
  { name: "one of the other mode", change: (secret: string) => secret.replace("sk_test", "sk_live") },
  { name: "one of the other kind", change: (secret: string) => secret.replace("sk_test", "pk_test") },
  { name: "one in capital letters", change: (secret: string) => secret.toUpperCase() },
];

test.for(wrongSecrets)("$name is refused", async ({ change }) => {
  const { testKey } = await clientele.createAccount();
  const transport = transports["Connect in JSON"]!(clientele, change(testKey));
  expect(await failureOf(createClient(ApiKeyService, transport).listApiKeys({}))).toMatchObject({
    code: "Unauthenticated",
    reason: "CREDENTIALS_INVALID",
  });
});
