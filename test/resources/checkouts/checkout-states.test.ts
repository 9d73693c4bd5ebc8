import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Checkout, CheckoutState } from "../../../gen/clientele/v1/checkouts_pb.js";
import { readConfig } from "../../../src/config.js";
import { buildDeps } from "../../../src/deps.js";
import { tasksOf } from "../../../src/jobs.js";
import { type Happening, nextState, stateAt } from "../../../src/resources/checkouts/state.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { createCheckout, guest } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";

const start = new Date("2026-03-01T12:00:00Z");
const day = 24 * 60 * 60 * 1000;
let now = start;
let built: Awaited<ReturnType<typeof buildDeps>>;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  const config = readConfig({ CLIENTELE_LOG_LEVEL: "silent" });
  built = await buildDeps(config, clientele.databaseUrl, { clock: () => now });
  ({ test: clients } = await clientele.createAccount());
});
beforeEach(() => {
  now = start;
});
afterAll(async () => {
  await built.close();
});

const { UNSPECIFIED, PENDING, COMPLETED, FAILED, CANCELLED } = CheckoutState;

const transitions: [CheckoutState, Record<Happening, CheckoutState | undefined>][] = [
  [PENDING, { update: PENDING, complete: COMPLETED, cancel: CANCELLED, expire: FAILED }],
  [COMPLETED, { update: undefined, complete: undefined, cancel: undefined, expire: undefined }],
  [FAILED, { update: undefined, complete: undefined, cancel: undefined, expire: undefined }],
  [CANCELLED, { update: undefined, complete: undefined, cancel: undefined, expire: undefined }],
  [UNSPECIFIED, { update: undefined, complete: undefined, cancel: undefined, expire: undefined }],
];

test.for(transitions)("what may happen to a checkout in state %i: %j", ([state, next]) => {
  for (const [happening, want] of Object.entries(next)) expect(nextState(state, happening as Happening)).toBe(want);
});

test("only a pending checkout fails, and with the first moment of its expire_time", () => {
  expect(stateAt(new Date(start.getTime() - 1), PENDING, start)).toBe(PENDING);
  expect(stateAt(start, PENDING, start)).toBe(FAILED);
  for (const state of [COMPLETED, FAILED, CANCELLED]) expect(stateAt(new Date(9e15), state, start)).toBe(state);
});

const runJob = async () => await tasksOf(built.deps).expire_checkouts!();

async function get(id: string, by = clients): Promise<Checkout> {
  const { checkout } = await by.checkouts.getCheckout({ id });
  return checkout!;
}

async function eventsOf(id: string): Promise<{ type: string; changed_paths: string[]; actor: string }[]> {
  return await clientele.db("events").where({ resource_id: id }).orderBy("position");
}

const stored = async (id: string) => await clientele.db("checkouts").where({ id }).first();

const uses: { name: string; use: (id: string) => Promise<unknown> }[] = [
  { name: "completed", use: (checkoutId) => clients.orders.createOrder({ checkoutId }) },
  { name: "updated", use: (id) => clients.checkouts.updateCheckout({ id, checkout: { locale: "de_CH" } }) },
  { name: "cancelled", use: (id) => clients.checkouts.cancelCheckout({ id }) },
];

const ends: { name: string; end: (checkout: Checkout) => Promise<unknown>; state: CheckoutState; failure: object }[] = [
  {
    name: "completed",
    end: ({ id: checkoutId }) => clients.orders.createOrder({ checkoutId }),
    state: COMPLETED,
    failure: { reason: "CHECKOUT_NOT_PENDING", message: "The checkout is completed already." },
  },
  {
    name: "cancelled",
    end: ({ id, etag }) => clients.checkouts.cancelCheckout({ id, etag }),
    state: CANCELLED,
    failure: { reason: "CHECKOUT_NOT_PENDING", message: "The checkout is cancelled already." },
  },
  {
    name: "expired",
    end: async ({ expireTime }) => {
      now = new Date(Number(expireTime!.seconds) * 1000);
    },
    state: FAILED,
    failure: { reason: "CHECKOUT_EXPIRED", message: "The checkout has expired." },
  },
  {
    name: "expired, and the job has run",
    end: async ({ expireTime }) => {
      now = new Date(Number(expireTime!.seconds) * 1000);
      await runJob();
    },
    state: FAILED,
    failure: { reason: "CHECKOUT_EXPIRED", message: "The checkout has expired." },
  },
];

describe.for(ends)("a checkout that is $name", ({ end, state, failure }) => {
  // A repeated cancellation is answered.
  const others = uses.filter(({ name }) => state !== CANCELLED || name !== "cancelled");
  test.for(others)("cannot be $name", async ({ use }) => {
    const checkout = await createCheckout(clients, guest());
    await end(checkout);
    const ended = await get(checkout.id);
    expect(ended.state).toBe(state);
    const events = await eventsOf(checkout.id);
    expect(await failureOf(use(checkout.id))).toMatchObject({ code: "FailedPrecondition", ...failure });
    expect(await get(checkout.id)).toEqual(ended);
    expect(await eventsOf(checkout.id)).toEqual(events);
    expect(await clientele.db("orders").where({ checkout_id: checkout.id })).toHaveLength(state === COMPLETED ? 1 : 0);
  });
});

test("a cancellation is one change", async () => {
  const checkout = await createCheckout(clients, guest());
  now = new Date(start.getTime() + 1000);
  const answer = await clients.checkouts.cancelCheckout({ id: checkout.id, etag: checkout.etag });
  const { etag, updateTime, ...rest } = checkout;
  expect(answer.checkout).toMatchObject({ ...rest, state: CANCELLED });
  expect(answer.checkout!.etag).not.toBe(etag);
  expect(answer.checkout!.updateTime!.seconds).toBe(updateTime!.seconds + 1n);
  expect(await get(checkout.id)).toEqual(answer.checkout);
  expect(await stored(checkout.id)).toMatchObject({ version: "2", state: "cancelled" });
  expect((await eventsOf(checkout.id)).map(({ type, changed_paths }) => [type, ...changed_paths])).toEqual([
    ["checkout.created"],
    ["checkout.cancelled", "state"],
  ]);
});

test("a repeated cancellation answers the cancelled checkout and changes nothing", async () => {
  const { id, etag } = await createCheckout(clients, guest());
  const { checkout } = await clients.checkouts.cancelCheckout({ id, etag });
  expect((await clients.checkouts.cancelCheckout({ id, etag })).checkout).toEqual(checkout);
  expect(await eventsOf(id)).toHaveLength(2);
});

test("a checkout can be cancelled when its customer is disabled or deleted", async () => {
  const { id: customerId } = await createCustomer(clients);
  const [one, two] = [await createCheckout(clients, { customerId }), await createCheckout(clients, { customerId })];
  await clients.customers.updateCustomer({ customer: { id: customerId, enabled: false } });
  expect(await clients.checkouts.cancelCheckout({ id: one.id })).toMatchObject({ checkout: { state: CANCELLED } });
  await clients.customers.deleteCustomer({ id: customerId });
  expect(await clients.checkouts.cancelCheckout({ id: two.id })).toMatchObject({ checkout: { state: CANCELLED } });
});

test.for(["cancelled", "updated"])("with a stale etag a checkout is not %s", async (what) => {
  const { id, etag } = await createCheckout(clients, guest());
  await clients.checkouts.updateCheckout({ id, etag, checkout: { locale: "en_US" } });
  const before = await get(id);
  const { checkouts } = clients;
  const stale = what === "cancelled" ? checkouts.cancelCheckout({ id, etag }) : checkouts.updateCheckout({ id, etag });
  expect(await failureOf(stale)).toMatchObject({ code: "Aborted", reason: "ETAG_STALE" });
  expect(await get(id)).toEqual(before);
});

test("a checkout expires after the lifetime that the settings said when it was made", async () => {
  const { test: own } = await clientele.createAccount();
  const lifetime = async () => {
    const { createTime, expireTime } = await createCheckout(own, guest());
    return expireTime!.seconds - createTime!.seconds;
  };
  expect(await lifetime()).toBe(86_400n);
  const { id, expireTime } = await createCheckout(own, guest());
  await changeSettings(own, { checkoutLifetime: { seconds: 60n } });
  expect(await lifetime()).toBe(60n);
  expect(await get(id, own)).toMatchObject({ state: PENDING, expireTime });
});

test("an order can be made until the last moment before the expire_time", async () => {
  const checkout = await createCheckout(clients, guest());
  now = new Date(start.getTime() + day - 1);
  await runJob();
  expect(await clients.orders.createOrder({ checkoutId: checkout.id })).toMatchObject({
    order: { checkoutId: checkout.id },
  });
});

test("the job lets a checkout fail once, as one change of the system, whichever replicas run it", async () => {
  const { test: own } = await clientele.createAccount();
  const due = await Promise.all(Array.from({ length: 20 }, () => createCheckout(own, guest())));
  const cancelled = due.pop()!;
  await own.checkouts.cancelCheckout({ id: cancelled.id });
  now = new Date(start.getTime() + 1);
  const later = await createCheckout(own, guest());
  now = new Date(start.getTime() + day);
  expect(await get(due[0]!.id, own)).toMatchObject({ state: FAILED, etag: due[0]!.etag });
  await Promise.all(Array.from({ length: 5 }, runJob));
  await runJob();
  for (const { id } of due) {
    expect(await stored(id)).toMatchObject({ state: "failed", version: "2", update_time: now });
    expect((await eventsOf(id)).slice(1)).toMatchObject([
      { type: "checkout.expired", changed_paths: ["state"], actor: "system" },
    ]);
  }
  expect(await stored(cancelled.id)).toMatchObject({ state: "cancelled", version: "2" });
  expect(await stored(later.id)).toMatchObject({ state: "pending", version: "1" });
});

test("the job waits for no checkout that is being changed, and takes it the next time", async () => {
  const [held, free] = [await createCheckout(clients, guest()), await createCheckout(clients, guest())];
  now = new Date(start.getTime() + day);
  await clientele.db.transaction(async (trx) => {
    await trx("checkouts").where({ id: held.id }).forUpdate().first();
    await runJob();
    expect(await stored(free.id)).toMatchObject({ state: "failed" });
    expect(await stored(held.id)).toMatchObject({ state: "pending" });
  });
  await runJob();
  expect(await stored(held.id)).toMatchObject({ state: "failed" });
});
