import { type DescMethodUnary, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { ApiKeyKind } from "../../gen/clientele/v1/api_keys_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { type TestAccount, useClientele } from "../support/clientele.js";
import { failureOf } from "../support/errors.js";
import { startReplica } from "../support/replica.js";
import { pathOf } from "../support/ways.js";
import { tinyPhoto } from "../support/world.js";

const shop = "https://shop.example";
const other = "https://other.example";
const consoleOrigin = "https://console.example";

let account: TestAccount;
let publishable: string;
const clientele = useClientele({}, { CLIENTELE_ALLOWED_ORIGINS: consoleOrigin });
beforeAll(async () => {
  account = await clientele.createAccount();
  publishable = await publishableKeyOf(account);
  await allowOrigins(account, [shop, "http://localhost:5173"]);
});

const allowOrigins = (of: TestAccount, allowedOrigins: string[]) =>
  of.test.accounts.updateAccountSettings({ settings: { allowedOrigins }, updateMask: { paths: ["allowed_origins"] } });

async function publishableKeyOf(of: TestAccount): Promise<string> {
  return (await of.test.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } })).secret;
}

/** What a page learns of a call: whether its browser lets it read the answer, and the answer. */
interface Seen {
  readonly readableBy: string | null;
  readonly vary: string | null;
  readonly exposed: string;
  readonly text: string;
}

/** One protocol as a browser speaks it. */
interface Protocol {
  readonly name: string;
  readonly send: (method: DescMethodUnary, request: JsonObject, headers: Record<string, string>) => Promise<Response>;
}

const post = (
  method: DescMethodUnary,
  type: string,
  body: NonNullable<RequestInit["body"]>,
  headers: Record<string, string>,
) => fetch(clientele.httpUrl + pathOf(method), { method: "POST", headers: { "content-type": type, ...headers }, body });
const bytesOf = (method: DescMethodUnary, request: JsonObject) =>
  Buffer.from(toBinary(method.input, fromJson(method.input, request)));

const protocols: readonly Protocol[] = [
  {
    name: "Connect in JSON",
    send: (method, request, headers) => post(method, "application/json", JSON.stringify(request), headers),
  },
  {
    name: "Connect in binary",
    send: (method, request, headers) => post(method, "application/proto", bytesOf(method, request), headers),
  },
  {
    name: "gRPC-Web",
    send(method, request, headers) {
      const message = bytesOf(method, request);
      const envelope = Buffer.alloc(5);
      envelope.writeUInt32BE(message.length, 1);
      return post(method, "application/grpc-web+proto", Buffer.concat([envelope, message]), {
        "x-grpc-web": "1",
        ...headers,
      });
    },
  },
];

const { createCustomer, getCustomer } = CustomerService.method;
let count = 0;
const newcomer = () => ({ customer: { email: `page${++count}@example.com` } });

async function seen(response: Promise<Response>): Promise<Seen> {
  const { headers, ...answer } = await response.then(async (got) => ({ headers: got.headers, text: await got.text() }));
  return {
    readableBy: headers.get("access-control-allow-origin"),
    vary: headers.get("vary"),
    exposed: (headers.get("access-control-expose-headers") ?? "").toLowerCase(),
    // gRPC-Web's trailers tell of a failure in binary.
    text: answer.text + (headers.get("grpc-message") ?? ""),
  };
}

describe.for(protocols)("over $name, a page", ({ send }) => {
  const call = (headers: Record<string, string>) => seen(send(createCustomer, newcomer(), headers));

  test("of an origin that the tenant lists may call with a publishable key", async () => {
    const answer = await call({ origin: shop, "api-key": publishable });
    expect(answer).toMatchObject({ readableBy: shop, vary: "Origin" });
    for (const name of ["grpc-status", "grpc-message", "grpc-status-details-bin"])
      expect(answer.exposed).toContain(name);
    expect(answer.text).toContain(`page${count}@example.com`);
  });

  test.for([other, `${shop}.evil.example`, `${shop}:8443`, "http://shop.example", "null"])(
    "of the origin %s may neither call nor read the refusal",
    async (origin) => {
      const answer = await call({ origin, "api-key": publishable });
      expect(answer.readableBy).toBeNull();
      expect(answer.text).toMatch(/allowed_origins of the account settings/);
      const { customers } = await account.test.customers.listCustomers({
        filter: `eq(email,page${count}@example.com)`,
      });
      expect(customers).toEqual([]);
    },
  );

  test("may read that its credentials are no longer valid, wherever it comes from", async () => {
    const answer = await call({ origin: other, "api-key": `${publishable.slice(0, -4)}0000` });
    expect(answer).toMatchObject({ readableBy: other, vary: "Origin" });
    expect(answer.text).toContain("The authentication credentials are not valid.");
  });

  test("may use a secret key from the operator's origins alone", async () => {
    for (const origin of [shop, other]) {
      const answer = await call({ origin, "api-key": account.testKey });
      expect(answer.readableBy).toBeNull();
      expect(answer.text).toContain("A secret key belongs on servers");
    }
    const answer = await call({ origin: consoleOrigin, "api-key": account.testKey });
    expect(answer.readableBy).toBe(consoleOrigin);
    expect(answer.text).toContain(`page${count}@example.com`);
  });

  test.for([
    { name: "the service's own", headers: () => ({ origin: clientele.httpUrl }) },
    { name: "the same one", headers: () => ({ origin: "https://proxied.example", "sec-fetch-site": "same-origin" }) },
  ])("of $name needs no entry in any list", async ({ headers }) => {
    const answer = await call({ ...headers(), "api-key": account.testKey });
    expect(answer.text).toContain(`page${count}@example.com`);
  });

  test("may use a customer token from the origins that the tenant lists alone", async () => {
    const { customer } = await account.test.customers.createCustomer(newcomer());
    const { secret } = await account.test.customerTokens.createCustomerToken({
      credential: { case: "customerId", value: customer!.id },
    });
    const read = (origin: string) =>
      seen(send(getCustomer, { id: customer!.id }, { origin, authorization: `Bearer ${secret}` }));
    expect(await read(shop)).toMatchObject({ readableBy: shop, text: expect.stringContaining(customer!.email!) });
    expect((await read(other)).readableBy).toBeNull();
    expect((await read(other)).text).not.toContain(customer!.email);
  });

  test("that is none, such as an app, needs no origin", async () => {
    const answer = await call({ "api-key": publishable });
    expect(answer).toMatchObject({ readableBy: null, vary: "Origin" });
    expect(answer.text).toContain(`page${count}@example.com`);
  });
});

test("a preflight of any origin lists what a page may send, and tells nothing of tenants", async () => {
  const asked = { "access-control-request-method": "POST", "access-control-request-headers": "x-customer-token" };
  const preflights = await Promise.all(
    [shop, other].map((origin) =>
      fetch(clientele.httpUrl + pathOf(createCustomer), { method: "OPTIONS", headers: { origin, ...asked } }),
    ),
  );
  const [listed, unlisted] = preflights.map(({ status, headers }) => {
    const { date: _, "access-control-allow-origin": readableBy, ...rest } = Object.fromEntries(headers);
    return { status, readableBy, rest };
  });
  expect(listed).toMatchObject({ status: 204, readableBy: shop, rest: { vary: "Origin" } });
  expect(unlisted).toEqual({ ...listed, readableBy: other });
  expect(listed!.rest["access-control-allow-headers"]?.toLowerCase()).toContain("x-customer-token");
  expect(listed!.rest["access-control-allow-credentials"]).toBeUndefined();
});

test("the answer to a public method is kept from pages of other origins", async () => {
  const check = (origin: string) =>
    seen(
      fetch(`${clientele.httpUrl}/grpc.health.v1.Health/Check`, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: "{}",
      }),
    );
  expect(await check(shop)).toMatchObject({ readableBy: null, text: expect.stringContaining("SERVING") });
  expect(await check(consoleOrigin)).toMatchObject({ readableBy: consoleOrigin });
});

test("the list of one tenant says nothing of another's, nor of the other half of the account", async () => {
  const stranger = await clientele.createAccount();
  const key = await publishableKeyOf(stranger);
  const live = (await account.live.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } })).secret;
  for (const apiKey of [key, live]) {
    const answer = await seen(protocols[0]!.send(createCustomer, newcomer(), { origin: shop, "api-key": apiKey }));
    expect(answer).toMatchObject({ readableBy: null, text: expect.stringContaining("ORIGIN_NOT_ALLOWED") });
  }
});

test("an origin that is taken from the list is refused at once, and by every other replica soon", async () => {
  await using replica = await startReplica(clientele);
  const merchant = await clientele.createAccount();
  await allowOrigins(merchant, [shop]);
  const key = await publishableKeyOf(merchant);
  const from = async (url: string) => {
    const headers = { "content-type": "application/json", origin: shop, "api-key": key };
    const body = JSON.stringify(newcomer());
    return (await fetch(url + pathOf(createCustomer), { method: "POST", headers, body })).status;
  };
  expect([await from(clientele.httpUrl), await from(replica.httpUrl)]).toEqual([200, 200]);
  await allowOrigins(merchant, []);
  expect(await from(clientele.httpUrl)).toBe(403);
  await vi.waitFor(async () => expect(await from(replica.httpUrl)).toBe(403), 5_000);
});

test("a form is posted from the origins that may call", async () => {
  const { customer } = await account.test.customers.createCustomer({ customer: { email: "form@example.com" } });
  const upload = (origin: string) => {
    const body = new FormData();
    body.append("photo", new Blob([Buffer.from(tinyPhoto, "base64")]), "photo.png");
    const url = `${clientele.httpUrl}/v1/customers/${customer!.id}/photo`;
    return fetch(url, { method: "POST", headers: { "api-key": account.testKey, origin }, body });
  };
  const [refused, accepted] = [await upload(shop), await upload(consoleOrigin)];
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([403, null]);
  expect([accepted.status, accepted.headers.get("access-control-allow-origin")]).toEqual([200, consoleOrigin]);
  const { customer: shown } = (await accepted.json()) as { customer: { photoUrl: string } };
  const photo = await fetch(shown.photoUrl, { headers: { origin: other } });
  expect([photo.status, photo.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
});

describe("the list of origins", () => {
  test.for([
    "https://shop.example",
    "https://shop.example:8443",
    "https://xn--bcher-kva.example",
    "http://localhost:5173",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
    "http://shop.localhost",
  ])("holds %s", async (origin) => {
    const { settings } = await allowOrigins(await clientele.createAccount(), [origin]);
    expect(settings!.allowedOrigins).toEqual([origin]);
  });

  test.for([
    "*",
    "null",
    "",
    "shop.example",
    "https://",
    "https://shop.example/",
    "https://shop.example/cart",
    "https://shop.example:443",
    "https://SHOP.example",
    "https://bücher.example",
    "https://*.shop.example",
    "https://user@shop.example",
    "https://shop.example?x=1",
    "http://shop.example",
    "http://192.168.0.7",
    "ftp://shop.example",
    "file://",
    "chrome-extension://abcdefghijklmnop",
    " https://shop.example",
  ])("refuses '%s'", async (origin) => {
    const { test: clients } = await clientele.createAccount();
    const settings = { allowedOrigins: [shop, origin] };
    const failure = await failureOf(clients.accounts.updateAccountSettings({ settings }));
    expect(failure.fields).toEqual({ "settings.allowed_origins[1]": "must be an origin such as https://shop.example" });
  });

  test("has 50 entries at most, each once", async () => {
    const merchant = await clientele.createAccount();
    const many = Array.from({ length: 51 }, (_, index) => `https://shop${index}.example`);
    await allowOrigins(merchant, many.slice(1));
    expect(await failureOf(allowOrigins(merchant, many))).toMatchObject({ reason: "FIELDS_INVALID" });
    expect(await failureOf(allowOrigins(merchant, [shop, shop]))).toMatchObject({ reason: "FIELDS_INVALID" });
  });

  test("is empty for every preset, and kept by each", async () => {
    const merchant = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
    const { settings } = await merchant.test.accounts.getAccountSettings({});
    expect(settings!.allowedOrigins).toEqual([]);
    await allowOrigins(merchant, [shop]);
    const { updateAccountSettings } = merchant.test.accounts;
    const { settings: refilled } = await updateAccountSettings({ settings: { preset: SettingsPreset.ELASTIC_PATH } });
    expect(refilled).toMatchObject({ allowedOrigins: [shop], requiredCustomerFields: ["name", "email"] });
  });
});
