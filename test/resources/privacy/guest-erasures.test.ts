import { randomBytes } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CheckoutState, ResolutionSource } from "../../../gen/clientele/v1/checkouts_pb.js";
import { ErasureState, PrivacyService } from "../../../gen/clientele/v1/privacy_pb.js";
import { houston } from "../../support/addresses.js";
import type { Clients } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { dumpOf, pgDumpOf, tracesOf } from "../../support/dumps.js";
import { failureOf } from "../../support/errors.js";
import { newToken } from "../../support/payment-methods.js";
import { createCheckout, url } from "../../support/purchases.js";
import { clientsWith, newPublishableKey, signInById } from "../../support/shoppers.js";
import { day, useTimedClientele } from "../../support/time.js";
import { ways } from "../../support/ways.js";

const timed = useTimedClientele();
const { clientele } = timed;
const runJob = () => timed.runJob("erase_customers");
// Every test begins a month later, so that nothing of another is due in it.
beforeEach(() => timed.pass(31 * day));

let clients: Clients;
let testKey: string;
beforeAll(async () => {
  ({ test: clients, testKey } = await clientele.createAccount());
});

const newEmail = () => `Guest.${randomBytes(6).toString("hex")}@Example.com`;
const eraseGuest = async (email: string, by = clients) => (await by.privacy.requestErasure({ email })).erasure!;
const countsOf = (erased: readonly { table: string; count: number }[]) =>
  Object.fromEntries(erased.map(({ table, count }) => [table, count]));

/** A guest who has ordered once, after a correction, and has another checkout open; and the values that tell of the guest. */
async function newGuest(email = newEmail()) {
  const unique = randomBytes(6).toString("hex");
  const values: string[] = [email];
  const say = (value: string) => {
    values.push(value);
    return value;
  };
  const keyed = (key: string) => ({ headers: { "idempotency-key": `${key}-${unique}` } });
  const addressOf = (kind: string) => ({
    ...houston,
    line1: say(`${kind} ${unique}`),
    name: say(`${kind} of ${unique}`),
  });
  const input = (address: string, kind: string) => ({
    url: say(`https://shop.example/${kind}/${unique}`),
    contact: { email: address, name: say(`${kind} name ${unique}`), phone: "+12025550123" },
    shipping: addressOf(`${kind} home`),
    billing: addressOf(`${kind} office`),
    displayName: say(`${kind} called ${unique}`),
    paymentMethodId: say(newToken()),
    locale: "en_US",
  });
  const mistyped = say(`mistyped.${unique}@example.com`);
  const { checkout: bought, checkoutSecret } = await clients.checkouts.createCheckout(
    { checkout: input(mistyped, "bought") },
    keyed("bought"),
  );
  const correction = { id: bought!.id, checkout: { contact: { email } } };
  await clients.checkouts.updateCheckout(correction, keyed("correction"));
  const { order } = await clients.orders.createOrder({ checkoutId: bought!.id }, keyed("order"));
  const left = input(email, "open");
  const { checkout: open } = await clients.checkouts.createCheckout({ checkout: left }, keyed("open"));
  return { email, values, bought: bought!, order: order!, open: open!, checkoutSecret, retry: { left, keyed } };
}

test("a guest who is forgotten leaves no value, in no form, in a dump of the whole database", async () => {
  const guest = await newGuest();
  const before = await dumpOf(clientele.db);
  for (const value of guest.values) expect(tracesOf(value, before), value).not.toEqual([]);
  await eraseGuest(guest.email);
  const after = await dumpOf(clientele.db);
  const dumped = await pgDumpOf(clientele.databaseUrl);
  for (const value of guest.values) {
    expect(tracesOf(value, after), value).toEqual([]);
    if (dumped !== undefined) expect(dumped, value).not.toContain(value);
  }
});

test("the orders of a forgotten guest stay, without the person, and an open checkout is cancelled", async () => {
  const { email, order, bought, open } = await newGuest();
  await eraseGuest(email);
  const { id, checkoutId, createTime } = order;
  const { order: kept } = await clients.orders.getOrder({ id });
  expect(kept).toMatchObject({ id, checkoutId, createTime, customerId: "", displayName: "", url: "" });
  expect([kept!.contact?.email, kept!.shipping?.line1, kept!.billing, kept!.paymentMethod?.card]).toEqual(
    Array(4).fill(undefined),
  );
  for (const [{ id }, state] of [
    [bought, CheckoutState.COMPLETED],
    [open, CheckoutState.CANCELLED],
  ] as const) {
    const { checkout } = await clients.checkouts.getCheckout({ id });
    expect(checkout).toMatchObject({ state, displayName: "", url: "" });
    expect([checkout!.contact?.email, checkout!.shipping, checkout!.billing, checkout!.paymentMethod]).toEqual(
      Array(4).fill(undefined),
    );
    expect(checkout!.resolutions.map(({ source }) => source)).toContain(ResolutionSource.REQUEST);
  }
  const events = await clientele.db("events").whereIn("resource_id", [bought.id, open.id, id]).orderBy("position");
  const erased = events.map(({ type }) => type).filter((type) => type.endsWith(".erased"));
  expect(erased.sort()).toEqual(["checkout.erased", "checkout.erased", "order.erased"]);
  expect(await failureOf(clients.orders.createOrder({ checkoutId: open.id }))).toMatchObject({
    reason: "CHECKOUT_NOT_PENDING",
  });
});

test("a page's secret ends with the erasure of the guest", async () => {
  const { email, bought, checkoutSecret } = await newGuest();
  const page = clientsWith(clientele, await newPublishableKey(clients));
  await page.checkouts.getCheckout({ id: bought.id, checkoutSecret });
  await eraseGuest(email);
  const read = page.checkouts.getCheckout({ id: bought.id, checkoutSecret });
  expect(await failureOf(read)).toMatchObject({ code: "NotFound" });
});

test("a retry of a call about a forgotten guest does not create the person again", async () => {
  const { email, retry } = await newGuest();
  await eraseGuest(email);
  const again = clients.checkouts.createCheckout({ checkout: retry.left }, retry.keyed("open"));
  expect(await failureOf(again)).toMatchObject({ reason: "IDEMPOTENCY_KEY_ERASED" });
});

describe.for(ways.filter(({ name }) => /JSON by fetch|internal port/.test(name)))("over $name", ({ open }) => {
  test("the address is meant in any case, and nobody else is erased, no customer who has it either", async () => {
    const call = open(clientele, testKey);
    const email = newEmail();
    const { id: customerId } = await createCustomer(clients, { email });
    const ofCustomer = await createCheckout(clients, { customerId });
    const guest = await newGuest(email.toUpperCase().replace("EXAMPLE.COM", "example.com"));
    const other = await newGuest();
    const stranger = await clientele.createAccount();
    const abroad = await createCheckout(stranger.test, {
      ...{ contact: { email }, shipping: houston, paymentMethodId: newToken() },
    });
    const answer = Object(await call(PrivacyService.method.requestErasure, { email: ` ${email.toLowerCase()} ` }));
    expect(answer.erasure).toMatchObject({ state: "ERASURE_STATE_COMPLETED" });
    expect(answer.erasure.customerId ?? "").toBe("");
    const read = async (id: string, by = clients) => (await by.checkouts.getCheckout({ id })).checkout!.contact?.email;
    expect([await read(guest.bought.id), await read(guest.open.id)]).toEqual([undefined, undefined]);
    expect([await read(other.bought.id), await read(other.open.id)]).toEqual([other.email, other.email]);
    expect([await read(ofCustomer.id), await read(abroad.id, stranger.test)]).toEqual([email, email]);
    expect((await clients.customers.getCustomer({ id: customerId })).customer!.email).toBe(email);
  });

  test.for([
    { name: "no person", request: {} },
    { name: "a customer and a guest", request: { customerId: "cus_absent", email: "ada@example.com" } },
    { name: "an address that is none", request: { email: "ada" } },
  ])("a request that names $name is refused", async ({ request }) => {
    const call = open(clientele, testKey)(PrivacyService.method.requestErasure, request as JsonObject);
    expect(await failureOf(call)).toMatchObject({ code: "InvalidArgument" });
  });
});

test("only a secret key has a guest erased", async () => {
  const { email, open } = await newGuest();
  const { id } = await createCustomer(clients, { email });
  const { secret } = await signInById(clients, id);
  const byToken = clientsWith(clientele, secret).privacy.requestErasure({ email });
  expect(await failureOf(byToken)).toMatchObject({ code: "NotFound" });
  const page = clientsWith(clientele, await newPublishableKey(clients)).privacy.requestErasure({ email });
  expect(await failureOf(page)).toMatchObject({ reason: "ACCESS_DENIED" });
  expect((await clients.checkouts.getCheckout({ id: open.id })).checkout!.contact!.email).toBe(email);
});

test("the receipt says what was erased of a guest, and what was kept and why", async () => {
  const { email } = await newGuest();
  const { receipt, completeTime } = await eraseGuest(email);
  expect(timestampDate(completeTime!)).toEqual(timed.now());
  expect(countsOf(receipt!.erased)).toEqual({ checkouts: 2, orders: 1, idempotency_keys: 4 });
  expect(receipt!.kept.map(({ table }) => table)).toContain("orders");
  expect(receipt!.kept.map(({ table }) => table)).not.toContain("customers");
});

test("an erasure is completed where there is nothing to erase, and done again for what comes later", async () => {
  const email = newEmail();
  const nothing = await eraseGuest(email);
  expect(nothing.state).toBe(ErasureState.COMPLETED);
  expect(countsOf(nothing.receipt!.erased)).toEqual({ checkouts: 0, orders: 0, idempotency_keys: 0 });
  await newGuest(email);
  const later = await eraseGuest(email);
  expect(later.id).not.toBe(nothing.id);
  expect(countsOf(later.receipt!.erased)).toMatchObject({ checkouts: 2, orders: 1 });
});

describe("under DIGITAL_RIVER, where an erasure is delayed by 30 days", () => {
  let delayed: Clients;
  beforeAll(async () => {
    delayed = (await clientele.createAccount(SettingsPreset.DIGITAL_RIVER)).test;
  });
  const buy = (email: string) =>
    createCheckout(delayed, { url, contact: { email }, shipping: houston, paymentMethodId: newToken() });
  const emailOf = async (id: string) => (await delayed.checkouts.getCheckout({ id })).checkout!.contact?.email;

  test("a guest is forgotten when it is due, with what was bought meanwhile, and the record names nobody then", async () => {
    const email = newEmail();
    const before = await buy(email);
    const erasure = await eraseGuest(email, delayed);
    expect(erasure).toMatchObject({ state: ErasureState.SCHEDULED, customerId: "" });
    expect(timestampDate(erasure.dueTime!).getTime()).toBe(timed.now().getTime() + 30 * day);
    expect(await eraseGuest(email.toUpperCase(), delayed)).toEqual(erasure);
    expect((await delayed.privacy.listErasures({})).erasures.map(({ id }) => id)).toContain(erasure.id);
    const meanwhile = await buy(email);
    timed.pass(30 * day - 1);
    await runJob();
    expect(await emailOf(before.id)).toBe(email);
    timed.pass(1);
    await runJob();
    expect([await emailOf(before.id), await emailOf(meanwhile.id)]).toEqual([undefined, undefined]);
    const { erasure: done } = await delayed.privacy.getErasure({ id: erasure.id });
    expect(done!.state).toBe(ErasureState.COMPLETED);
    expect(countsOf(done!.receipt!.erased)).toMatchObject({ checkouts: 2 });
    expect(tracesOf(email, await dumpOf(clientele.db))).toEqual([]);
  });

  test("a cancelled erasure erases nothing, names nobody, and can be requested again", async () => {
    const email = newEmail();
    const checkout = await buy(email);
    const erasure = await eraseGuest(email, delayed);
    const stale = delayed.privacy.cancelErasure({ id: erasure.id, etag: "v9" });
    expect(await failureOf(stale)).toMatchObject({ reason: "ETAG_STALE" });
    const { erasure: cancelled } = await delayed.privacy.cancelErasure({ id: erasure.id, etag: erasure.etag });
    expect(cancelled!.state).toBe(ErasureState.CANCELLED);
    expect((await delayed.privacy.cancelErasure({ id: erasure.id, etag: erasure.etag })).erasure).toEqual(cancelled);
    expect(await clientele.db("erasures").where({ id: erasure.id }).first("guest_email")).toEqual({
      guest_email: null,
    });
    timed.pass(31 * day);
    await runJob();
    expect(await emailOf(checkout.id)).toBe(email);
    const again = await eraseGuest(email, delayed);
    expect(again.id).not.toBe(erasure.id);
    timed.pass(30 * day);
    const tooLate = delayed.privacy.cancelErasure({ id: again.id });
    expect(await failureOf(tooLate)).toMatchObject({ reason: "ERASURE_NOT_CANCELLABLE" });
  });

  test("a customer token reaches no erasure of a guest, of its own address either", async () => {
    const email = newEmail();
    const { id } = await createCustomer(delayed, { email });
    const shopper = clientsWith(clientele, (await signInById(delayed, id)).secret);
    const erasure = await eraseGuest(email, delayed);
    for (const call of [
      () => shopper.privacy.getErasure({ id: erasure.id }),
      () => shopper.privacy.cancelErasure({ id: erasure.id }),
    ]) {
      expect(await failureOf(call())).toMatchObject({ code: "NotFound" });
    }
    expect((await shopper.privacy.listErasures({})).erasures).toEqual([]);
  });
});
