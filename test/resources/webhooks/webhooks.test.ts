import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebhookDeliveryState as State } from "../../../gen/clientele/v1/webhooks_pb.js";
import { startClientele } from "../../support/clientele.js";
import { type Dispatching, startDispatching } from "../../support/dispatching.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { deliveriesOf, isSigned, newCustomer, openWebhookShop, typesOf } from "../../support/webhook-receiver.js";

const hour = 60 * 60 * 1000;
let service: Dispatching;
beforeAll(async () => {
  service = await startDispatching();
});
afterAll(() => service.stop());

describe("an endpoint", () => {
  test("gets each event after it was made, once, signed, and nothing personal", async () => {
    await using shop = await openWebhookShop(service.clientele, ["customer.*", "address.created"]);
    const id = await newCustomer(shop.clients);
    const address = { line1: "1 Canary St", city: "Austin", country: "US" };
    await shop.clients.addresses.createAddress({ customerId: id, address });
    await shop.clients.paymentMethods.setDefaultPaymentMethod({ customerId: id, id: `cct_sandbox_${id}` });
    await service.dispatch();
    await service.dispatch();
    const types = ["customer.created", "address.created", "customer.updated", "customer.updated"];
    expect(typesOf(shop.receiver.received).sort()).toEqual(types.sort());
    for (const received of shop.receiver.received) {
      expect(isSigned(received, shop.secret)).toBe(true);
      expect(received.body).not.toMatch(/ada@|Canary/);
      const { id: eventId, customerId } = JSON.parse(received.body);
      expect([received.headers["clientele-event-id"], customerId]).toEqual([eventId, id]);
    }
    const deliveries = await deliveriesOf(shop);
    expect(deliveries.map(({ state, attempts }) => [state, attempts.length, attempts[0]!.httpStatus])).toEqual(
      types.map(() => [State.SUCCEEDED, 1, 200]),
    );
  });

  test("gets no event from before it, nor from another tenant", async () => {
    const { test: clients } = await service.clientele.createAccount();
    await newCustomer(clients, "before@example.com");
    await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
    await using other = await openWebhookShop(service.clientele, ["customer.*"]);
    await newCustomer(other.clients);
    await service.dispatch();
    expect([shop.receiver.received.length, other.receiver.received.length]).toEqual([0, 1]);
  });

  test("shows its secret once: at its making and at a rotation, after which both sign for a day", async () => {
    await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    expect(shop.secret).toMatch(/^whsec_[\w-]{43}$/);
    const read = await clients.webhooks.getWebhookEndpoint({ id });
    expect(JSON.stringify(read, (_, value) => (typeof value === "bigint" ? String(value) : value))).not.toContain(
      shop.secret,
    );
    const rotated = await clients.webhooks.rotateWebhookEndpointSecret({ id });
    expect(rotated.secret).not.toBe(shop.secret);
    await newCustomer(clients);
    await service.dispatch();
    expect([shop.secret, rotated.secret].map((secret) => isSigned(receiver.received[0]!, secret))).toEqual([
      true,
      true,
    ]);
    service.later(24 * hour);
    await newCustomer(clients, "eve@example.com");
    await service.dispatch();
    expect([shop.secret, rotated.secret].map((secret) => isSigned(receiver.received[1]!, secret))).toEqual([
      false,
      true,
    ]);
    const dump = JSON.stringify([
      await service.clientele.db("webhook_endpoints"),
      await service.clientele.db("idempotency_keys"),
    ]);
    for (const secret of [shop.secret, rotated.secret]) expect(dump).not.toContain(secret.slice(6));
  });

  test("is changed, listed and deleted like every resource", async () => {
    await using shop = await openWebhookShop(service.clientele);
    const { clients, endpointId: id, receiver } = shop;
    const before = (await clients.webhooks.getWebhookEndpoint({ id })).webhookEndpoint!;
    const changes = {
      webhookEndpoint: { id, label: "orders", enabled: false },
      updateMask: { paths: ["label", "enabled"] },
    };
    const { webhookEndpoint } = await clients.webhooks.updateWebhookEndpoint(changes);
    expect(webhookEndpoint).toMatchObject({ label: "orders", enabled: false, url: receiver.url });
    const stale = clients.webhooks.updateWebhookEndpoint({ webhookEndpoint: { id, label: "x", etag: before.etag } });
    expect(await failureOf(stale)).toMatchObject({ reason: "ETAG_STALE" });
    expect((await clients.webhooks.listWebhookEndpoints({})).webhookEndpoints).toEqual([webhookEndpoint]);
    const unnamed = { id, url: "https://user:secret@8.8.8.8", label: "all orders" };
    const labelled = await clients.webhooks.updateWebhookEndpoint({
      webhookEndpoint: unnamed,
      updateMask: { paths: ["label"] },
    });
    expect(labelled.webhookEndpoint).toMatchObject({ label: "all orders", url: receiver.url });
    await newCustomer(clients);
    await service.dispatch();
    expect(receiver.received).toEqual([]);
    await clients.webhooks.updateWebhookEndpoint({ webhookEndpoint: { id, enabled: true } });
    await service.dispatch();
    expect(typesOf(receiver.received)).toContain("customer.created");
  });

  test("is pinged, also while it is disabled", async () => {
    await using shop = await openWebhookShop(service.clientele, ["customer.*"]);
    const { clients, endpointId: id, receiver } = shop;
    await clients.webhooks.updateWebhookEndpoint({ webhookEndpoint: { id, enabled: false } });
    const { webhookDelivery } = await clients.webhooks.pingWebhookEndpoint({ id });
    await service.dispatch();
    expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({
      id: webhookDelivery!.id,
      type: "webhook_endpoint.pinged",
      resourceId: id,
    });
    expect(isSigned(receiver.received[0]!, shop.secret)).toBe(true);
  });

  test("is refused with what is wrong with it", async () => {
    const { test: clients } = await service.clientele.createAccount();
    const create = (webhookEndpoint: object) => failureOf(clients.webhooks.createWebhookEndpoint({ webhookEndpoint }));
    expect(await create({ url: "" })).toMatchObject({ fields: { "webhook_endpoint.url": expect.any(String) } });
    expect(await create({ url: "shop" })).toMatchObject({ fields: { "webhook_endpoint.url": expect.any(String) } });
    const wrongType = { url: "https://8.8.8.8", eventTypes: ["customers"] };
    expect(await create(wrongType)).toMatchObject({
      fields: { "webhook_endpoint.event_types[0]": expect.any(String) },
    });
    const update = clients.webhooks.updateWebhookEndpoint({
      webhookEndpoint: { id: "whe_none", url: "https://8.8.8.8" },
    });
    expect(await failureOf(update)).toMatchObject({ code: "NotFound" });
  });
});

test("of 50 callers that make an endpoint at the same time 20 succeed", async () => {
  const { testKey } = await service.clientele.createAccount();
  const webhookEndpoint = { url: "https://8.8.8.8/hooks", eventTypes: ["order.created"] };
  const callers = createCallers(service.clientele, testKey);
  const { answers, failures } = await allAtOnce(callers, ({ webhooks }) =>
    webhooks.createWebhookEndpoint({ webhookEndpoint }),
  );
  expect(answers).toHaveLength(20);
  expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["WEBHOOK_ENDPOINT_LIMIT_REACHED"]));
});

test("without a key of the deployment an endpoint is refused", async () => {
  await using bare = await startClientele({}, { CLIENTELE_SECRET_KEY: "" });
  const { test: clients } = await bare.createAccount();
  const made = clients.webhooks.createWebhookEndpoint({ webhookEndpoint: { url: "https://8.8.8.8" } });
  expect(await failureOf(made)).toMatchObject({ reason: "SECRET_KEY_MISSING" });
});
