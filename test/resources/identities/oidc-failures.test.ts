import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import {
  type CreateCustomerTokenResponse,
  CustomerTokenService,
} from "../../../gen/clientele/v1/customer_tokens_pb.js";
import { startCrookedProvider } from "../../support/crooked-provider.js";
import { failureOf } from "../../support/errors.js";
import { type Authorization, authorize } from "../../support/oidc.js";
import { customersOf, type Mall, openMall } from "../../support/shop.js";
import { overFetch } from "../../support/ways.js";

let mall: Mall;
beforeAll(async () => {
  mall = await openMall();
});
afterAll(async () => await mall[Symbol.asyncDispose]());

/** Whose tokens were made, and why none was. */
async function sortedOut(outcomes: readonly PromiseSettledResult<CreateCustomerTokenResponse>[]) {
  const [owners, reasons]: [string[], string[]] = [[], []];
  for (const outcome of outcomes) {
    if (outcome.status === "fulfilled") owners.push(outcome.value.customerToken!.customerId);
    else reasons.push((await failureOf(Promise.reject(outcome.reason))).reason);
  }
  expect(owners.length).toBeGreaterThan(0);
  return { owners, reasons };
}

describe("at the same time", () => {
  const codes = (subject: string) =>
    Promise.all(Array.from({ length: 50 }, () => authorize(mall.provider.issuer, subject)));

  test.for([SettingsPreset.OPEN, SettingsPreset.ELASTIC_PATH])(
    "fifty first sign-ins of one person make one customer (%s)",
    async (preset) => {
      const shop = await mall.newShop(preset);
      const outcomes = await Promise.allSettled((await codes(mall.person())).map(shop.redeem));
      const { owners, reasons } = await sortedOut(outcomes);
      // They are many, and it is one provider: somebody may have to come again.
      expect(reasons.filter((reason) => reason !== "UNAVAILABLE")).toEqual([]);
      expect((await customersOf(shop.account)).map(({ id }) => id)).toEqual([...new Set(owners)]);
    },
  );

  test("fifty first sign-ins of fifty persons with one address give it to one of them", async () => {
    const shop = await mall.newShop();
    const { customer } = await shop.account.test.customers.createCustomer({
      customer: { email: "wanted@example.com" },
    });
    const people = Array.from({ length: 50 }, () => mall.person({ email: "wanted@example.com" }));
    const grants = await Promise.all(people.map((subject) => authorize(mall.provider.issuer, subject)));
    const outcomes = await Promise.allSettled(grants.map(shop.redeem));
    const { owners, reasons } = await sortedOut(outcomes);
    expect(owners).toEqual([customer!.id]);
    expect(reasons.filter((reason) => !/^(IDENTITY_NOT_LINKED|UNAVAILABLE)$/.test(reason))).toEqual([]);
  });

  test("fifty calls with one code make one customer at most", async () => {
    const shop = await mall.newShop();
    const authorization = await authorize(mall.provider.issuer, mall.person());
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => shop.redeem(authorization)));
    const { owners, reasons } = await sortedOut(outcomes);
    expect(reasons.filter((reason) => reason !== "IDENTITY_NOT_CONFIRMED")).toEqual([]);
    expect((await customersOf(shop.account)).map(({ id }) => id)).toEqual([...new Set(owners)]);
  });
});

describe("a sign-in is refused", () => {
  const changes: Record<string, { change: Partial<Authorization> & { provider?: string }; want: object }> = {
    "with another verifier": {
      change: { codeVerifier: "x".repeat(43) },
      want: { code: "Unauthenticated", reason: "IDENTITY_NOT_CONFIRMED" },
    },
    "with another nonce": { change: { nonce: "other" }, want: { reason: "IDENTITY_NOT_CONFIRMED" } },
    "with a code of nobody": { change: { code: "nobodys" }, want: { reason: "IDENTITY_NOT_CONFIRMED" } },
    "at a provider that the settings do not name": {
      change: { provider: "elsewhere" },
      want: { reason: "IDENTITY_PROVIDER_UNKNOWN" },
    },
    "with a redirect URI that has a query": {
      change: { redirectUri: "https://shop.example/callback?a=1" },
      want: { reason: "FIELDS_INVALID" },
    },
    "with a redirect URI that is none": { change: { redirectUri: "nonsense" }, want: { reason: "FIELDS_INVALID" } },
  };
  test.for(Object.entries(changes))("%s", async ([, { change, want }]) => {
    const shop = await mall.newShop();
    const authorization = await authorize(mall.provider.issuer, mall.person());
    expect(await failureOf(shop.redeem({ ...authorization, ...change }))).toMatchObject(want);
    expect(await customersOf(shop.account)).toEqual([]);
  });

  test("with a code that was used", async () => {
    const shop = await mall.newShop();
    const authorization = await authorize(mall.provider.issuer, mall.person());
    await shop.redeem(authorization);
    expect(await failureOf(shop.redeem(authorization))).toMatchObject({ reason: "IDENTITY_NOT_CONFIRMED" });
  });

  test("in a tenant that names no provider, such as the other half of the account", async () => {
    const { account } = await mall.newShop();
    const value = { provider: "home", ...(await authorize(mall.provider.issuer, mall.person())) };
    const call = account.live.customerTokens.createCustomerToken({ credential: { case: "authorizationCode", value } });
    expect(await failureOf(call)).toMatchObject({ reason: "IDENTITY_PROVIDER_UNKNOWN" });
  });
});

test("a provider that cannot be reached is UNAVAILABLE, and to be tried again", async () => {
  const shop = await mall.newShop();
  const authorization = await authorize(mall.provider.issuer, mall.person());
  const restore = await mall.provider.breakDown();
  const outage = await failureOf(shop.redeem(authorization)).finally(restore);
  expect(outage).toMatchObject({ code: "Unavailable", retryable: true });
  expect((await shop.redeem(authorization)).secret).toMatch(/^ct_test_/);
});

test("a provider that says nothing is UNAVAILABLE before the deadline, and holds no connection to the database", async () => {
  await using silent = await startCrookedProvider();
  silent.instead.set("/token", () => {});
  const shop = await mall.newShop(SettingsPreset.OPEN, {}, silent.issuer);
  const authorization = {
    code: "c",
    codeVerifier: "v".repeat(43),
    redirectUri: "https://shop.example/callback",
    nonce: "n",
  };
  const waiting = Array.from({ length: 20 }, () => failureOf(shop.redeem(authorization)));
  const start = performance.now();
  await customersOf(shop.account);
  expect(performance.now() - start).toBeLessThan(2_000);
  for (const failure of await Promise.all(waiting))
    expect(failure).toMatchObject({ code: "Unavailable", retryable: true });
});

test("an Idempotency-Key gives the first answer again, without its secret, and asks nobody", async () => {
  const shop = await mall.newShop();
  const authorizationCode = { provider: "home", ...(await authorize(mall.provider.issuer, mall.person())) };
  const call = () =>
    overFetch(mall.clientele.httpUrl, shop.publishable)(
      CustomerTokenService.method.createCustomerToken,
      { authorizationCode },
      { "idempotency-key": "one" },
    );
  const { customerToken } = Object(await call());
  const restore = await mall.provider.breakDown();
  expect(await call().finally(restore)).toEqual({ customerToken });
});
