import { Code, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import type { Knex } from "knex";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import { OrderService } from "../../../gen/clientele/v1/orders_pb.js";
import type { Card, CardVault } from "../../../src/external/card-vault.js";
import { type Caller, callerKey } from "../../../src/rpc/callers/caller.js";
import { callInterceptor, prepared, withIdempotency } from "../../../src/rpc/calls/call.js";
import { hashOfKey } from "../../../src/rpc/calls/idempotency.js";
import { rpcError, unavailable } from "../../../src/rpc/errors.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { newToken } from "../../support/payment-methods.js";
import { url } from "../../support/purchases.js";

const poolSize = 3;
const card: Card = { brand: "visa", last4: "4242", expMonth: 12, expYear: 2040 };

/** What waits for the vault, in the order in which it was asked; the first argument ends the waiting. */
const asked: { answer(card: Card): void; fail(error: Error): void }[] = [];
const stalledVault: CardVault = {
  describe: () => new Promise((answer, fail) => asked.push({ answer, fail })),
};

let clients: Clients;
const clientele = useClientele({ cardVault: stalledVault }, { CLIENTELE_POOL_SIZE: String(poolSize) });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});
beforeEach(() => {
  asked.length = 0;
});

async function busyConnections(): Promise<number> {
  const { rows } = await clientele.db.raw(
    "select 1 from pg_stat_activity where datname = current_database() and application_name = 'clientele' and state <> 'idle'",
  );
  return rows.length;
}

async function allAsked(count: number): Promise<void> {
  await vi.waitFor(() => expect(asked).toHaveLength(count));
}

const uses: { name: string; use: (customerId: string, id: string, key: string) => Promise<unknown> }[] = [
  {
    name: "AttachPaymentMethod",
    use: (customerId, id, key) =>
      clients.paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id } }, withKey(key)),
  },
  {
    name: "SetDefaultPaymentMethod",
    use: (customerId, id, key) => clients.paymentMethods.setDefaultPaymentMethod({ customerId, id }, withKey(key)),
  },
  {
    name: "CreateCustomer",
    use: (_, defaultPaymentMethodId, key) =>
      clients.customers.createCustomer(
        { customer: { email: `${defaultPaymentMethodId}@example.com`, defaultPaymentMethodId } },
        withKey(key),
      ),
  },
  {
    name: "CreateCheckout",
    use: (customerId, id, key) =>
      clients.checkouts.createCheckout({ checkout: { url, customerId, paymentMethodId: id } }, withKey(key)),
  },
];

function withKey(key: string) {
  return { headers: { "idempotency-key": key } };
}

test.for(uses)("while $name waits for the vault it holds no connection, with a key either", async ({ name, use }) => {
  const customers = await Promise.all(Array.from({ length: poolSize + 1 }, () => createCustomer(clients)));
  const calls = customers.map(({ id }, index) => use(id, newToken(), `${name}-${index}`));
  await allAsked(poolSize + 1);
  expect(await busyConnections()).toBe(0);
  const others = await Promise.all(customers.map(({ id }) => getCustomer(clients, id)));
  expect(others).toHaveLength(poolSize + 1);
  for (const { answer } of asked) answer(card);
  await Promise.all(calls);
});

test.for(uses)("calls of $name with one key have one effect and one answer, and a replay asks nobody", async (of) => {
  const { id: customerId } = await createCustomer(clients);
  const token = newToken();
  const use = () => of.use(customerId, token, `${of.name}-same`);
  const calls = [use(), use(), use(), use()];
  await allAsked(4);
  for (const { answer } of asked) answer(card);
  const [first, ...others] = await Promise.all(calls);
  expect(others).toEqual([first, first, first]);
  expect(await use()).toEqual(first);
  expect(asked).toHaveLength(4);
});

test("a call whose preparation fails gets the answer that another one with its key got meanwhile", async () => {
  const { id: customerId } = await createCustomer(clients);
  const token = newToken();
  const attach = () =>
    clients.paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id: token } }, withKey("meanwhile"));
  const calls = [attach(), attach()];
  await allAsked(2);
  asked[0]!.answer(card);
  const first = await Promise.race(calls);
  asked[1]!.fail(unavailable());
  expect(await Promise.all(calls)).toEqual([first, first]);
});

test("a call whose preparation fails is not remembered", async () => {
  const { id: customerId } = await createCustomer(clients);
  const attach = (id: string) =>
    clients.paymentMethods.attachPaymentMethod({ customerId, paymentMethod: { id } }, withKey("failed"));
  const failed = failureOf(attach(newToken()));
  await allAsked(1);
  asked[0]!.fail(unavailable());
  expect(await failed).toMatchObject({ code: "Unavailable", retryable: true });
  const again = attach(newToken());
  await allAsked(2);
  asked[1]!.answer(card);
  expect((await again).paymentMethod).toMatchObject({ card: { last4: "4242" } });
});

// A service that tells what it sees, on the database of the other tests.
function orders(db: Knex, answer: () => { order: { id: string } }, afterwards: () => void) {
  const asCaller: Interceptor = (next) => async (req) => {
    const { tenant_id: tenantId } = await db("tenants").first("tenant_id");
    req.contextValues.set(callerKey, { kind: "secret_key", tenantId } as Caller);
    return await next(req);
  };
  const opening = callInterceptor({ db, clock: () => new Date(), publicUrl: () => "", announce: () => {} });
  const createOrder = prepared(async () => async (call) => {
    call.afterCommit(afterwards);
    return answer();
  });
  const unserved = () => expect.fail("nobody calls it");
  const routes = createRouterTransport(
    ({ service }) =>
      service(OrderService, withIdempotency(OrderService, { createOrder, getOrder: unserved, listOrders: unserved })),
    { router: { interceptors: [asCaller, opening] } },
  );
  return createClient(OrderService, routes);
}

test.for([undefined, "committed"])("work for after the commit is done after it, with the key %s", async (key) => {
  const kept = () => clientele.db("idempotency_keys").where({ key_hash: hashOfKey("committed") });
  let seen: Promise<unknown[]> | undefined;
  const client = orders(
    clientele.db,
    () => ({ order: { id: "ord_1" } }),
    () => {
      seen = kept().then((rows) => rows);
    },
  );
  await client.createOrder({ checkoutId: "chk_1" }, key === undefined ? {} : withKey(key));
  expect(await seen).toHaveLength(key === undefined ? 0 : 1);
});

test("a failed call skips the work that it left for after the commit", async () => {
  const afterwards = vi.fn();
  const fail = () => {
    throw rpcError("CONFLICT", "It failed.");
  };
  const client = orders(clientele.db, fail, afterwards);
  await expect(client.createOrder({ checkoutId: "chk_1" }, withKey("fails"))).rejects.toMatchObject({
    code: Code.Aborted,
  });
  expect(afterwards).not.toHaveBeenCalled();
});
