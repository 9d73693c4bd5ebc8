import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { eventTypes } from "../../support/event-types.js";
import { createPopulatedAccounts } from "../../support/populated.js";
import { casesOf, mutations, reads, requestFor } from "../../support/scenario.js";
import { changesBetween, snapshot } from "../../support/snapshot.js";
import { overFetch } from "../../support/ways.js";
import { address, canary, canaryPhone, type World } from "../../support/world.js";

interface EventRow {
  readonly position: string;
  readonly transaction_id: string;
  readonly type: string;
  readonly resource_id: string;
  readonly changed_paths: string[];
  readonly actor: string;
}

const clientele = useClientele();

/** Runs `act` and gives the events it left, with the rows of the tenant that it changed. */
async function recorded(tenantId: string, act: () => Promise<unknown>) {
  const [before, since] = [await snapshot(clientele.db, tenantId), await lastPosition()];
  await act();
  const all = changesBetween(before, await snapshot(clientele.db, tenantId));
  // What was delivered to an endpoint goes with it, without a word of each.
  const changes = all.filter(({ table, after }) => table !== "webhook_deliveries" || after !== undefined);
  const events: EventRow[] = await clientele.db("events").where("position", ">", since).orderBy("position");
  return { changes, events };
}

async function lastPosition(): Promise<number> {
  const [row] = await clientele.db("events").max("position as last");
  return Number(row?.last ?? 0);
}

const createPopulated = createPopulatedAccounts(clientele);
async function tenant() {
  const populated = await createPopulated();
  return { ...populated, call: overFetch(clientele.httpUrl, populated.account.testKey) };
}

// For calls that leave nothing.
let shared: ReturnType<typeof tenant> | undefined;
async function unchanged() {
  shared ??= tenant();
  return await shared;
}

describe.for(casesOf(mutations))("$name", ({ method }) => {
  let plain: Awaited<ReturnType<typeof recorded>>;
  beforeAll(async () => {
    const { tenantId, world, call } = await tenant();
    plain = await recorded(tenantId, () => call(method, requestFor(method, world)));
  });

  test("leaves one event for each resource that it changes, of the same transaction", () => {
    const { changes, events } = plain;
    expect(changes.length).toBeGreaterThan(0);
    expect(events.map((event) => event.resource_id).sort()).toEqual(changes.map((change) => change.id).sort());
    for (const { table, id, before, after } of changes) {
      const event = events.find((candidate) => candidate.resource_id === id)!;
      // `payment_methods` has events such as `payment_method.attached`.
      expect(eventTypes).toContain(event.type);
      expect(event.type.replace("account_settings", "tenant")).toMatch(new RegExp(`^${singular(table)}\\.[a-z]+$`));
      expect(event.actor).toMatch(/^key_/);
      if (after === undefined) continue;
      expect(after.version - (before?.version ?? 0), `${table} ${id}`).toBe(1);
      expect(BigInt(event.transaction_id) % 2n ** 32n).toBe(BigInt(after.transaction));
    }
  });

  test("leaves no personal value in any column of its events", () => {
    const text = JSON.stringify(plain.events);
    expect(text).not.toMatch(new RegExp(canary, "i"));
    expect(text).not.toContain(canaryPhone);
    expect(text).not.toMatch(/@|Texas|\b78701\b/);
  });

  test("leaves no event when its answer is given again", async () => {
    const { tenantId, world, call } = await tenant();
    const headers = { "idempotency-key": randomUUID() };
    const act = () => call(method, requestFor(method, world), headers);
    expect((await recorded(tenantId, act)).events.length).toBeGreaterThan(0);
    expect(await recorded(tenantId, act)).toEqual({ changes: [], events: [] });
  });
});

test.for(casesOf(reads))("$name changes nothing and leaves no event", async ({ method }) => {
  const { tenantId, world, call } = await unchanged();
  expect(await recorded(tenantId, () => call(method, requestFor(method, world)))).toEqual({ changes: [], events: [] });
});

test.for(casesOf(mutations))("$name leaves nothing when it fails at the last moment", async ({ method }) => {
  const { tenantId, world, call } = await unchanged();
  const trigger = "refuse_event";
  await clientele.db.raw(
    `create function ${trigger}() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '55P03'; end $$;
     create trigger ${trigger} before insert on events execute function ${trigger}();`,
  );
  try {
    const { changes, events } = await recorded(tenantId, () => failureOf(call(method, requestFor(method, world))));
    expect({ changes, events }).toEqual({ changes: [], events: [] });
  } finally {
    await clientele.db.raw(`drop trigger ${trigger} on events; drop function ${trigger}();`);
  }
});

const refusals: { name: string; act: (account: TestAccount) => Promise<unknown> }[] = [
  { name: "invalid", act: ({ test }) => test.customers.createCustomer({ customer: { email: "no address" } }) },
  { name: "of an absent customer", act: ({ test }) => test.customers.deleteCustomer({ id: "cus_absent" }) },
  {
    name: "of a stale etag",
    act: async ({ test }) => {
      const { customer } = await test.customers
        .listCustomers({})
        .then(({ customers: [first] }) => ({ customer: first! }));
      return await test.customers.updateCustomer({ customer: { id: customer.id, name: "New", etag: "v0" } });
    },
  },
  {
    name: "of a taken e-mail",
    act: async ({ test }) => {
      const {
        customers: [first],
      } = await test.customers.listCustomers({});
      return await test.customers.createCustomer({ customer: { email: first!.email! } });
    },
  },
];

test.for(refusals)("a call that is refused as $name leaves no event", async ({ act }) => {
  const { tenantId, account } = await tenant();
  expect(await recorded(tenantId, () => failureOf(act(account)))).toEqual({ changes: [], events: [] });
});

// What the world holds already, spelled otherwise.
const repetitions: { name: string; act: (account: TestAccount, world: World) => Promise<unknown> }[] = [
  {
    name: "a customer's own values",
    act: ({ test }, { customer: id }) =>
      test.customers.updateCustomer({ customer: { id, email: " m@x.io ", name: " Ada ", country: "Costa Rica" } }),
  },
  {
    name: "a phone number as it is dialled at home, and metadata in another order",
    act: ({ test }, { customer: id }) =>
      test.customers.updateCustomer({ customer: { id, phone: "8323 6988", metadata: { b: [{ d: 1, c: 2 }], a: 1 } } }),
  },
  {
    name: "the derived name",
    act: ({ test }, { customer: id }) => test.customers.updateCustomer({ customer: { id, displayName: " m@x.io" } }),
  },
  {
    name: "the default address",
    act: ({ test }, { customer: id }) =>
      test.customers.updateCustomer({ customer: { id, shipping: { ...address, country: "United States" } } }),
  },
  {
    name: "an address",
    act: ({ test }, { customer: customerId, spareAddress: id }) => {
      const additionalAddressInfo = { ...address.additionalAddressInfo, division: `${canary} division ` };
      const again = {
        ...address,
        id,
        country: "usa",
        state: "Texas",
        city: ` ${address.city} `,
        additionalAddressInfo,
      };
      return test.addresses.updateAddress({ customerId, address: again });
    },
  },
  {
    name: "a label",
    act: ({ test }, { customer: customerId, paymentMethod: id }) =>
      test.paymentMethods.updatePaymentMethod({ customerId, paymentMethod: { id, label: " Card " } }),
  },
  { name: "no settings", act: ({ test }) => test.accounts.updateAccountSettings({ settings: {} }) },
  {
    name: "the present settings",
    act: async ({ test }) => {
      const { settings } = await test.accounts.getAccountSettings({});
      return await test.accounts.updateAccountSettings({ settings: settings!, updateMask: { paths: ["*"] } });
    },
  },
];

test.for(repetitions)("an update with $name changes nothing and leaves no event", async ({ act }) => {
  const { tenantId, account, world } = await tenant();
  const [customerId, { customers, paymentMethods }] = [world.customer, account.test];
  const metadata = { a: 1, b: [{ c: 2, d: 1 }] };
  const kept = { email: "m@x.io", name: "Ada", country: "CR", phone: "+50683236988", metadata };
  await customers.updateCustomer({ customer: { id: customerId, ...kept } });
  await paymentMethods.updatePaymentMethod({ customerId, paymentMethod: { id: world.paymentMethod, label: "Card" } });
  expect(await recorded(tenantId, () => act(account, world))).toEqual({ changes: [], events: [] });
});

describe("changed paths", () => {
  const cases: {
    name: string;
    act: (account: TestAccount, ids: { customer: string; address: string; token: string }) => Promise<unknown>;
    paths: string[];
  }[] = [
    {
      name: "a name and metadata",
      act: ({ test }, { customer }) =>
        test.customers.updateCustomer({ customer: { id: customer, name: "New", metadata: { a: 1 } } }),
      paths: ["name", "metadata"],
    },
    {
      name: "an e-mail, and nothing that is derived of it",
      act: ({ test }, { customer }) =>
        test.customers.updateCustomer({ customer: { id: customer, email: "new@example.com" } }),
      paths: ["email"],
    },
    {
      name: "only what the mask names",
      act: ({ test }, { customer }) =>
        test.customers.updateCustomer({
          customer: { id: customer, name: "New", phone: "12345" },
          updateMask: { paths: ["phone"] },
        }),
      paths: ["phone"],
    },
    {
      name: "only what differs",
      act: ({ test }, { customer: customerId, address: id }) =>
        test.addresses.updateAddress({ customerId, address: { id, city: "New", country: "US" } }),
      paths: ["city"],
    },
    {
      name: "a label",
      act: ({ test }, { customer: customerId, token: id }) =>
        test.paymentMethods.updatePaymentMethod({ customerId, paymentMethod: { id, label: "New" } }),
      paths: ["label"],
    },
    {
      name: "one setting",
      act: ({ test }) => test.accounts.updateAccountSettings({ settings: { maxAddressesPerCustomer: 9 } }),
      paths: ["max_addresses_per_customer"],
    },
  ];

  test.for(cases)("name $name", async ({ act, paths }) => {
    const { tenantId, account, world } = await tenant();
    const ids = { customer: world.customer, address: world.address, token: world.paymentMethod };
    const { events } = await recorded(tenantId, () => act(account, ids));
    expect(events.map((event) => event.changed_paths.toSorted())).toEqual([paths.toSorted()]);
  });
});

function singular(table: string): string {
  return table
    .replace(/sses$/, "ss")
    .replace(/ies$/, "y")
    .replace(/(?<!s)s$/, "");
}
