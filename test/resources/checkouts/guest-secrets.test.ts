import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CheckoutService } from "../../../gen/clientele/v1/checkouts_pb.js";
import { OrderService } from "../../../gen/clientele/v1/orders_pb.js";
import { houston } from "../../support/addresses.js";
import type { Clients } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { dumpOf, tracesOf } from "../../support/dumps.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { newToken } from "../../support/payment-methods.js";
import { guest, url } from "../../support/purchases.js";
import { newPublishableKey, signInById } from "../../support/shoppers.js";
import { day, useTimedClientele } from "../../support/time.js";
import { type Call, overFetch, ways } from "../../support/ways.js";

const timed = useTimedClientele();
const { clientele } = timed;
const { createCheckout, getCheckout, updateCheckout, cancelCheckout } = CheckoutService.method;
const { createOrder } = OrderService.method;

let merchant: Clients;
let secretKey: string;
let liveKey: string;
let publishableKey: string;
let page: Call;
beforeAll(async () => {
  const account = await clientele.createAccount();
  [merchant, secretKey, liveKey] = [account.test, account.testKey, account.liveKey];
  publishableKey = await newPublishableKey(merchant);
  page = overFetch(clientele.httpUrl, publishableKey);
});
// A secret of a test before has ended.
beforeEach(() => timed.pass(2 * day));

interface Started {
  readonly id: string;
  readonly checkoutSecret: string;
}

async function start(by: Call = page, headers: Record<string, string> = {}): Promise<Started> {
  const answer = Object(await by(createCheckout, { checkout: { url, ...guest() } as JsonObject }, headers));
  return { id: answer.checkout.id, checkoutSecret: answer.checkoutSecret };
}

/** The calls that reach a checkout by its id and its secret. */
const calls: readonly { name: string; method: DescMethodUnary; request: (started: Started) => JsonObject }[] = [
  { name: "GetCheckout", method: getCheckout, request: (started) => ({ ...started }) },
  {
    name: "UpdateCheckout",
    method: updateCheckout,
    request: (started) => ({ ...started, checkout: { displayName: "Ada" } }),
  },
  { name: "CancelCheckout", method: cancelCheckout, request: (started) => ({ ...started }) },
  {
    name: "CreateOrder",
    method: createOrder,
    request: ({ id, checkoutSecret }) => ({ checkoutId: id, checkoutSecret }),
  },
];

describe.for(ways.filter(({ name }) => /JSON by fetch|internal port/.test(name)))("over $name, a page", ({ open }) => {
  let call: Call;
  beforeAll(() => {
    call = open(clientele, publishableKey);
  });

  test("reads, corrects and completes the guest checkout that it created", async () => {
    const started = await start(call);
    const { checkout } = Object(await call(getCheckout, { ...started }));
    expect(checkout).toMatchObject({ id: started.id, contact: { email: "guest@example.com" } });
    const correction = {
      contact: { email: "right@example.com" },
      shipping: { ...houston, line1: "2 Main St" },
      paymentMethodId: newToken(),
    } as JsonObject;
    const { checkout: corrected } = Object(await call(updateCheckout, { ...started, checkout: correction }));
    expect(corrected).toMatchObject({ contact: { email: "right@example.com" }, shipping: { line1: "2 Main St" } });
    const { order } = Object(
      await call(createOrder, {
        checkoutId: started.id,
        checkoutSecret: started.checkoutSecret,
        checkoutEtag: corrected.etag,
      }),
    );
    expect(order).toMatchObject({ checkoutId: started.id, contact: { email: "right@example.com" } });
    expect(order.customerId ?? "").toBe("");
  });

  test("cancels the guest checkout that it created", async () => {
    const started = await start(call);
    const { checkout } = Object(await call(cancelCheckout, { ...started }));
    expect(checkout.state).toBe("CHECKOUT_STATE_CANCELLED");
  });

  test("gets the secret of a checkout from its creation alone, and of a guest's alone", async () => {
    const started = await start(call);
    expect(started.checkoutSecret).toMatch(/^cs_[0-9a-z]{32}$/);
    for (const { method, request } of calls.slice(0, 2)) {
      expect(JSON.stringify(await call(method, request(started)))).not.toContain(started.checkoutSecret);
    }
    expect(tracesOf(started.checkoutSecret, await dumpOf(clientele.db))).toHaveLength(1);
  });
});

test("a retry of the creation under its Idempotency-Key is answered without the secret", async () => {
  const headers = { "idempotency-key": "start" };
  const checkout = { url, ...guest() } as JsonObject;
  const first = Object(await page(createCheckout, { checkout }, headers));
  const again = Object(await page(createCheckout, { checkout }, headers));
  expect(first.checkoutSecret).toMatch(/^cs_/);
  expect(again).toEqual({ checkout: first.checkout });
  const dump = await dumpOf(clientele.db);
  expect(dump).not.toContain(first.checkoutSecret);
  expect(dump).not.toContain(Buffer.from(first.checkoutSecret).toString("hex"));
});

test("a page changes what the guest typed, and not what is sold", async () => {
  const started = await start(overFetch(clientele.httpUrl, secretKey));
  const change = (checkout: JsonObject) => page(updateCheckout, { ...started, checkout });
  expect(await failureOf(change({ url: "https://evil.example/cheap" }))).toMatchObject({
    code: "PermissionDenied",
    reason: "FIELDS_NOT_PERMITTED",
  });
  await change({ url, contact: { email: "mended@example.com" } });
  const { checkout } = Object(await page(getCheckout, { ...started }));
  expect(checkout).toMatchObject({ url, contact: { email: "mended@example.com" } });
});

test("a secret key gets the secret of a guest's checkout, and none of a customer's", async () => {
  const started = await start(overFetch(clientele.httpUrl, secretKey));
  expect(Object(await page(getCheckout, { ...started })).checkout.id).toBe(started.id);
  const { id: customerId } = await createCustomer(merchant);
  const ofCustomer = await merchant.checkouts.createCheckout({ checkout: { url, customerId } });
  expect(ofCustomer.checkoutSecret).toBe("");
  const { secret } = await signInById(merchant, customerId);
  const shopper = overFetch(clientele.httpUrl, "");
  const byToken = Object(await shopper(createCheckout, { checkout: { url } }, bearer(secret)));
  expect(byToken.checkout.customerId).toBe(customerId);
  expect(byToken.checkoutSecret).toBeUndefined();
});

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe.for(calls)("$name answers as for an absent checkout", ({ method, request }) => {
  const absent = "chk_00000000000000000000000000";
  const send = (started: Started, key = publishableKey, headers = {}) =>
    failureOf(overFetch(clientele.httpUrl, key)(method, request(started), headers));
  /** Sends the same with the id of no checkout: both must fail alike. */
  async function expectAbsent(started: Started, key?: string, headers?: Record<string, string>): Promise<void> {
    const failure = await send(started, key, headers);
    expect(failure).toMatchObject({ code: "NotFound", reason: "RESOURCE_NOT_FOUND" });
    expect(failure).toEqual(await send({ ...started, id: absent }, key, headers));
    const { checkout } = await merchant.checkouts.getCheckout({ id: started.id });
    expect(checkout!.etag).toBe("v1");
  }

  test("to a page with no secret, with a wrong one, and with another checkout's", async () => {
    const [started, other] = [await start(), await start()];
    const wrong = started.checkoutSecret.slice(0, -1) + (started.checkoutSecret.endsWith("0") ? "1" : "0");
    for (const checkoutSecret of ["", wrong, "wrong", other.checkoutSecret]) {
      await expectAbsent({ id: started.id, checkoutSecret });
    }
  });

  test("to a page of another tenant, and of the other half of the account", async () => {
    const started = await start();
    const { test: stranger } = await clientele.createAccount();
    await expectAbsent(started, await newPublishableKey(stranger));
    await expectAbsent(started, liveKey);
  });

  test("to a secret key that gives a wrong secret", async () => {
    const [started, other] = [await start(), await start()];
    await expectAbsent({ id: started.id, checkoutSecret: other.checkoutSecret }, secretKey);
  });

  test("to a customer token, with the secret too", async () => {
    const started = await start();
    const { id } = await createCustomer(merchant);
    const { secret } = await signInById(merchant, id);
    await expectAbsent(started, "", bearer(secret));
    await expectAbsent({ ...started, checkoutSecret: "" }, "", bearer(secret));
  });

  test("to whoever gives a secret for a customer's checkout", async () => {
    const { checkoutSecret } = await start();
    const { id: customerId } = await createCustomer(merchant);
    const { checkout } = await merchant.checkouts.createCheckout({ checkout: { url, customerId } });
    for (const key of [publishableKey, secretKey]) await expectAbsent({ id: checkout!.id, checkoutSecret }, key);
  });

  test("once the checkout has expired", async () => {
    const started = await start();
    timed.pass(day - 1);
    if (method === getCheckout) await page(method, request(started));
    timed.pass(1);
    await expectAbsent(started);
  });
});

test("a page changes nothing of a checkout that is completed or cancelled, and still reads it", async () => {
  for (const [end, state] of [
    [createOrder, "CHECKOUT_STATE_COMPLETED"],
    [cancelCheckout, "CHECKOUT_STATE_CANCELLED"],
  ] as const) {
    const started = await start();
    const { request } = calls.find(({ method }) => method === end)!;
    await page(end, request(started));
    expect(Object(await page(getCheckout, { ...started })).checkout.state).toBe(state);
    for (const one of calls.filter(({ method }) => method !== getCheckout && method !== end)) {
      expect(await failureOf(page(one.method, one.request(started)))).toMatchObject({ reason: "CHECKOUT_NOT_PENDING" });
    }
  }
});

test("a page names no customer, and none of the merchant's tax identifiers, in a guest's checkout", async () => {
  const started = await start();
  const { id: customerId } = await createCustomer(merchant);
  const named = page(updateCheckout, { ...started, checkout: { customerId } });
  expect(await failureOf(named)).toMatchObject({ code: "PermissionDenied", reason: "ACCESS_DENIED" });
  const { taxIdentifier } = await merchant.taxIdentifiers.createTaxIdentifier({
    taxIdentifier: { type: "de_vat", value: "DE136695976" },
  });
  const taxed = page(updateCheckout, { ...started, checkout: { taxIdentifierIds: [taxIdentifier!.id] } });
  expect(await failureOf(taxed)).toMatchObject({ code: "NotFound" });
});

test("a secret key needs no secret, and checks the one that it passes on", async () => {
  const server = overFetch(clientele.httpUrl, secretKey);
  const started = await start();
  for (const checkoutSecret of ["", started.checkoutSecret]) {
    expect(Object(await server(getCheckout, { id: started.id, checkoutSecret })).checkout.id).toBe(started.id);
  }
});

test("a wrong secret waits for no lock on the checkout", async () => {
  const started = await start();
  const wrong = await start();
  const holder = await clientele.db.transaction();
  await holder("checkouts").where({ id: started.id }).forUpdate();
  const given = { id: started.id, checkoutSecret: wrong.checkoutSecret };
  for (const { method, request } of calls) {
    expect(await failureOf(page(method, request(given)))).toMatchObject({ code: "NotFound" });
  }
  await holder.rollback();
});

test("a repeated order under one Idempotency-Key is the first one, and asks for the same secret", async () => {
  const started = await start();
  const other = await start();
  const headers = { "idempotency-key": "order" };
  const request = { checkoutId: started.id, checkoutSecret: started.checkoutSecret };
  const first = await page(createOrder, request, headers);
  expect(await page(createOrder, request, headers)).toEqual(first);
  const stolen = page(createOrder, { ...request, checkoutSecret: other.checkoutSecret }, headers);
  expect(await failureOf(stolen)).toMatchObject({ reason: "IDEMPOTENCY_KEY_REUSED" });
});

test("of 50 pages that order one guest checkout with its secret one does", async () => {
  const { id: checkoutId, checkoutSecret } = await start();
  const callers = createCallers(clientele, publishableKey);
  const { answers, failures } = await allAtOnce(callers, ({ orders }) =>
    orders.createOrder({ checkoutId, checkoutSecret }),
  );
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(49).fill("CHECKOUT_NOT_PENDING"));
  expect(await clientele.db("orders").where({ checkout_id: checkoutId })).toHaveLength(1);
});

test("50 pages that order with one Idempotency-Key and the secret get the same order", async () => {
  const { id: checkoutId, checkoutSecret } = await start();
  const callers = createCallers(clientele, publishableKey);
  const headers = { "idempotency-key": "fifty" };
  const { answers, failures } = await allAtOnce(callers, ({ orders }) =>
    orders.createOrder({ checkoutId, checkoutSecret }, { headers }),
  );
  expect(failures).toEqual([]);
  expect(new Set(answers.map(({ order }) => order!.id)).size).toBe(1);
});
