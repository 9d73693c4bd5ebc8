import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { ErasureState } from "../../../gen/clientele/v1/privacy_pb.js";
import { houston } from "../../support/addresses.js";
import type { Clients, TestAccount } from "../../support/clientele.js";
import { dumpOf, tracesOf } from "../../support/dumps.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { newToken } from "../../support/payment-methods.js";
import { url } from "../../support/purchases.js";
import { newPublishableKey } from "../../support/shoppers.js";
import { day, useTimedClientele } from "../../support/time.js";

const timed = useTimedClientele();
const { clientele } = timed;
const newEmail = () => `guest.${randomBytes(6).toString("hex")}@example.com`;
const keyOf = (value: string) => ({ headers: { "idempotency-key": value } });

const start = ({ checkouts }: Clients, email: string, displayName: string) =>
  checkouts.createCheckout(
    { checkout: { url, contact: { email }, shipping: houston, paymentMethodId: newToken(), displayName } },
    keyOf(displayName),
  );

async function eraseAmongPages(account: TestAccount, publishableKey: string, round: number): Promise<void> {
  const email = newEmail();
  const value = (index: number) => `canary-${round}-${index}-`;
  const started: { id: string; checkoutSecret: string }[] = [];
  for (let index = 0; index < 32; index++) {
    const { checkout, checkoutSecret } = await start(account.test, email, value(index));
    started.push({ id: checkout!.id, checkoutSecret });
  }
  const pages = createCallers(clientele, publishableKey);
  const { failures } = await allAtOnce(pages, async (page, index): Promise<unknown> => {
    if (index === 16) return await account.test.privacy.requestErasure({ email });
    if (index >= 32) return await start(page, email, value(index));
    const { id, checkoutSecret } = started[index]!;
    if (index % 2 === 0)
      return await page.orders.createOrder({ checkoutId: id, checkoutSecret }, keyOf(`o${value(index)}`));
    const checkout = { displayName: `${value(index)}updated` };
    return await page.checkouts.updateCheckout({ id, checkoutSecret, checkout }, keyOf(`u${value(index)}`));
  });
  // A page that comes after the erasure finds no checkout any more.
  expect(failures.filter(({ code }) => code !== "NotFound")).toEqual([]);
  const dump = await dumpOf(clientele.db);
  for (let index = 0; index < 32; index++) expect(tracesOf(value(index), dump), value(index)).toEqual([]);
  const orders = await clientele.db("orders").whereIn(
    "checkout_id",
    started.map(({ id }) => id),
  );
  for (const order of orders) expect([order.contact, order.shipping, order.payment_method]).toEqual([{}, {}, {}]);
  const states = await clientele
    .db("checkouts")
    .whereIn(
      "id",
      started.map(({ id }) => id),
    )
    .pluck("state");
  expect(states.filter((state) => state === "completed")).toHaveLength(orders.length);
  expect(states.filter((state) => state === "pending")).toEqual([]);
  // A checkout that was created meanwhile is either erased or kept, as a whole.
  for (let index = 32; index < 50; index++) {
    const lines = dump.split("\n").filter((line) => line.includes(value(index)) && line.startsWith("checkouts:"));
    expect(lines.filter((line) => !line.includes(email))).toEqual([]);
  }
}

test("of 49 calls of pages at the time of an erasure none leaves anything of what was there before it", async () => {
  const account = await clientele.createAccount();
  const publishableKey = await newPublishableKey(account.test);
  for (let round = 0; round < 3; round++) await eraseAmongPages(account, publishableKey, round);
});

test("50 requests for one guest at once get the same scheduled erasure", async () => {
  const { test: clients, testKey } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const email = newEmail();
  const callers = createCallers(clientele, testKey);
  const { answers, failures } = await allAtOnce(callers, ({ privacy }, index) =>
    privacy.requestErasure({ email: index % 2 === 0 ? email : email.toUpperCase() }),
  );
  expect(failures).toEqual([]);
  expect(new Set(answers.map(({ erasure }) => erasure!.id)).size).toBe(1);
  const { erasures } = await clients.privacy.listErasures({});
  expect(erasures).toHaveLength(1);
  const events = clientele.db("events").where({ resource_id: erasures[0]!.id });
  expect(await events.pluck("type")).toEqual(["erasure.requested"]);
});

test("50 erasures of one guest at once erase each checkout once", async () => {
  const { test: clients, testKey } = await clientele.createAccount();
  const email = newEmail();
  const { checkout } = await start(clients, email, "canary-of-the-fifty");
  const callers = createCallers(clientele, testKey);
  const { answers, failures } = await allAtOnce(callers, ({ privacy }) => privacy.requestErasure({ email }));
  expect(failures).toEqual([]);
  const erased = answers.flatMap(({ erasure }) =>
    erasure!.receipt!.erased.filter(({ table }) => table === "checkouts"),
  );
  expect(erased.map(({ count }) => count).sort()).toEqual([...Array(49).fill(0), 1]);
  const events = clientele.db("events").where({ resource_id: checkout!.id, type: "checkout.erased" });
  expect(await events).toHaveLength(1);
});

test("replicas that run the job at once erase each guest that is due once, and cancellations come before or too late", async () => {
  const { test: clients, testKey } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const emails = Array.from({ length: 20 }, newEmail);
  const ids: string[] = [];
  for (const email of emails) {
    await start(clients, email, `canary-of-${email}`);
    ids.push((await clients.privacy.requestErasure({ email })).erasure!.id);
  }
  timed.pass(30 * day);
  const callers = createCallers(clientele, testKey, 20);
  const [{ failures }] = await Promise.all([
    allAtOnce(callers, ({ privacy }, index) => privacy.cancelErasure({ id: ids[index]! })),
    ...Array.from({ length: 5 }, () => timed.runJob("erase_customers")),
  ]);
  expect(failures.map(({ reason }) => reason)).toEqual(ids.map(() => "ERASURE_NOT_CANCELLABLE"));
  const { erasures } = await clients.privacy.listErasures({ pageSize: 100 });
  expect(erasures.map(({ state }) => state)).toEqual(ids.map(() => ErasureState.COMPLETED));
  expect(erasures.map(({ receipt }) => receipt!.erased[0]!.count)).toEqual(ids.map(() => 1));
});
