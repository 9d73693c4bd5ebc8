import { beforeAll, beforeEach, expect, test } from "vitest";
import { DeletionMode } from "../../../gen/clientele/v1/accounts_pb.js";
import { AttentionReason, type CustomerOverview } from "../../../gen/clientele/v1/customers_pb.js";
import { readConfig } from "../../../src/config.js";
import { serve } from "../../../src/serve.js";
import { startProxy } from "../../db/proxy.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, clientsOn, transports, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";

const start = new Date("2026-03-01T12:00:00Z");
const day = 24 * 60 * 60 * 1000;
let now = start;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});
beforeEach(() => {
  now = start;
});

async function overviewOf(id: string, by = clients): Promise<CustomerOverview> {
  const { overview } = await by.customers.getCustomerOverview({ id });
  return overview!;
}

/** A customer with two addresses, two cards and checkouts in every state, of which `orders` are completed. */
async function createBuyer(by: Clients, orders: number): Promise<string> {
  const { id: customerId } = await createCustomer(by);
  await createAddress(by, customerId, { label: "Home" });
  await createAddress(by, customerId);
  await attachPaymentMethod(by, customerId, { label: "Default" });
  await attachPaymentMethod(by, customerId);
  await createCheckout(by, { customerId });
  now = new Date(start.getTime() + day);
  for (let place = 0; place < orders; place++) {
    now = new Date(now.getTime() + 1);
    const { id } = await createCheckout(by, { customerId, displayName: `Order ${place}` });
    await by.orders.createOrder({ checkoutId: id });
  }
  const { id } = await createCheckout(by, { customerId });
  await by.checkouts.cancelCheckout({ id });
  for (let pending = 0; pending < 3; pending++) await createCheckout(by, { customerId });
  return customerId;
}

test("an overview shows what a customer is, has and bought last", async () => {
  const customerId = await createBuyer(clients, 7);
  // Another customer's do not count.
  await createBuyer(clients, 1);
  const overview = await overviewOf(customerId);
  const { addresses } = await clients.addresses.listAddresses({ customerId });
  const { paymentMethods } = await clients.paymentMethods.listPaymentMethods({ customerId });
  const { orders } = await clients.orders.listOrders({ customerId, pageSize: 5 });
  expect(overview).toMatchObject({
    customer: await getCustomer(clients, customerId),
    defaultAddress: addresses.find(({ label }) => label === "Home"),
    defaultPaymentMethod: paymentMethods.find(({ label }) => label === "Default"),
    addressCount: 2,
    paymentMethodCount: 2,
    // One that is due has failed before the job tells so.
    checkoutCounts: { pending: 3, completed: 7, failed: 1, cancelled: 1 },
    orderCount: 7,
    attention: [],
  });
  expect(overview.lastOrders.map(({ displayName }) => displayName)).toEqual(
    [6, 5, 4, 3, 2].map((place) => `Order ${place}`),
  );
  expect(overview.lastOrders).toEqual(
    orders.map(({ id, checkoutId, url, displayName, createTime }) =>
      expect.objectContaining({ id, checkoutId, url, displayName, createTime }),
    ),
  );
});

test("an overview of a customer without belongings is empty", async () => {
  const { id } = await createCustomer(clients);
  const overview = await overviewOf(id);
  expect(overview).toMatchObject({ addressCount: 0, paymentMethodCount: 0, orderCount: 0, lastOrders: [] });
  expect(overview.checkoutCounts).toMatchObject({ pending: 0, completed: 0, failed: 0, cancelled: 0 });
  expect([overview.defaultAddress, overview.defaultPaymentMethod]).toEqual([undefined, undefined]);
});

const { CUSTOMER_DISABLED, NO_DEFAULT_ADDRESS, NO_DEFAULT_PAYMENT_METHOD } = AttentionReason;
const { DEFAULT_PAYMENT_METHOD_EXPIRED, DEFAULT_PAYMENT_METHOD_EXPIRES_SOON } = AttentionReason;
const monthBefore = 30 * day;

const attentions: { name: string; has: readonly string[]; before?: number; want: readonly AttentionReason[] }[] = [
  { name: "nothing", has: ["address", "card"], want: [] },
  { name: "that nothing is there", has: [], want: [NO_DEFAULT_ADDRESS, NO_DEFAULT_PAYMENT_METHOD] },
  { name: "a missing address", has: ["card"], want: [NO_DEFAULT_ADDRESS] },
  { name: "a missing card", has: ["address"], want: [NO_DEFAULT_PAYMENT_METHOD] },
  { name: "an expired card", has: ["address", "expired card"], want: [DEFAULT_PAYMENT_METHOD_EXPIRED] },
  {
    name: "a card that expires in 30 days",
    has: ["address", "card"],
    before: monthBefore,
    want: [DEFAULT_PAYMENT_METHOD_EXPIRES_SOON],
  },
  { name: "no card that expires later", has: ["address", "card"], before: monthBefore + 1, want: [] },
  {
    name: "a card that expires in a moment",
    has: ["address", "card"],
    before: 1,
    want: [DEFAULT_PAYMENT_METHOD_EXPIRES_SOON],
  },
  {
    name: "a card that expired this moment",
    has: ["address", "card"],
    before: 0,
    want: [DEFAULT_PAYMENT_METHOD_EXPIRED],
  },
  { name: "that it is disabled", has: ["address", "card", "disabled"], want: [CUSTOMER_DISABLED] },
  {
    name: "everything at once",
    has: ["expired card", "disabled"],
    want: [CUSTOMER_DISABLED, NO_DEFAULT_ADDRESS, DEFAULT_PAYMENT_METHOD_EXPIRED],
  },
  { name: "nothing of a deleted customer", has: ["deleted"], want: [] },
];

test.for(attentions)("an overview draws attention to $name", async ({ has, before, want }) => {
  const { id } = await createCustomer(clients);
  if (has.includes("address")) await createAddress(clients, id);
  const kind = ["card", "expired card"].find((one) => has.includes(one));
  const token = kind && newToken(kind.split(" ")[0]!);
  const method = token && (await attachPaymentMethod(clients, id, { id: token }));
  if (has.includes("disabled")) await clients.customers.updateCustomer({ customer: { id, enabled: false } });
  if (has.includes("deleted")) await clients.customers.deleteCustomer({ id });
  if (before !== undefined && method) now = new Date(Date.UTC(method.card!.expYear, method.card!.expMonth) - before);
  const { attention } = await overviewOf(id);
  expect(attention.map(({ reason }) => reason)).toEqual(want);
  const ofMethod = [DEFAULT_PAYMENT_METHOD_EXPIRED, DEFAULT_PAYMENT_METHOD_EXPIRES_SOON];
  for (const { reason, resourceId } of attention) expect(resourceId).toBe(ofMethod.includes(reason) ? token : "");
});

test("an overview of an absent, a foreign or a purged customer is NOT_FOUND", async () => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { deletion: { mode: DeletionMode.PERMANENT } });
  const { id } = await createCustomer(own);
  await own.customers.deleteCustomer({ id });
  const purged = await failureOf(overviewOf(id, own));
  expect(purged).toMatchObject({
    code: "NotFound",
    message: "The customer could not be found, please check the id.",
  });
  expect(await failureOf(overviewOf("cus_absent"))).toEqual(purged);
  expect(await failureOf(overviewOf((await createCustomer(own)).id))).toEqual(purged);
});

test("an overview takes one statement, so one round trip to Postgres", async () => {
  const { test: own, testKey } = await clientele.createAccount();
  const id = await createBuyer(own, 2);
  const proxy = await startProxy(clientele.databaseUrl);
  // Nobody else may send anything.
  const quiet = { CLIENTELE_LOG_LEVEL: "silent", CLIENTELE_JOBS: "false" };
  const config = readConfig({ CLIENTELE_HTTP_PORT: "0", CLIENTELE_GRPC_PORT: "0", ...quiet });
  const service = await serve(config, proxy.url, { clock: () => now });
  try {
    const httpUrl = `http://127.0.0.1:${service.httpPort}`;
    const through = clientsOn(
      transports["Connect in binary"]!({ httpUrl, grpcAddress: clientele.grpcAddress }, testKey),
    );
    // The key is known and the statement prepared by then.
    const first = await overviewOf(id, through);
    let sent = "";
    proxy.treat = (packet) => {
      sent += packet;
      return "forward";
    };
    expect(await overviewOf(id, through)).toEqual(first);
    expect(statementsIn(sent)).toEqual(["execute"]);
  } finally {
    await service.stop();
    await proxy.close();
  }
});

// The statements among the messages that a client sends, each a letter and a length. A time limit travels with one.
function statementsIn(sent: string): string[] {
  const found: string[] = [];
  for (let at = 0; at < sent.length; ) {
    const length = Buffer.from(sent.slice(at + 1, at + 5), "latin1").readUInt32BE();
    const text = sent.slice(at + 5, at + 1 + length);
    if (sent[at] === "E") found.push("execute");
    if (sent[at] === "Q" && !text.startsWith("SET statement_timeout")) found.push(text);
    at += 1 + length;
  }
  return found;
}
