import { afterAll, beforeAll, expect, test } from "vitest";
import { WebhookDeliveryState as State } from "../../../gen/clientele/v1/webhooks_pb.js";
import { createWebhookSender } from "../../../src/external/webhook-sender.js";
import { tasksOf } from "../../../src/jobs.js";
import { claimDeliveries, type DueDelivery } from "../../../src/resources/webhooks/deliveries-store.js";
import { type Dispatching, startDispatching } from "../../support/dispatching.js";
import { deliveriesOf, newCustomer, openWebhookShop, type Shop } from "../../support/webhook-receiver.js";

let service: Dispatching;
beforeAll(async () => {
  service = await startDispatching();
});
afterAll(() => service.stop());

/** Adds deliveries that are due, as a backlog before its endpoint was disabled. */
async function addBacklog({ endpointId }: Shop, count: number): Promise<void> {
  await service.clientele.db.raw(
    `insert into webhook_deliveries
       (tenant_id, id, endpoint_id, event_id, event_type, payload, state, next_attempt_time, create_time)
     select tenant_id, 'whd_' || lpad(n::text, 26, '0'), id, 'evt_' || n, 'customer.created', '{}', 'pending',
       create_time, create_time
     from webhook_endpoints, generate_series(1, ?) n where id = ?`,
    [count, endpointId],
  );
}

test("a claim reads a few rows only, past 20,000 deliveries that wait for a disabled endpoint", async () => {
  await using disabled = await openWebhookShop(service.clientele, ["order.created"]);
  await using enabled = await openWebhookShop(service.clientele, ["order.created"]);
  await addBacklog(disabled, 20_000);
  const { endpointId: id, clients } = disabled;
  await clients.webhooks.updateWebhookEndpoint({ webhookEndpoint: { id, enabled: false } });
  await addBacklog(enabled, 1);
  const now = service.now();
  const places = { all: 30, stalled: 10, perTenant: 6, perEndpoint: 3 };
  const { claimed, read } = await service.clientele.db.transaction(async (trx) => {
    const until = new Date(now.getTime() + 60_000);
    const due = await claimDeliveries(trx, { now, until, places, flights: [] });
    const { rows } = await trx.raw(
      `select idx_tup_fetch + seq_tup_read as read from pg_stat_xact_user_tables where relname = 'webhook_deliveries'`,
    );
    return { claimed: due.map(({ endpoint_id }) => endpoint_id), read: Number(rows[0].read) };
  });
  expect(claimed).toEqual([enabled.endpointId]);
  expect(read).toBeLessThan(50);
});

test("stalled endpoints of many tenants leave places to the others", async () => {
  const slow = await Promise.all(Array.from({ length: 5 }, () => openWebhookShop(service.clientele, ["customer.*"])));
  await using quick = await openWebhookShop(service.clientele, ["customer.*"]);
  for (const { clients, receiver } of slow) {
    receiver.answer(() => {});
    // A second endpoint: together they take all 6 places of the tenant.
    const webhookEndpoint = { url: receiver.url, eventTypes: ["customer.*"] };
    await clients.webhooks.createWebhookEndpoint({ webhookEndpoint });
    for (let n = 0; n < 3; n++) await newCustomer(clients, `slow${n}@example.com`);
  }
  // No post to them ends by itself while the test looks.
  const webhookSender = createWebhookSender({ networks: { allowPrivate: true, denied: [] }, timeoutMs: 600_000 });
  const dispatched = service.dispatch({ ...service.deps, webhookSender });
  await Promise.all(slow.map(({ receiver }) => receiver.got(6)));
  await newCustomer(quick.clients);
  await tasksOf(service.deps).make_webhook_deliveries!();
  await quick.receiver.got(1);
  for (const { receiver } of slow) await receiver[Symbol.asyncDispose]();
  await dispatched;
});

test("an endpoint whose last post timed out has one place, until it answers in time", async () => {
  await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
  const claim = async () => {
    const now = service.now();
    const places = { all: 30, stalled: 10, perTenant: 6, perEndpoint: 3 };
    const flights: DueDelivery[] = [];
    for (let due: DueDelivery[] = []; due.length > 0 || flights.length === 0; flights.push(...due)) {
      due = await claimDeliveries(service.deps.db, { now, until: now, places, flights });
    }
    return flights.length;
  };
  const isStalled = async () =>
    (await service.clientele.db("webhook_endpoints").where({ id: shop.endpointId }).first()).stalled;
  shop.receiver.answer(() => {});
  await newCustomer(shop.clients);
  const webhookSender = createWebhookSender({ networks: { allowPrivate: true, denied: [] }, timeoutMs: 100 });
  await service.dispatch({ ...service.deps, webhookSender });
  expect(await isStalled()).toBe(true);
  await addBacklog(shop, 5);
  expect(await claim()).toBe(1);
  shop.receiver.answer(204);
  service.later(60_000);
  await service.dispatch();
  expect(await isStalled()).toBe(false);
  expect((await deliveriesOf(shop)).map(({ state }) => state)).toEqual(Array(6).fill(State.SUCCEEDED));
});

test("an http endpoint gets nothing once the deployment forbids clear text", async () => {
  await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
  await newCustomer(shop.clients);
  const webhookSender = createWebhookSender({ networks: { allowPrivate: false, denied: [] }, timeoutMs: 10_000 });
  await service.dispatch({ ...service.deps, webhookSender });
  const [delivery] = await deliveriesOf(shop);
  expect(delivery).toMatchObject({ state: State.PENDING, attempts: [{ error: "clear_text" }] });
  expect(shop.receiver.received).toEqual([]);
});
