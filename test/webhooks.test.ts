import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebhookDeliveryState as State } from "../gen/clientele/v1/webhooks_pb.js";
import { readConfig } from "../src/config.js";
import { buildDeps } from "../src/deps.js";
import { tasksOf } from "../src/jobs.js";
import { type Clientele, type Clients, startClientele } from "./support/clientele.js";
import { failureOf } from "./support/errors.js";
import { allAtOnce, createCallers } from "./support/parallel.js";
import { isSigned, openWebhookShop, type Received, type Shop } from "./support/webhook-receiver.js";

const hour = 60 * 60 * 1000;
const key = "a key of the deployment, for tests";
let now = new Date("2026-03-01T12:00:00Z");
let clientele: Clientele;
let built: Awaited<ReturnType<typeof buildDeps>>;
beforeAll(async () => {
  const environment = { CLIENTELE_SECRET_KEY: key, CLIENTELE_WEBHOOKS_TO_PRIVATE_NETWORKS: "true" };
  clientele = await startClientele({ clock: () => now }, environment);
  const config = readConfig({ CLIENTELE_LOG_LEVEL: "silent", ...environment });
  built = await buildDeps(config, clientele.databaseUrl, { clock: () => now });
});
afterAll(async () => {
  await built.close();
  await clientele.stop();
});

// As the worker does it every second.
const dispatch = async (deps = built.deps) => {
  await tasksOf(deps).make_webhook_deliveries!();
  await tasksOf(deps).send_webhook_deliveries!();
};
const later = (ms: number) => {
  now = new Date(now.getTime() + ms);
};

const openShop = (eventTypes: string[] = []) => openWebhookShop(clientele, eventTypes);
const newCustomer = async (clients: Clients, email = "ada@example.com") =>
  (await clients.customers.createCustomer({ customer: { email } })).customer!.id;
const typesOf = (received: readonly Received[]) => received.map(({ body }) => JSON.parse(body).type);
const deliveriesOf = async ({ clients, endpointId }: Shop) =>
  (await clients.webhooks.listWebhookDeliveries({ endpointId, pageSize: 100 })).deliveries;

describe("an endpoint", () => {
  test("gets each event after it was made, once, signed, and nothing personal", async () => {
    await using shop = await openShop(["customer.*", "address.created"]);
    const id = await newCustomer(shop.clients);
    const address = { line1: "1 Canary St", city: "Austin", country: "US" };
    await shop.clients.addresses.createAddress({ customerId: id, address });
    await shop.clients.paymentMethods.setDefaultPaymentMethod({ customerId: id, id: `cct_sandbox_${id}` });
    await dispatch();
    await dispatch();
    const types = ["customer.created", "address.created", "customer.updated", "customer.updated"];
    expect(typesOf(shop.receiver.received).sort()).toEqual(types.sort());
    for (const received of shop.receiver.received) {
      expect(isSigned(received, shop.secret)).toBe(true);
      expect(received.body).not.toMatch(/ada@|Canary/);
      const { id: eventId, customerId } = JSON.parse(received.body);
      expect([received.headers["clientele-event-id"], customerId]).toEqual([eventId, id]);
    }
    const deliveries = await deliveriesOf(shop);
    expect(deliveries.map(({ state, attempts }) => [state, attempts.length, attempts[0]!.status])).toEqual(
      types.map(() => [State.SUCCEEDED, 1, 200]),
    );
  });

  test("gets no event from before it, nor from another tenant", async () => {
    const { test: clients } = await clientele.createAccount();
    await newCustomer(clients, "before@example.com");
    await using shop = await openShop(["customer.*"]);
    await using other = await openShop(["customer.*"]);
    await newCustomer(other.clients);
    await dispatch();
    expect([shop.receiver.received.length, other.receiver.received.length]).toEqual([0, 1]);
  });

  test("shows its secret once: at its making and at a rotation, after which both sign for a day", async () => {
    await using shop = await openShop(["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    expect(shop.secret).toMatch(/^whsec_[\w-]{43}$/);
    const read = await clients.webhooks.getWebhookEndpoint({ id });
    expect(JSON.stringify(read, (_, value) => (typeof value === "bigint" ? String(value) : value))).not.toContain(
      shop.secret,
    );
    const rotated = await clients.webhooks.rotateWebhookSecret({ id });
    expect(rotated.secret).not.toBe(shop.secret);
    await newCustomer(clients);
    await dispatch();
    expect([shop.secret, rotated.secret].map((secret) => isSigned(receiver.received[0]!, secret))).toEqual([
      true,
      true,
    ]);
    later(24 * hour);
    await newCustomer(clients, "eve@example.com");
    await dispatch();
    expect([shop.secret, rotated.secret].map((secret) => isSigned(receiver.received[1]!, secret))).toEqual([
      false,
      true,
    ]);
    const dump = JSON.stringify([await clientele.db("webhook_endpoints"), await clientele.db("idempotency_keys")]);
    for (const secret of [shop.secret, rotated.secret]) expect(dump).not.toContain(secret.slice(6));
  });

  test("is changed, listed and deleted like every resource", async () => {
    await using shop = await openShop();
    const { clients, endpointId: id, receiver } = shop;
    const before = (await clients.webhooks.getWebhookEndpoint({ id })).endpoint!;
    const changes = { endpoint: { id, label: "orders", enabled: false }, updateMask: { paths: ["label", "enabled"] } };
    const { endpoint } = await clients.webhooks.updateWebhookEndpoint(changes);
    expect(endpoint).toMatchObject({ label: "orders", enabled: false, url: receiver.url });
    const stale = clients.webhooks.updateWebhookEndpoint({ endpoint: { id, label: "x", etag: before.etag } });
    expect(await failureOf(stale)).toMatchObject({ reason: "ETAG_STALE" });
    expect((await clients.webhooks.listWebhookEndpoints({})).endpoints).toEqual([endpoint]);
    const unnamed = { id, url: "https://user:secret@8.8.8.8", label: "all orders" };
    const labelled = await clients.webhooks.updateWebhookEndpoint({
      endpoint: unnamed,
      updateMask: { paths: ["label"] },
    });
    expect(labelled.endpoint).toMatchObject({ label: "all orders", url: receiver.url });
    await newCustomer(clients);
    await dispatch();
    expect(receiver.received).toEqual([]);
    await clients.webhooks.updateWebhookEndpoint({ endpoint: { id, enabled: true } });
    await dispatch();
    expect(typesOf(receiver.received)).toContain("customer.created");
  });

  test("is pinged, also while it is disabled", async () => {
    await using shop = await openShop(["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    await clients.webhooks.updateWebhookEndpoint({ endpoint: { id, enabled: false } });
    const { delivery } = await clients.webhooks.pingWebhookEndpoint({ id });
    await dispatch();
    expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({
      id: delivery!.id,
      type: "webhook_endpoint.pinged",
      resourceId: id,
    });
    expect(isSigned(receiver.received[0]!, shop.secret)).toBe(true);
  });

  test("is refused with what is wrong with it", async () => {
    const { test: clients } = await clientele.createAccount();
    const create = (endpoint: object) => failureOf(clients.webhooks.createWebhookEndpoint({ endpoint }));
    expect(await create({ url: "" })).toMatchObject({ fields: { "endpoint.url": expect.any(String) } });
    expect(await create({ url: "shop" })).toMatchObject({ fields: { "endpoint.url": expect.any(String) } });
    const wrongType = { url: "https://8.8.8.8", eventTypes: ["customers"] };
    expect(await create(wrongType)).toMatchObject({ fields: { "endpoint.event_types[0]": expect.any(String) } });
    const update = clients.webhooks.updateWebhookEndpoint({ endpoint: { id: "whe_none", url: "https://8.8.8.8" } });
    expect(await failureOf(update)).toMatchObject({ code: "NotFound" });
  });
});

test("of 50 callers that make an endpoint at the same time 20 succeed", async () => {
  const { testKey } = await clientele.createAccount();
  const endpoint = { url: "https://8.8.8.8/hooks", eventTypes: ["order.created"] };
  const callers = createCallers(clientele, testKey);
  const { answers, failures } = await allAtOnce(callers, ({ webhooks }) =>
    webhooks.createWebhookEndpoint({ endpoint }),
  );
  expect(answers).toHaveLength(20);
  expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["WEBHOOK_ENDPOINT_LIMIT_REACHED"]));
});

describe("a delivery that fails", () => {
  test("is tried again, more and more seldom, and the same is sent each time", async () => {
    await using shop = await openShop(["customer.*"]);
    shop.receiver.answer(500);
    await newCustomer(shop.clients);
    await dispatch();
    await dispatch();
    expect(shop.receiver.received).toHaveLength(1);
    later(5_999);
    await dispatch();
    expect(shop.receiver.received).toHaveLength(2);
    later(6_000);
    await dispatch();
    expect(shop.receiver.received).toHaveLength(2);
    later(36_000);
    shop.receiver.answer(204);
    await dispatch();
    const [delivery] = await deliveriesOf(shop);
    expect(delivery!.attempts.map(({ status }) => status)).toEqual([500, 500, 204]);
    expect([delivery!.state, delivery!.nextAttemptTime]).toEqual([State.SUCCEEDED, undefined]);
    expect(new Set(shop.receiver.received.map(({ body }) => body)).size).toBe(1);
    for (const received of shop.receiver.received) expect(isSigned(received, shop.secret)).toBe(true);
  });

  test("for 3 days disables its endpoint, and can be sent by hand even so", async () => {
    await using shop = await openShop(["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    receiver.answer(410);
    await newCustomer(clients);
    const started = now.getTime();
    const enabled = async () => (await clients.webhooks.getWebhookEndpoint({ id })).endpoint!.enabled;
    while (await enabled()) {
      await dispatch();
      later(hour);
    }
    const hours = Math.round((now.getTime() - started) / hour);
    expect(hours).toBeGreaterThan(60);
    expect(hours).toBeLessThanOrEqual(73);
    const [failed] = await deliveriesOf(shop);
    expect([failed!.state, failed!.attempts.length > 12]).toEqual([State.FAILED, true]);
    const { endpoint } = await clients.webhooks.getWebhookEndpoint({ id });
    expect(endpoint!.disableTime).toBeDefined();
    const seen = receiver.received.length;
    later(24 * hour);
    await dispatch();
    expect(receiver.received).toHaveLength(seen);

    receiver.answer(200);
    const { delivery } = await clients.webhooks.redeliverWebhook({ endpointId: id, id: failed!.id });
    await dispatch();
    expect(receiver.received.at(-1)!.body).toBe(receiver.received[0]!.body);
    const [repeated] = await deliveriesOf(shop);
    expect([repeated!.id, repeated!.state]).toEqual([delivery!.id, State.SUCCEEDED]);
  });

  test("does not disable an endpoint that was enabled again since it was first tried", async () => {
    await using shop = await openShop(["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    receiver.answer(500);
    await newCustomer(clients);
    await dispatch();
    await clients.webhooks.updateWebhookEndpoint({ endpoint: { id, enabled: false } });
    later(80 * hour);
    await clients.webhooks.updateWebhookEndpoint({ endpoint: { id, enabled: true } });
    await dispatch();
    expect((await deliveriesOf(shop)).map(({ state }) => state)).toEqual([State.FAILED]);
    expect((await clients.webhooks.getWebhookEndpoint({ id })).endpoint!.enabled).toBe(true);
  });

  test("does not disable an endpoint that accepts others", async () => {
    await using shop = await openShop(["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    receiver.answer(500);
    await newCustomer(clients);
    await dispatch();
    receiver.answer(200);
    later(1_000);
    await newCustomer(clients, "eve@example.com");
    await dispatch();
    receiver.answer(500);
    for (let hours = 0; hours < 75; hours++) {
      later(hour);
      await dispatch();
    }
    expect((await deliveriesOf(shop)).map(({ state }) => state).sort()).toEqual([State.SUCCEEDED, State.FAILED]);
    expect((await clients.webhooks.getWebhookEndpoint({ id })).endpoint!.enabled).toBe(true);
  });
});

test("an endpoint that does not answer keeps no other waiting", async () => {
  await using slow = await openShop(["customer.*"]);
  await using quick = await openShop(["customer.*"]);
  slow.receiver.answer(() => {});
  for (let n = 0; n < 12; n++) await newCustomer(slow.clients, `slow${n}@example.com`);
  for (let n = 0; n < 5; n++) await newCustomer(quick.clients, `quick${n}@example.com`);
  const dispatched = dispatch();
  await quick.receiver.got(5);
  expect(slow.receiver.received.length).toBeLessThanOrEqual(3);
  slow.receiver.answer(200);
  await slow.receiver[Symbol.asyncDispose]();
  await dispatched;
});

test("a tenant whose endpoints do not answer keeps no other waiting", async () => {
  await using slow = await openShop(["customer.*"]);
  await using quick = await openShop(["customer.*"]);
  slow.receiver.answer(() => {});
  const { webhooks } = slow.clients;
  for (let n = 0; n < 11; n++) {
    await webhooks.createWebhookEndpoint({ endpoint: { url: slow.receiver.url, eventTypes: ["customer.*"] } });
  }
  for (let n = 0; n < 3; n++) await newCustomer(slow.clients, `slow${n}@example.com`);
  for (let n = 0; n < 5; n++) await newCustomer(quick.clients, `quick${n}@example.com`);
  const dispatched = dispatch();
  await quick.receiver.got(5);
  expect(slow.receiver.received.length).toBeLessThanOrEqual(6);
  for (const { id } of (await webhooks.listWebhookEndpoints({ pageSize: 100 })).endpoints) {
    if (id !== slow.endpointId) await webhooks.deleteWebhookEndpoint({ id });
  }
  slow.receiver.answer(200);
  await slow.receiver[Symbol.asyncDispose]();
  await dispatched;
});

test("a sender that is stopped waits for what is on its way, and leaves the rest for later", async () => {
  await using shop = await openShop(["customer.*"]);
  for (let n = 0; n < 12; n++) await newCustomer(shop.clients, `stopped${n}@example.com`);
  await tasksOf(built.deps).make_webhook_deliveries!();
  const stopping = new AbortController();
  shop.receiver.answer((res) => {
    stopping.abort();
    res.writeHead(200).end();
  });
  await tasksOf(built.deps, stopping.signal).send_webhook_deliveries!();
  const states = (await deliveriesOf(shop)).map(({ state }) => state);
  const sent = states.filter((state) => state === State.SUCCEEDED).length;
  expect(sent).toBe(shop.receiver.received.length);
  expect(sent).toBeLessThanOrEqual(3);
  expect(states.filter((state) => state === State.PENDING)).toHaveLength(12 - sent);
});

test("replicas that dispatch at the same time send each event once", async () => {
  await using shop = await openShop(["customer.*"]);
  for (let n = 0; n < 30; n++) await newCustomer(shop.clients, `c${n}@example.com`);
  await Promise.all([dispatch(), dispatch(), dispatch(), dispatch()]);
  const ids = shop.receiver.received.map(({ headers }) => headers["clientele-event-id"]);
  expect([ids.length, new Set(ids).size]).toEqual([30, 30]);
});

test("a delivery whose sender died is sent again", async () => {
  await using shop = await openShop(["customer.*"]);
  await newCustomer(shop.clients);
  const sender = built.deps.webhookSender;
  const lost = { ...built.deps, webhookSender: { ...sender, send: () => Promise.reject(new Error("killed")) } };
  await expect(dispatch(lost)).rejects.toThrow();
  await dispatch();
  expect(shop.receiver.received).toEqual([]);
  later(60_000);
  await dispatch();
  expect(typesOf(shop.receiver.received)).toEqual(["customer.created"]);
});

test("deliveries are forgotten after 30 days, those that wait for a disabled endpoint too", async () => {
  await using shop = await openShop(["customer.*"]);
  await using disabled = await openShop(["customer.*"]);
  disabled.receiver.answer(500);
  for (const { clients } of [shop, disabled]) await newCustomer(clients);
  await dispatch();
  await disabled.clients.webhooks.updateWebhookEndpoint({ endpoint: { id: disabled.endpointId, enabled: false } });
  const forget = async () => {
    await tasksOf(built.deps).forget_webhook_deliveries!();
    return [...(await deliveriesOf(shop)), ...(await deliveriesOf(disabled))].map(({ state }) => state);
  };
  later(30 * 24 * hour);
  expect(await forget()).toEqual([State.SUCCEEDED, State.PENDING]);
  later(1);
  expect(await forget()).toEqual([]);
});

test("without a key of the deployment an endpoint is refused", async () => {
  await using bare = await startClientele({}, { CLIENTELE_SECRET_KEY: "" });
  const { test: clients } = await bare.createAccount();
  const made = clients.webhooks.createWebhookEndpoint({ endpoint: { url: "https://8.8.8.8" } });
  expect(await failureOf(made)).toMatchObject({ reason: "SECRET_KEY_MISSING" });
});
