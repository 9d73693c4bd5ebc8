import { afterAll, beforeAll, expect, test } from "vitest";
import { readConfig } from "../../../src/config.js";
import { buildDeps } from "../../../src/deps.js";
import { makeDeliveries } from "../../../src/resources/webhooks/dispatch.js";
import { useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { openWebhookShop, type Shop } from "../../support/webhook-receiver.js";

let built: Awaited<ReturnType<typeof buildDeps>>;
const clientele = useClientele();
beforeAll(async () => {
  built = await buildDeps(readConfig({ CLIENTELE_LOG_LEVEL: "silent" }), clientele.databaseUrl);
});
afterAll(async () => {
  await built.close();
});

async function tenantOf({ endpointId }: Shop): Promise<string> {
  return (await clientele.db("webhook_endpoints").where({ id: endpointId }).first()).tenant_id;
}

async function deliveriesTo({ endpointId }: Shop): Promise<number> {
  return (await clientele.db("webhook_deliveries").where({ endpoint_id: endpointId })).length;
}

// As many changes of one customer.
async function change(shop: Shop, count: number): Promise<void> {
  await createCustomer(shop.clients);
  await clientele.db.raw(
    `insert into events (tenant_id, type, resource_id, customer_id, changed_paths, actor, actor_kind, create_time)
     select tenant_id, type, resource_id, customer_id, changed_paths, actor, actor_kind, create_time
     from events, generate_series(2, ?) where tenant_id = ? and type = 'customer.created'`,
    [count, await tenantOf(shop)],
  );
}

test("endpoints that are far behind take turns", async () => {
  await using first = await openWebhookShop(clientele, ["customer.*"]);
  await using second = await openWebhookShop(clientele, ["customer.*"]);
  await Promise.all([first, second].map((shop) => change(shop, 450)));
  const stopping = new AbortController();
  let made = 0;
  const newId = (prefix: string) => {
    // In the second turn.
    if (++made > 200) stopping.abort();
    return built.deps.newId(prefix);
  };
  await makeDeliveries({ ...built.deps, newId }, stopping.signal);
  expect(await Promise.all([first, second].map(deliveriesTo))).toEqual([200, 200]);
  await makeDeliveries(built.deps);
  expect(await Promise.all([first, second].map(deliveriesTo))).toEqual([450, 450]);
});

test("a tenant whose events cannot be had keeps no other waiting", async () => {
  await using first = await openWebhookShop(clientele, ["customer.*"]);
  await using second = await openWebhookShop(clientele, ["customer.*"]);
  for (const [held, other] of [
    [first, second],
    [second, first],
  ] as const) {
    await Promise.all([held, other].map((shop) => createCustomer(shop.clients)));
    const [before, own] = await Promise.all([deliveriesTo(other), deliveriesTo(held)]);
    const holder = await clientele.db.transaction();
    await holder("event_logs")
      .where("tenant_id", await tenantOf(held))
      .forUpdate()
      .first();
    await makeDeliveries(built.deps).finally(() => holder.rollback());
    expect([await deliveriesTo(other), await deliveriesTo(held)]).toEqual([before + 1, own]);
    await makeDeliveries(built.deps);
    expect(await deliveriesTo(held)).toBe(own + 1);
  }
});
