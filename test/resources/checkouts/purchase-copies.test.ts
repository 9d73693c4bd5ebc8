import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  DeletionMode,
  EmailUniqueness,
  PaymentMethodAttachment,
  PaymentMethodDetachment,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { readConfig } from "../../../src/config.js";
import { buildDeps } from "../../../src/deps.js";
import { tasksOf } from "../../../src/jobs.js";
import { createAddress, houston } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout, guest } from "../../support/purchases.js";

const now = new Date("2026-03-01T12:00:00Z");
let built: Awaited<ReturnType<typeof buildDeps>>;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  const config = readConfig({ CLIENTELE_LOG_LEVEL: "silent" });
  built = await buildDeps(config, clientele.databaseUrl, { clock: () => now });
});
afterAll(async () => {
  await built.close();
});

/** Whom an edit is about, and which of several it takes. */
interface Place {
  readonly clients: Clients;
  readonly tenantId: string;
  readonly customerId: string;
  readonly which: number;
}

// The id of one of the rows that the customer, or a guest, has; an absent one if there is none.
async function pick(table: string, { tenantId, customerId, which }: Place, customer: string | null = customerId) {
  const own = { tenant_id: tenantId, customer_id: customer };
  const ids: string[] = await clientele.db(table).where(own).orderBy("id").pluck("id");
  return ids[which % ids.length] ?? "absent";
}

const settings = [
  { deletion: { mode: DeletionMode.PERMANENT } },
  { deletion: { mode: DeletionMode.SOFT, purgeAfter: { seconds: 0n } } },
  { paymentMethodDetachment: PaymentMethodDetachment.REMOVE },
  { paymentMethodDetachment: PaymentMethodDetachment.CONSUME },
  { paymentMethodAttachment: PaymentMethodAttachment.EXPLICIT },
  { checkoutLifetime: { seconds: 60n } },
  { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED },
  { preset: SettingsPreset.DIGITAL_RIVER },
  { preset: SettingsPreset.OPEN },
];

// All that may happen to what a checkout copied. None of it changes any checkout or order.
const edits: Readonly<Record<string, (place: Place) => Promise<unknown>>> = {
  "write the customer": ({ clients, customerId: id, which }) => {
    const profile = { email: newEmail(), name: `Name ${which}`, phone: `+171355501${10 + which}`, locale: "de_CH" };
    const customer = { id, ...profile, type: CustomerType.BUSINESS, metadata: { which } };
    return clients.customers.updateCustomer({ customer });
  },
  "disable or enable the customer": ({ clients, customerId: id, which }) =>
    clients.customers.updateCustomer({ customer: { id, enabled: which % 2 === 0 } }),
  "write the default address with the customer": ({ clients, customerId: id, which }) =>
    clients.customers.updateCustomer({ customer: { id, shipping: { ...houston, line1: `${which} Main St` } } }),
  "add an address": ({ clients, customerId }) => createAddress(clients, customerId),
  "write an address": async (place) =>
    place.clients.addresses.updateAddress({
      customerId: place.customerId,
      address: { id: await pick("addresses", place), line1: `${place.which} High St`, label: "Written" },
    }),
  "set the default address": async (place) =>
    place.clients.addresses.setDefaultAddress({
      customerId: place.customerId,
      id: await pick("addresses", place),
    }),
  "delete an address": async (place) =>
    place.clients.addresses.deleteAddress({ customerId: place.customerId, id: await pick("addresses", place) }),
  "attach a card": ({ clients, customerId }) => attachPaymentMethod(clients, customerId),
  "label a card": async (place) =>
    place.clients.paymentMethods.updatePaymentMethod({
      customerId: place.customerId,
      paymentMethod: { id: await pick("payment_methods", place), label: `Label ${place.which}` },
    }),
  "set the default card": async (place) =>
    place.clients.paymentMethods.setDefaultPaymentMethod({
      customerId: place.customerId,
      id: await pick("payment_methods", place),
    }),
  "detach a card": async (place) =>
    place.clients.paymentMethods.detachPaymentMethod({
      customerId: place.customerId,
      id: await pick("payment_methods", place),
    }),
  "change a setting": ({ clients, which }) =>
    clients.accounts.updateAccountSettings({ settings: settings[which % settings.length]!, acceptViolations: true }),
  "preview a checkout": ({ clients, customerId }) =>
    clients.checkouts.previewCheckout({ checkout: { url: "https://shop.example", customerId } }),
  "run the jobs": async () => {
    for (const job of ["purge_customers", "expire_checkouts"]) await tasksOf(built.deps)[job]!();
  },
  "delete the customer": ({ clients, customerId: id }) => clients.customers.deleteCustomer({ id }),
  "bring the customer back": ({ clients, customerId: id }) => clients.customers.undeleteCustomer({ id }),
};

// What changes checkouts and orders, and answers the ids of those that it changed.
const purchases: Readonly<Record<string, (place: Place) => Promise<readonly string[]>>> = {
  "start a checkout": async ({ clients, customerId }) => [(await createCheckout(clients, { customerId })).id],
  "start a guest's checkout": async ({ clients }) => [(await createCheckout(clients, guest())).id],
  "start a checkout with a new card": async ({ clients, customerId }) => [
    (await createCheckout(clients, { customerId, shipping: houston, paymentMethodId: newToken() })).id,
  ],
  "resolve a checkout anew": async (place) => {
    const id = await pick("checkouts", place);
    await place.clients.checkouts.updateCheckout({ id, updateMask: { paths: ["*"] } });
    return [id];
  },
  "place an order": async (place) => {
    const checkoutId = await pick("checkouts", place);
    return [checkoutId, (await place.clients.orders.createOrder({ checkoutId })).order!.id];
  },
  "place a guest's order": async (place) => {
    const checkoutId = await pick("checkouts", place, null);
    return [checkoutId, (await place.clients.orders.createOrder({ checkoutId })).order!.id];
  },
  "cancel a checkout": async (place) => {
    const id = await pick("checkouts", place);
    await place.clients.checkouts.cancelCheckout({ id });
    return [id];
  },
};

interface Step {
  readonly name: string;
  readonly who: number;
  readonly which: number;
}

const done = new Set<string>();

async function play(steps: readonly Step[]): Promise<void> {
  const { test: clients } = await clientele.createAccount();
  const customers = [await createCustomer(clients), await createCustomer(clients)];
  for (const { id } of customers) {
    await createAddress(clients, id, { label: "First" });
    await attachPaymentMethod(clients, id, { label: "First" });
  }
  const tenantId: string = (await clientele.db("customers").where({ id: customers[0]!.id }).first()).tenant_id;
  let before = await present(clients);
  for (const { name, who, which } of steps) {
    const place = { clients, tenantId, customerId: customers[who]!.id, which };
    const act = (purchases[name] ?? edits[name])!(place);
    const answer = await act.then(
      (ids) => ({ ids: name in purchases ? (ids as readonly string[]) : [] }),
      async () => ({ ids: [], failure: await failureOf(act) }),
    );
    if ("failure" in answer) expect(answer.failure.code).not.toMatch(/Internal|Unknown/);
    else done.add(name);
    const after = await present(clients);
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter((id) => after.get(id) !== before.get(id));
    expect(changed.sort(), name).toEqual([...new Set(answer.ids.filter((id) => changed.includes(id)))].sort());
    if (name !== "resolve a checkout anew") expect(changed, name).toHaveLength(answer.ids.length);
    before = after;
  }
}

/** All checkouts and orders of the tenant as they are stored, with the transaction that wrote them, and as they are told. */
async function present({ checkouts, orders }: Clients): Promise<Map<string, string>> {
  const told = new Map<string, object>();
  for (const checkout of (await checkouts.listCheckouts({ pageSize: 100 })).checkouts) told.set(checkout.id, checkout);
  for (const order of (await orders.listOrders({ pageSize: 100 })).orders) told.set(order.id, order);
  const stored = await clientele.db.raw(
    `select id, xmin::text, to_jsonb(checkouts)::text as text from checkouts where id = any(?)
     union all select id, xmin::text, to_jsonb(orders)::text from orders where id = any(?)`,
    [[...told.keys()], [...told.keys()]],
  );
  expect(stored.rows).toHaveLength(told.size);
  const text = (value: object) => JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));
  return new Map(stored.rows.map((row: { id: string }) => [row.id, text([row, told.get(row.id)!])]));
}

// One life in which everything happens; the setting is that of a deletion which can be taken back.
const everything: Step[] = [
  "start a checkout",
  "start a guest's checkout",
  "place an order",
  "start a checkout with a new card",
  "start a checkout",
  ...Object.keys(edits).filter((name) => !/back|delete the customer/.test(name)),
  "resolve a checkout anew",
  "resolve a checkout anew",
  "cancel a checkout",
  "place a guest's order",
  "delete the customer",
  "bring the customer back",
  "delete the customer",
  "run the jobs",
].map((name) => ({ name, who: 0, which: name === "change a setting" ? 1 : 0 }));

const step = fc.record({
  name: fc.oneof(fc.constantFrom(...Object.keys(edits)), fc.constantFrom(...Object.keys(purchases))),
  who: fc.nat(1),
  which: fc.nat(20),
});

test("nothing but their own calls changes a checkout or an order", { timeout: 240_000 }, async () => {
  const lives = fc.array(step, { minLength: 15, maxLength: 30 });
  await fc.assert(fc.asyncProperty(lives, play), { numRuns: 12, examples: [[everything]] });
  expect([...Object.keys(edits), ...Object.keys(purchases)].filter((name) => !done.has(name))).toEqual([]);
});
