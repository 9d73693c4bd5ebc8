import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebhookDeliveryState as State } from "../../../gen/clientele/v1/webhooks_pb.js";
import { tasksOf } from "../../../src/jobs.js";
import { type Dispatching, startDispatching } from "../../support/dispatching.js";
import { deliveriesOf, isSigned, newCustomer, openWebhookShop, typesOf } from "../../support/webhook-receiver.js";

const hour = 60 * 60 * 1000;
let service: Dispatching;
beforeAll(async () => {
  service = await startDispatching();
});
afterAll(() => service.stop());

describe("a delivery that fails", () => {
  test("is tried again, more and more seldom, and the same is sent each time", async () => {
    await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
    shop.receiver.answer(500);
    await newCustomer(shop.clients);
    await service.dispatch();
    await service.dispatch();
    expect(shop.receiver.received).toHaveLength(1);
    service.later(5_999);
    await service.dispatch();
    expect(shop.receiver.received).toHaveLength(2);
    service.later(6_000);
    await service.dispatch();
    expect(shop.receiver.received).toHaveLength(2);
    service.later(36_000);
    shop.receiver.answer(204);
    await service.dispatch();
    const [delivery] = await deliveriesOf(shop);
    expect(delivery!.attempts.map(({ httpStatus }) => httpStatus)).toEqual([500, 500, 204]);
    expect([delivery!.state, delivery!.nextAttemptTime]).toEqual([State.SUCCEEDED, undefined]);
    expect(new Set(shop.receiver.received.map(({ body }) => body)).size).toBe(1);
    for (const received of shop.receiver.received) expect(isSigned(received, shop.secret)).toBe(true);
  });

  test("for 3 days disables its endpoint, and can be sent by hand even so", async () => {
    await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    receiver.answer(410);
    await newCustomer(clients);
    const started = service.now().getTime();
    const enabled = async () => (await clients.webhooks.getWebhookEndpoint({ id })).webhookEndpoint!.enabled;
    while (await enabled()) {
      await service.dispatch();
      service.later(hour);
    }
    const hours = Math.round((service.now().getTime() - started) / hour);
    expect(hours).toBeGreaterThan(60);
    expect(hours).toBeLessThanOrEqual(73);
    const [failed] = await deliveriesOf(shop);
    expect([failed!.state, failed!.attempts.length > 12]).toEqual([State.FAILED, true]);
    const { webhookEndpoint } = await clients.webhooks.getWebhookEndpoint({ id });
    expect(webhookEndpoint!.disableTime).toBeDefined();
    const seen = receiver.received.length;
    service.later(24 * hour);
    await service.dispatch();
    expect(receiver.received).toHaveLength(seen);

    receiver.answer(200);
    const { webhookDelivery } = await clients.webhooks.redeliverWebhookDelivery({
      webhookEndpointId: id,
      id: failed!.id,
    });
    await service.dispatch();
    expect(receiver.received.at(-1)!.body).toBe(receiver.received[0]!.body);
    const [repeated] = await deliveriesOf(shop);
    expect([repeated!.id, repeated!.state]).toEqual([webhookDelivery!.id, State.SUCCEEDED]);
  });

  test("does not disable an endpoint that was enabled again since it was first tried", async () => {
    await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    receiver.answer(500);
    await newCustomer(clients);
    await service.dispatch();
    await clients.webhooks.updateWebhookEndpoint({ webhookEndpoint: { id, enabled: false } });
    service.later(80 * hour);
    await clients.webhooks.updateWebhookEndpoint({ webhookEndpoint: { id, enabled: true } });
    await service.dispatch();
    expect((await deliveriesOf(shop)).map(({ state }) => state)).toEqual([State.FAILED]);
    expect((await clients.webhooks.getWebhookEndpoint({ id })).webhookEndpoint!.enabled).toBe(true);
  });

  test("does not disable an endpoint that accepts others", async () => {
    await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    receiver.answer(500);
    await newCustomer(clients);
    await service.dispatch();
    receiver.answer(200);
    service.later(1_000);
    await newCustomer(clients, "eve@example.com");
    await service.dispatch();
    receiver.answer(500);
    for (let hours = 0; hours < 75; hours++) {
      service.later(hour);
      await service.dispatch();
    }
    expect((await deliveriesOf(shop)).map(({ state }) => state).sort()).toEqual([State.SUCCEEDED, State.FAILED]);
    expect((await clients.webhooks.getWebhookEndpoint({ id })).webhookEndpoint!.enabled).toBe(true);
  });
});

test("an endpoint that does not answer keeps no other waiting", async () => {
  await using slow = await openWebhookShop(service.clientele, ["customer.*"]);
  await using quick = await openWebhookShop(service.clientele, ["customer.*"]);
  slow.receiver.answer(() => {});
  for (let n = 0; n < 12; n++) await newCustomer(slow.clients, `slow${n}@example.com`);
  for (let n = 0; n < 5; n++) await newCustomer(quick.clients, `quick${n}@example.com`);
  const dispatched = service.dispatch();
  await quick.receiver.got(5);
  expect(slow.receiver.received.length).toBeLessThanOrEqual(3);
  slow.receiver.answer(200);
  await slow.receiver[Symbol.asyncDispose]();
  await dispatched;
});

test("a tenant whose endpoints do not answer keeps no other waiting", async () => {
  await using slow = await openWebhookShop(service.clientele, ["customer.*"]);
  await using quick = await openWebhookShop(service.clientele, ["customer.*"]);
  slow.receiver.answer(() => {});
  const { webhooks } = slow.clients;
  for (let n = 0; n < 11; n++) {
    await webhooks.createWebhookEndpoint({ webhookEndpoint: { url: slow.receiver.url, eventTypes: ["customer.*"] } });
  }
  for (let n = 0; n < 3; n++) await newCustomer(slow.clients, `slow${n}@example.com`);
  for (let n = 0; n < 5; n++) await newCustomer(quick.clients, `quick${n}@example.com`);
  const dispatched = service.dispatch();
  await quick.receiver.got(5);
  expect(slow.receiver.received.length).toBeLessThanOrEqual(6);
  for (const { id } of (await webhooks.listWebhookEndpoints({ pageSize: 100 })).webhookEndpoints) {
    if (id !== slow.endpointId) await webhooks.deleteWebhookEndpoint({ id });
  }
  slow.receiver.answer(200);
  await slow.receiver[Symbol.asyncDispose]();
  await dispatched;
});

test("a sender that is stopped waits for what is on its way, and leaves the rest for later", async () => {
  await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
  for (let n = 0; n < 12; n++) await newCustomer(shop.clients, `stopped${n}@example.com`);
  await tasksOf(service.deps).make_webhook_deliveries!();
  const stopping = new AbortController();
  shop.receiver.answer((res) => {
    stopping.abort();
    res.writeHead(200).end();
  });
  await tasksOf(service.deps, stopping.signal).send_webhook_deliveries!();
  const states = (await deliveriesOf(shop)).map(({ state }) => state);
  const sent = states.filter((state) => state === State.SUCCEEDED).length;
  expect(sent).toBe(shop.receiver.received.length);
  expect(sent).toBeLessThanOrEqual(3);
  expect(states.filter((state) => state === State.PENDING)).toHaveLength(12 - sent);
});

test("replicas that dispatch at the same time send each event once", async () => {
  await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
  for (let n = 0; n < 30; n++) await newCustomer(shop.clients, `c${n}@example.com`);
  await Promise.all([service.dispatch(), service.dispatch(), service.dispatch(), service.dispatch()]);
  const ids = shop.receiver.received.map(({ headers }) => headers["clientele-event-id"]);
  expect([ids.length, new Set(ids).size]).toEqual([30, 30]);
});

test("a delivery whose sender died is sent again", async () => {
  await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
  await newCustomer(shop.clients);
  const sender = service.deps.webhookSender;
  const lost = { ...service.deps, webhookSender: { ...sender, send: () => Promise.reject(new Error("killed")) } };
  await expect(service.dispatch(lost)).rejects.toThrow();
  await service.dispatch();
  expect(shop.receiver.received).toEqual([]);
  service.later(60_000);
  await service.dispatch();
  expect(typesOf(shop.receiver.received)).toEqual(["customer.created"]);
});

test("deliveries are forgotten after 30 days, those that wait for a disabled endpoint too", async () => {
  await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
  await using disabled = await openWebhookShop(service.clientele, ["customer.*"]);
  disabled.receiver.answer(500);
  for (const { clients } of [shop, disabled]) await newCustomer(clients);
  await service.dispatch();
  await disabled.clients.webhooks.updateWebhookEndpoint({
    webhookEndpoint: { id: disabled.endpointId, enabled: false },
  });
  const forget = async () => {
    await tasksOf(service.deps).forget_webhook_deliveries!();
    return [...(await deliveriesOf(shop)), ...(await deliveriesOf(disabled))].map(({ state }) => state);
  };
  service.later(30 * 24 * hour);
  expect(await forget()).toEqual([State.SUCCEEDED, State.PENDING]);
  service.later(1);
  expect(await forget()).toEqual([]);
});
