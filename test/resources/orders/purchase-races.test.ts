import knex from "knex";
import { expect, test, vi } from "vitest";
import { type Checkout, CheckoutState } from "../../../gen/clientele/v1/checkouts_pb.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout } from "../../support/purchases.js";
import { startReplica } from "../../support/replica.js";

const count = 50;

const clientele = useClientele();

async function open(callers: readonly Clients[]): Promise<void> {
  await Promise.all(callers.map(({ accounts }) => accounts.getAccount({})));
}

async function createBuyer(by: Clients): Promise<string> {
  const { id } = await createCustomer(by);
  await createAddress(by, id);
  await attachPaymentMethod(by, id);
  return id;
}

async function get(by: Clients, id: string): Promise<Checkout> {
  const { checkout } = await by.checkouts.getCheckout({ id });
  return checkout!;
}

test("of 50 callers that complete or cancel one checkout one does, whatever is updated meanwhile", async () => {
  const { test: clients, testKey } = await clientele.createAccount();
  const callers = createCallers(clientele, testKey, count);
  await open(callers);
  const customerId = await createBuyer(clients);
  const { id } = await createCheckout(clients, { customerId });
  const calls: ((by: Clients, index: number) => Promise<unknown>)[] = [
    (by) => by.orders.createOrder({ checkoutId: id }).then(() => "completed"),
    (by) => by.checkouts.cancelCheckout({ id }).then(() => "cancelled"),
    (by, index) => by.checkouts.updateCheckout({ id, checkout: { displayName: `Name ${index}` } }),
  ];
  const { answers, failures } = await allAtOnce(callers, (by, index) => calls[index % 3]!(by, index));
  // A repeated cancellation is answered like the first.
  const [end, ...others] = new Set(answers.filter((answer) => typeof answer === "string"));
  expect(others).toEqual([]);
  expect(failures.map(({ reason }) => reason)).toEqual(failures.map(() => "CHECKOUT_NOT_PENDING"));
  const { state, displayName } = await get(clients, id);
  expect(state).toBe(end === "completed" ? CheckoutState.COMPLETED : CheckoutState.CANCELLED);
  const { orders } = await clients.orders.listOrders({ customerId });
  expect(orders.map((order) => order.displayName)).toEqual(end === "completed" ? [displayName] : []);
  const events = await clientele.db("events").where({ resource_id: id }).orderBy("position").pluck("type");
  expect(events.at(-1)).toBe(`checkout.${end}`);
  const updates = answers.filter((answer) => typeof answer !== "string");
  expect(events).toHaveLength(2 + updates.length);
  expect(Number((await clientele.db("checkouts").where({ id }).first()).version)).toBe(events.length);
});

test("of 50 updates of a checkout with one etag one succeeds, the others are ABORTED", async () => {
  const { test: clients, testKey } = await clientele.createAccount();
  const callers = createCallers(clientele, testKey, count);
  await open(callers);
  const { id, etag } = await createCheckout(clients, { customerId: await createBuyer(clients) });
  const { answers, failures } = await allAtOnce(callers, (by, index) =>
    by.checkouts.updateCheckout({ id, etag, checkout: { displayName: `Name ${index}` } }),
  );
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(count - 1).fill("ETAG_STALE"));
  expect(await get(clients, id)).toEqual(answers[0]!.checkout);
});

test("an order waits for its customer before it holds its checkout", async () => {
  const { test: clients } = await clientele.createAccount();
  const customerId = await createBuyer(clients);
  const { id: checkoutId } = await createCheckout(clients, { customerId });
  const holder = knex({ client: "pg", connection: clientele.databaseUrl, pool: { min: 0, max: 1 } });
  const waiting = async () => {
    const found = await clientele.db.raw(
      "select count(*)::int count from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    expect(found.rows[0].count).toBe(1);
  };
  const calls: (() => Promise<unknown>)[] = [
    () => clients.checkouts.updateCheckout({ id: checkoutId, checkout: { locale: "en_US" } }),
    () => clients.orders.createOrder({ checkoutId }),
  ];
  for (const call of calls) {
    const trx = await holder.transaction();
    await trx("customers").where({ id: customerId }).forUpdate().first();
    const answer = call();
    await vi.waitFor(waiting, { timeout: 1_500, interval: 10 });
    const checkout = clientele.db("checkouts").where({ id: checkoutId });
    expect(await checkout.forUpdate().noWait()).toHaveLength(1);
    await trx.rollback();
    await answer;
  }
  await holder.destroy();
});

test("no mixture of calls about customers and their checkouts deadlocks", async () => {
  const { test: clients, testKey } = await clientele.createAccount();
  const customers = await Promise.all(Array.from({ length: 3 }, () => createBuyer(clients)));
  const spares = new Map<string, string>();
  for (const customerId of customers) spares.set(customerId, (await createAddress(clients, customerId)).id);
  const before = await connections();
  const replica = await startReplica(clientele);
  const callers = createCallers(replica, testKey, count);
  await open(callers);
  const checkouts = await Promise.all(
    callers.map((by, index) => createCheckout(by, { customerId: customers[index % customers.length]! })),
  );
  const calls: ((by: Clients, customerId: string, checkout: Checkout, index: number) => Promise<unknown>)[] = [
    (by, id, _, index) => by.customers.updateCustomer({ customer: { id, name: `Name ${index}`, shipping: houston } }),
    (by, _, { id }) => by.orders.createOrder({ checkoutId: id }),
    (by, _, { id }) => by.checkouts.updateCheckout({ id, checkout: { paymentMethodId: newToken() } }),
    (by, customerId) => createCheckout(by, { customerId, paymentMethodId: newToken() }),
    (by, _, { id }) => by.checkouts.cancelCheckout({ id }),
    (by, customerId) => attachPaymentMethod(by, customerId),
    (by, customerId) => by.addresses.setDefaultAddress({ customerId, id: spares.get(customerId)! }),
    (by, _, __, index) => by.accounts.updateAccountSettings({ settings: { maxAddressesPerCustomer: 100 + index } }),
    (by, _, { paymentMethod }) => by.paymentMethods.detachPaymentMethod(ofMethod(paymentMethod!)),
    (by, customerId) => by.paymentMethods.setDefaultPaymentMethod({ customerId, id: newToken() }),
  ];
  for (let round = 0; round < 10; round++) {
    await allAtOnce(callers, (by, index) => {
      // Ten calls about each of a few checkouts, other ones in each round.
      const checkout = checkouts[(index % 5) + round * 5]!;
      return calls[(index + Math.floor(index / 5)) % calls.length]!(by, checkout.customerId, checkout, index);
    });
  }
  const rivals = (await connections()).filter((pid) => !before.includes(pid));
  expect(rivals.length).toBeGreaterThan(1);
  await replica.stop();
  // A connection tells its numbers at the latest when it ends.
  await vi.waitFor(async () => {
    const present = await connections();
    expect(rivals.filter((pid) => present.includes(pid))).toEqual([]);
  });
  // What lost in a deadlock was tried again, and only Postgres tells of it.
  const found = await clientele.db.raw("select deadlocks from pg_stat_database where datname = current_database()");
  expect(found.rows).toEqual([{ deadlocks: "0" }]);
});

async function connections(): Promise<number[]> {
  return await clientele.db("pg_stat_activity").whereRaw("datname = current_database()").pluck("pid");
}

const ofMethod = ({ customerId, id }: { customerId: string; id: string }) => ({ customerId, id });
