import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { PaymentMethodService, PaymentMethodState } from "../../gen/clientele/v1/payment_methods_pb.js";
import { type Clientele, type Clients, startClientele, type TestAccount } from "../support/clientele.js";
import { createCustomer } from "../support/customers.js";
import { failureOf } from "../support/errors.js";
import { type FarSystem, json, startFarSystem } from "../support/far-system.js";
import { attachPaymentMethod, newToken } from "../support/payment-methods.js";
import { createCheckout, guest } from "../support/purchases.js";
import { generousMs } from "../support/time.js";
import { overFetch } from "../support/ways.js";

const secret = "the-vaults-secret";
const card = { brand: "mastercard", last4: "4444", expMonth: 1, expYear: 2041 };

let log = "";
const logger = pino(
  { level: "trace" },
  new Writable({
    write(chunk, _encoding, done) {
      log += chunk;
      done();
    },
  }),
);
let vault: FarSystem;
let clientele: Clientele;
let account: TestAccount;
beforeAll(async () => {
  vault = await startFarSystem(json({ status: "OK", card }));
  const environment = { CLIENTELE_CARD_VAULT_URL: vault.url, CLIENTELE_CARD_VAULT_SECRET: secret };
  clientele = await startClientele({ logger }, { ...environment, CLIENTELE_CARD_VAULT_TIMEOUT_SECONDS: "20" });
  account = await clientele.createAccount();
});
beforeEach(() => {
  vault.behave(json({ status: "OK", card }));
  vault.received.length = 0;
});
afterAll(async () => {
  await clientele.stop();
  await vault[Symbol.asyncDispose]();
});

let made = 0;
function liveToken(): string {
  made += 1;
  return `cct_live_${made}`;
}

type Use = (by: Clients, customerId: string, id: string) => Promise<unknown>;
const uses: { name: string; use: Use }[] = [
  { name: "AttachPaymentMethod", use: (by, customerId, id) => attachPaymentMethod(by, customerId, { id }) },
  {
    name: "SetDefaultPaymentMethod",
    use: (by, customerId, id) => by.paymentMethods.setDefaultPaymentMethod({ customerId, id }),
  },
  { name: "CreateCheckout", use: (by, customerId, id) => createCheckout(by, { customerId, paymentMethodId: id }) },
  { name: "a guest's checkout", use: (by, _, id) => createCheckout(by, { ...guest(), paymentMethodId: id }) },
];

test.for(uses)("a live token is described by the vault in $name, a test token never", async ({ name, use }) => {
  const { id: customerId } = await createCustomer(account.live);
  const token = liveToken();
  await use(account.live, customerId, token);
  expect(vault.received.map(({ body }) => body)).toEqual([JSON.stringify({ token })]);
  if (name !== "a guest's checkout") {
    const { paymentMethod } = await account.live.paymentMethods.getPaymentMethod({ customerId, id: token });
    expect(paymentMethod).toMatchObject({ card, state: PaymentMethodState.CHARGEABLE });
  }
  await use(account.test, (await createCustomer(account.test)).id, newToken());
  expect(vault.received).toHaveLength(1);
});

const refusals = [
  { status: "DECLINED", want: { code: "FailedPrecondition", reason: "CARD_DECLINED", retryable: false } },
  { status: "UNKNOWN", want: { code: "NotFound", reason: "RESOURCE_NOT_FOUND", retryable: false } },
  { status: "OTHER", want: { code: "Unavailable", reason: "UNAVAILABLE", retryable: true } },
];

test.for(refusals.flatMap((refusal) => uses.map((use) => ({ ...refusal, ...use }))))(
  "a live token of which the vault says $status is refused by $name",
  async ({ status, want, use }) => {
    const { id: customerId } = await createCustomer(account.live);
    vault.behave(json({ status }));
    expect(await failureOf(use(account.live, customerId, liveToken()))).toMatchObject(want);
  },
);

test.for(uses)("the sandbox declines a card, and knows no other, in $name", async ({ use }) => {
  const { id: customerId } = await createCustomer(account.test);
  const declined = failureOf(use(account.test, customerId, newToken("declined")));
  expect(await declined).toMatchObject({ code: "FailedPrecondition", reason: "CARD_DECLINED" });
  const unknown = failureOf(use(account.test, customerId, newToken("unknown")));
  expect(await unknown).toMatchObject({ code: "NotFound", reason: "RESOURCE_NOT_FOUND" });
  expect((await account.test.paymentMethods.listPaymentMethods({ customerId })).paymentMethods).toEqual([]);
});

test.for(uses)("without a vault a live token is refused by $name, and a test token works", async ({ use }) => {
  await using without = await startClientele();
  const { live, test: sandbox } = await without.createAccount();
  const failure = await failureOf(use(live, (await createCustomer(live)).id, liveToken()));
  expect(failure).toMatchObject({ code: "FailedPrecondition", reason: "CARD_VAULT_MISSING" });
  await use(sandbox, (await createCustomer(sandbox)).id, newToken());
});

test("a call whose vault stalls is over at its deadline", async () => {
  const { id: customerId } = await createCustomer(account.live);
  vault.behave(() => {});
  const start = performance.now();
  // By hand, because a client that knows of the deadline would not wait for the answer.
  const call = overFetch(clientele.httpUrl, account.liveKey)(
    PaymentMethodService.method.attachPaymentMethod,
    { customerId, paymentMethod: { id: liveToken() } },
    { "connect-timeout-ms": "1000" },
  );
  expect(await failureOf(call)).toMatchObject({ code: "DeadlineExceeded" });
  expect(performance.now() - start).toBeLessThan(1_000 + generousMs);
});

test("a customer of somebody else costs the vault nothing", async () => {
  const { id: customerId } = await createCustomer(account.test);
  const failure = await failureOf(attachPaymentMethod(account.live, customerId, { id: liveToken() }));
  expect(failure).toMatchObject({ code: "NotFound" });
  expect(vault.received).toEqual([]);
});

test("after all this the log holds neither secret nor token nor card", () => {
  expect(log).toContain("card_vault");
  expect(log).not.toMatch(new RegExp(`${secret}|cct_live_\\w|mastercard|\\b4444\\b|OTHER`));
});
