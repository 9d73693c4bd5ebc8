import { once } from "node:events";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SettingsPreset } from "../gen/clientele/v1/accounts_pb.js";
import { readConfig } from "../src/config.js";
import { buildDeps } from "../src/deps.js";
import { startJobs, tasksOf } from "../src/jobs.js";
import { useClientele } from "./support/clientele.js";
import { failureOf } from "./support/errors.js";
import { createShopper, signIn, signInById } from "./support/shoppers.js";

const month = 30 * 24 * 60 * 60 * 1000;
let now = new Date("2026-03-01T12:00:00Z");
let built: Awaited<ReturnType<typeof buildDeps>>;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  const config = readConfig({ CLIENTELE_LOG_LEVEL: "silent" });
  built = await buildDeps(config, clientele.databaseUrl, { clock: () => now });
});
afterAll(async () => {
  await built.close();
});

// As the worker runs it; what it is told of the job does not matter to ours.
const runJob = async (name: string) => await tasksOf(built.deps)[name]!();

test("a softly deleted customer is purged when its purge_time has come, and not before", async () => {
  const { test: clients } = await clientele.createAccount();
  const { customer } = await clients.customers.createCustomer({
    customer: { id: "c1", email: "ada@example.com", externalReferences: [{ name: "stripe", id: "1" }] },
  });
  const home = { line1: "123 Main St", city: "Austin", country: "US" };
  const { address } = await clients.addresses.createAddress({ customerId: "c1", address: home });
  await clients.paymentMethods.setDefaultPaymentMethod({ customerId: "c1", id: "cct_sandbox_purged" });
  const { checkout } = await clients.checkouts.createCheckout({
    checkout: { customerId: "c1", url: "https://shop.example" },
  });
  const { order } = await clients.orders.createOrder({ checkoutId: checkout!.id });
  const deleted = await clients.customers.deleteCustomer({ id: "c1" });
  const purgeTime = now.getTime() + month;
  expect(Number(deleted.customer!.purgeTime!.seconds) * 1000).toBe(purgeTime);

  now = new Date(purgeTime - 1);
  await runJob("purge_customers");
  expect((await clients.customers.getCustomer({ id: "c1" })).customer!.email).toBe(customer!.email);

  now = new Date(purgeTime);
  await runJob("purge_customers");
  expect(await failureOf(clients.customers.getCustomer({ id: "c1" }))).toMatchObject({ code: "NotFound" });
  const gone = clients.addresses.getAddress({ customerId: "c1", id: address!.id });
  expect(await failureOf(gone)).toMatchObject({ code: "NotFound" });
  const again = clients.customers.createCustomer({ customer: { id: "c1", email: "b@example.com" } });
  expect(await failureOf(again)).toMatchObject({ reason: "CUSTOMER_ID_TAKEN" });
  expect((await clients.orders.listOrders({ customerId: "c1" })).orders).toEqual([order]);
  const events = await clientele.db("events").where({ customer_id: "c1" }).orderBy("position").pluck("type");
  expect(events.slice(-3).sort()).toEqual(["address.deleted", "customer.purged", "payment_method.detached"]);
});

test("a customer that is kept for ever, or was brought back, is not purged", async () => {
  const { test: kept } = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
  const { test: back } = await clientele.createAccount();
  const make = async (clients: typeof kept) => {
    const { customer } = await clients.customers.createCustomer({ customer: { email: "ada@example.com" } });
    await clients.customers.deleteCustomer({ id: customer!.id });
    return customer!.id;
  };
  const [keptId, backId] = [await make(kept), await make(back)];
  await back.customers.undeleteCustomer({ id: backId });
  now = new Date(now.getTime() + 2 * month);
  await runJob("purge_customers");
  expect((await kept.customers.getCustomer({ id: keptId })).customer!.email).toBe("ada@example.com");
  expect((await back.customers.getCustomer({ id: backId })).customer!.email).toBe("ada@example.com");
});

test("customers that are due are purged once by replicas that run the job at the same time", async () => {
  const { test: clients } = await clientele.createAccount();
  const ids = Array.from({ length: 20 }, (_, index) => `due-${index}`);
  for (const id of ids) {
    await clients.customers.createCustomer({ customer: { id, email: `${id}@example.com` } });
    await clients.customers.deleteCustomer({ id });
  }
  now = new Date(now.getTime() + 2 * month);
  await Promise.all(Array.from({ length: 5 }, () => runJob("purge_customers")));
  const purged = await clientele.db("events").where({ type: "customer.purged" }).whereIn("customer_id", ids);
  expect(purged.map((event) => event.customer_id).sort()).toEqual([...ids].sort());
});

test("answers for an Idempotency-Key are forgotten after 24 hours", async () => {
  const { test: clients } = await clientele.createAccount();
  const headers = { "idempotency-key": "k1" };
  await clients.customers.createCustomer({ customer: { email: "ada@example.com" } }, { headers });
  const count = async () => Number((await clientele.db("idempotency_keys").count("* as n").first())!.n);
  expect(await count()).toBe(1);
  now = new Date(now.getTime() + 24 * 60 * 60 * 1000);
  await runJob("forget_idempotency_keys");
  expect(await count()).toBe(0);
});

test("the worker starts on an empty database, runs a job that it is given, and stops", async () => {
  const jobs = await startJobs(built.deps, clientele.databaseUrl);
  const completed = once(jobs.events, "job:complete");
  await clientele.db.raw("select graphile_worker.add_job('purge_customers')");
  const [{ job, error }] = await completed;
  expect([job.task_identifier, error ?? null]).toEqual(["purge_customers", null]);
  await jobs.stop();
});

test("events get their numbers also where nobody reads them", async () => {
  const { test: clients } = await clientele.createAccount();
  await clients.customers.createCustomer({ customer: { email: "ada@example.com" } });
  await runJob("number_events");
  expect(await clientele.db("events").whereNull("id")).toEqual([]);
});

test("a customer token is forgotten 30 days after it has expired, and not before", async () => {
  const { test: clients } = await clientele.createAccount();
  const { id } = await createShopper(clients);
  const { token } = await signInById(clients, id);
  const expired = now.getTime() + 24 * 60 * 60 * 1000;
  const ids = async (): Promise<string[]> => await clientele.db("customer_tokens").pluck("id");
  now = new Date(expired + month - 1);
  await runJob("forget_customer_tokens");
  expect(await ids()).toContain(token.id);
  now = new Date(expired + month);
  await runJob("forget_customer_tokens");
  expect(await ids()).not.toContain(token.id);
});

test("failed log-ins are forgotten after a day, where one succeeded after 30", async () => {
  const { test: clients } = await clientele.createAccount();
  const { email } = await createShopper(clients);
  const count = async () => (await clientele.db("login_attempts")).length;
  await signIn(clients, email);
  await failureOf(signIn(clients, "nobody@example.com"));
  expect(await count()).toBe(4);
  const began = now.getTime();
  now = new Date(began + 24 * 60 * 60 * 1000);
  await runJob("forget_login_attempts");
  expect(await count()).toBe(1);
  now = new Date(began + month);
  await runJob("forget_login_attempts");
  expect(await count()).toBe(0);
});
