import { expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { ErasureState } from "../../../gen/clientele/v1/privacy_pb.js";
import { houston } from "../../support/addresses.js";
import type { Clients, TestAccount } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { dumpOf, tracesOf } from "../../support/dumps.js";
import { failureOf } from "../../support/errors.js";
import { plain } from "../../support/images.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { newToken } from "../../support/payment-methods.js";
import { day, useTimedClientele } from "../../support/time.js";

const timed = useTimedClientele();
const { clientele } = timed;

const typesOf = async (customerId: string): Promise<string[]> =>
  await clientele.db("events").where({ customer_id: customerId }).orderBy("position").pluck("type");
const countOf = (types: readonly string[], type: string) => types.filter((one) => one === type).length;

test("50 erasure requests for one customer at once get the same erasure", async () => {
  const account = await clientele.createAccount();
  const { id: customerId } = await createCustomer(account.test);
  const callers = createCallers(clientele, account.testKey);
  const { answers, failures } = await allAtOnce(callers, ({ privacy }) => privacy.requestErasure({ customerId }));
  expect(failures).toEqual([]);
  expect(new Set(answers.map(({ erasure }) => erasure!.id)).size).toBe(1);
  const types = await typesOf(customerId);
  expect([countOf(types, "erasure.completed"), countOf(types, "customer.erased")]).toEqual([1, 1]);
});

test("of 50 requests and cancellations at once, each changes the state that the one before left", async () => {
  const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const { id } = await createCustomer(account.test);
  const callers = createCallers(clientele, account.testKey);
  const { failures } = await allAtOnce(callers, ({ customers }, index) =>
    customers.updateCustomer({ customer: { id, requestToBeForgotten: index % 2 === 0 } }),
  );
  expect(failures).toEqual([]);
  const erasures = await clientele.db("erasures").where({ customer_id: id });
  const standing = erasures.filter(({ state }) => state === "scheduled");
  const { customer } = await account.test.customers.getCustomer({ id });
  expect(standing).toHaveLength(customer!.requestToBeForgotten ? 1 : 0);
  const types = await typesOf(id);
  expect(countOf(types, "erasure.requested")).toBe(erasures.length);
  expect(countOf(types, "erasure.cancelled")).toBe(erasures.length - standing.length);
});

test("50 callers that cancel an erasure at once cancel it once, and all get the answer", async () => {
  const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const { id: customerId } = await createCustomer(account.test);
  const { erasure } = await account.test.privacy.requestErasure({ customerId });
  const callers = createCallers(clientele, account.testKey);
  const { answers, failures } = await allAtOnce(callers, ({ privacy }) => privacy.cancelErasure({ id: erasure!.id }));
  expect(failures).toEqual([]);
  expect(new Set(answers.map((answer) => answer.erasure!.etag)).size).toBe(1);
  expect(countOf(await typesOf(customerId), "erasure.cancelled")).toBe(1);
});

test("replicas that run the job at once erase each customer that is due once", async () => {
  const { test: clients } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const ids = await Promise.all(Array.from({ length: 20 }, async () => (await createCustomer(clients)).id));
  for (const customerId of ids) await clients.privacy.requestErasure({ customerId });
  timed.pass(30 * day);
  await Promise.all(Array.from({ length: 5 }, () => timed.runJob("erase_customers")));
  const { erasures } = await clients.privacy.listErasures({ pageSize: 100 });
  expect(erasures.map(({ state }) => state)).toEqual(ids.map(() => ErasureState.COMPLETED));
  for (const id of ids) expect(countOf(await typesOf(id), "customer.erased")).toBe(1);
});

// Everything that writes for a customer, with a value that would stay if it came too late.
const writes: ((clients: Clients, customerId: string, value: string) => Promise<unknown>)[] = [
  ({ customers }, id, name) => customers.updateCustomer({ customer: { id, name } }, keyOf(name)),
  ({ addresses }, customerId, label) =>
    addresses.createAddress({ customerId, address: { ...houston, label } }, keyOf(label)),
  ({ paymentMethods }, customerId, label) =>
    paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id: newToken(), label } }, keyOf(label)),
  ({ checkouts }, customerId, displayName) =>
    checkouts.createCheckout(
      { checkout: { customerId, url: "https://shop.example", displayName } },
      keyOf(displayName),
    ),
  async ({ photos }, customerId, value) =>
    photos.uploadPhoto({ customerId, content: await plain("png") }, keyOf(value)),
  ({ customers }, _id, email) =>
    customers.getOrCreateCustomer({ customer: { email: `${email}@example.com` }, lookup: 1 }, keyOf(email)),
];
const keyOf = (value: string) => ({ headers: { "idempotency-key": value } });

async function eraseAmongWrites(account: TestAccount, round: number): Promise<void> {
  const value = (index: number) => `canary-${round}-${index}`;
  const { id } = await createCustomer(account.test, { email: `${value(5)}@example.com` });
  const callers = createCallers(clientele, account.testKey, 50);
  const { failures } = await allAtOnce(callers, (clients, index) => {
    if (index === 20) return clients.privacy.requestErasure({ customerId: id });
    // The last of them finds the customer, or makes another one.
    return writes[index % writes.length]!(clients, id, index % 6 === 5 ? value(5) : value(index));
  });
  expect(failures.filter(({ code }) => code !== "NotFound" && code !== "FailedPrecondition")).toEqual([]);
  expect(await failureOf(account.test.customers.getCustomer({ id }))).toMatchObject({ code: "NotFound" });
  const traces = (await dumpOf(clientele.db)).split("\n").filter((line) => line.includes(`canary-${round}-`));
  // What is left is the other customer's, who has the address that is free now.
  const [other] = await clientele.db("customers").where({ email: `${value(5)}@example.com` });
  expect(traces.filter((line) => other === undefined || !line.includes(other.id))).toEqual([]);
}

test("of 49 writes at the time of an erasure none leaves anything behind", { timeout: 90_000 }, async () => {
  const account = await clientele.createAccount();
  for (let round = 0; round < 5; round++) await eraseAmongWrites(account, round);
});

// It locks no customer, and its answer tells of one.
test("a cancellation of a checkout that is answered during the erasure of its customer leaves nothing behind", async () => {
  const { test: clients } = await clientele.createAccount();
  const { id: customerId } = await createCustomer(clients);
  const asked = { customerId, url: "https://shop.example", displayName: "canary-of-the-checkout" };
  const { checkout } = await clients.checkouts.createCheckout({ checkout: asked });
  const cancels = await clientele.db.transaction();
  await cancels.raw("select pg_advisory_xact_lock(4711)");
  await clientele.db.raw(
    `create function hold() returns trigger language plpgsql as
       $$ begin perform pg_advisory_xact_lock(4711); return new; end $$;
     create trigger hold before update on idempotency_keys for each row execute function hold();`,
  );
  const cancelled = clients.checkouts.cancelCheckout({ id: checkout!.id }, keyOf("cancel"));
  await expect.poll(() => waitingFor("advisory")).toBe(1);
  const erased = clients.privacy.requestErasure({ customerId });
  await expect.poll(() => waitingFor("transactionid")).toBe(1);
  await cancels.commit();
  await Promise.all([cancelled, erased]);
  await clientele.db.raw("drop trigger hold on idempotency_keys; drop function hold();");
  expect(tracesOf(asked.displayName, await dumpOf(clientele.db))).toEqual([]);
});

// It copies what was sent, and a token was among it.
test("a redelivery that is requested during the erasure of its event's customer leaves nothing behind", async () => {
  const { test: clients } = await clientele.createAccount();
  const { id: customerId } = await createCustomer(clients);
  const token = newToken();
  await clients.paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id: token } });
  const { checkout } = await clients.checkouts.createCheckout({
    checkout: { customerId, url: "https://shop.example" },
  });
  const { webhookEndpoint } = await clients.webhooks.createWebhookEndpoint({
    webhookEndpoint: { url: "http://127.0.0.1:9/" },
  });
  const { tenant_id } = await clientele.db("customers").where({ id: customerId }).first("tenant_id");
  await clientele.db("webhook_deliveries").insert({
    tenant_id,
    id: "whd_01000000000000000000000000",
    endpoint_id: webhookEndpoint!.id,
    event_id: "evt_1",
    event_type: "payment_method.attached",
    payload: JSON.stringify({ resourceId: token, customerId, type: "payment_method.attached" }),
    state: "succeeded",
    create_time: new Date(),
  });
  const buyer = await clientele.db.transaction();
  await buyer("checkouts").where({ id: checkout!.id }).forUpdate();
  const erased = clients.privacy.requestErasure({ customerId });
  await expect.poll(() => waitingFor("transactionid")).toBe(1);
  const repeated = clients.webhooks.redeliverWebhookDelivery({
    webhookEndpointId: webhookEndpoint!.id,
    id: "whd_01000000000000000000000000",
  });
  await expect.poll(() => waitingFor("transactionid")).toBe(2);
  await buyer.commit();
  await Promise.all([erased, repeated]);
  expect(await clientele.db("webhook_deliveries").where({ tenant_id })).toHaveLength(2);
  expect(await dumpOf(clientele.db)).not.toContain(token);
});

async function waitingFor(locktype: string): Promise<number> {
  const waiting = clientele.db("pg_locks").where({ locktype, granted: false });
  return Number((await waiting.count({ count: "*" }))[0]!.count);
}
