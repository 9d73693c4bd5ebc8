import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { EmailUniqueness, SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { readConfig } from "../../../src/config.js";
import { serve } from "../../../src/serve.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, type TestAccount, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../../support/customers.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { createCheckout, guest } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";

const count = 50;

const clientele = useClientele();

/** An account and callers that each have a connection of their own, open already. */
async function createRacers(preset = SettingsPreset.OPEN): Promise<TestAccount & { readonly callers: Clients[] }> {
  const account = await clientele.createAccount(preset);
  const callers = createCallers(clientele, account.testKey, count);
  await Promise.all(callers.map(({ accounts }) => accounts.getAccount({})));
  return { ...account, callers };
}

/** How many events there are of a resource. */
async function countEvents(resourceId: string, type: string): Promise<number> {
  return (await clientele.db("events").where({ resource_id: resourceId, type })).length;
}

test("of 50 creates with one e-mail address one succeeds", async () => {
  const { callers, test: clients } = await createRacers();
  const { answers, failures } = await allAtOnce(callers, (by, index) =>
    createCustomer(by, { email: index % 2 ? " Ada@Example.com" : "ada@example.com" }),
  );
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(count - 1).fill("EMAIL_TAKEN"));
  const { customers } = await clients.customers.listCustomers({});
  expect(customers).toEqual(answers);
});

test("of 50 customers that are given one e-mail address one gets it", async () => {
  const { callers, test: clients } = await createRacers();
  const customers = await Promise.all(callers.map((by) => createCustomer(by)));
  const email = newEmail();
  const { answers, failures } = await allAtOnce(callers, (by, index) =>
    by.customers.updateCustomer({ customer: { id: customers[index]!.id, email } }),
  );
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(count - 1).fill("EMAIL_TAKEN"));
  const { customers: stored } = await clients.customers.listCustomers({ pageSize: 100 });
  expect(stored.filter((customer) => customer.email === email)).toHaveLength(1);
});

test("of 50 creates with one id one succeeds", async () => {
  const { callers, test: clients } = await createRacers();
  const { answers, failures } = await allAtOnce(callers, (by) => createCustomer(by, { id: "chosen" }));
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(count - 1).fill("CUSTOMER_ID_TAKEN"));
  expect(await getCustomer(clients, "chosen")).toEqual(answers[0]);
  expect(await countEvents("chosen", "customer.created")).toBe(1);
});

test("of 50 creates of an address with a limit of 3 exactly 3 succeed", async () => {
  const { callers, test: clients } = await createRacers(SettingsPreset.FOUR_GEEKS);
  const { id: customerId } = await createCustomer(clients);
  const { answers, failures } = await allAtOnce(callers, (by) => createAddress(by, customerId));
  expect(answers).toHaveLength(3);
  const message = "Customer already has 3 addresses registered.";
  expect(failures.map((failure) => failure.message)).toEqual(Array(count - 3).fill(message));
  const { addresses } = await clients.addresses.listAddresses({ customerId });
  expect(addresses.map(({ id }) => id).sort()).toEqual(answers.map(({ id }) => id).sort());
});

test("of 50 first addresses one becomes the default", async () => {
  const { callers, test: clients } = await createRacers();
  const { id: customerId } = await createCustomer(clients);
  const { answers } = await allAtOnce(callers, (by) => createAddress(by, customerId));
  expect(answers).toHaveLength(count);
  const { addresses } = await clients.addresses.listAddresses({ customerId, pageSize: 100 });
  const defaults = [answers, addresses].map((found) => found.filter(({ isDefault }) => isDefault).map(({ id }) => id));
  expect(defaults[0]).toHaveLength(1);
  expect(defaults[1]).toEqual(defaults[0]);
  expect(await getCustomer(clients, customerId)).toMatchObject({ defaultAddressId: defaults[0]![0] });
});

test("of 50 first payment methods one becomes the default", async () => {
  const { callers, test: clients } = await createRacers();
  const { id: customerId } = await createCustomer(clients);
  const { answers } = await allAtOnce(callers, (by) => attachPaymentMethod(by, customerId));
  expect(answers).toHaveLength(count);
  const [first, ...others] = answers.filter(({ isDefault }) => isDefault);
  expect(others).toEqual([]);
  expect(await getCustomer(clients, customerId)).toMatchObject({ defaultPaymentMethodId: first!.id });
});

test("50 calls that set a default address leave one, and a version for each change", async () => {
  const { callers, test: clients } = await createRacers();
  const { id: customerId } = await createCustomer(clients);
  const made = await allAtOnce(callers, (by) => createAddress(by, customerId));
  const events = await countEvents(customerId, "customer.updated");
  const { answers } = await allAtOnce(callers, async (by, index) => {
    const { address } = await by.addresses.setDefaultAddress({ customerId, id: made.answers[index]!.id });
    return address!;
  });
  expect(answers.map(({ isDefault }) => isDefault)).toEqual(Array(count).fill(true));
  const { addresses } = await clients.addresses.listAddresses({ customerId, pageSize: 100 });
  const defaults = addresses.filter(({ isDefault }) => isDefault).map(({ id }) => id);
  expect(defaults).toEqual([(await getCustomer(clients, customerId)).defaultAddressId]);
  const [row] = await clientele.db("customers").where({ id: customerId });
  const changes = (await countEvents(customerId, "customer.updated")) - events;
  expect(changes).toBeGreaterThanOrEqual(count - 1);
  expect(Number(row.version)).toBe(1 + events + changes);
});

test("of 50 orders for one checkout one is placed", async () => {
  const { callers, test: clients } = await createRacers();
  const { id: checkoutId } = await createCheckout(clients, guest());
  const { answers, failures } = await allAtOnce(callers, (by) => by.orders.createOrder({ checkoutId }));
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(count - 1).fill("CHECKOUT_NOT_PENDING"));
  const { orders } = await clients.orders.listOrders({});
  expect(orders).toEqual([answers[0]!.order]);
  expect(await countEvents(orders[0]!.id, "order.created")).toBe(1);
});

const uses: { name: string; use: (by: Clients, customerId: string, token: string) => Promise<unknown> }[] = [
  { name: "attached", use: (by, customerId, id) => attachPaymentMethod(by, customerId, { id }) },
  {
    name: "set as default",
    use: (by, customerId, id) => by.paymentMethods.setDefaultPaymentMethod({ customerId, id }),
  },
  {
    name: "used in checkouts",
    use: (by, customerId, paymentMethodId) => createCheckout(by, { customerId, paymentMethodId }),
  },
];

test.for(uses)("a token that is $name for 50 customers at once becomes one customer's", async ({ use }) => {
  const { callers } = await createRacers();
  const customers = await Promise.all(callers.map((by) => createCustomer(by)));
  const token = newToken();
  const { answers, failures } = await allAtOnce(callers, (by, index) => use(by, customers[index]!.id, token));
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(count - 1).fill("PAYMENT_METHOD_UNAVAILABLE"));
  const stored = await clientele.db("customers").where({ default_payment_method_id: token });
  expect(stored).toHaveLength(1);
  expect(await countEvents(token, "payment_method.attached")).toBe(1);
});

test("a customer that is deleted for good while it is given addresses and cards leaves none behind", async () => {
  const { callers, test: clients } = await createRacers(SettingsPreset.FOUR_GEEKS);
  await changeSettings(clients, { maxAddressesPerCustomer: 0 });
  const { id: customerId } = await createCustomer(clients);
  const { failures } = await allAtOnce(callers, async (by, index) => {
    if (index === count / 2) return await by.customers.deleteCustomer({ id: customerId });
    return await (index % 2 ? createAddress(by, customerId) : attachPaymentMethod(by, customerId));
  });
  expect(failures.map(({ reason }) => reason)).toEqual(failures.map(() => "RESOURCE_NOT_FOUND"));
  for (const table of ["addresses", "payment_methods"]) {
    expect(await clientele.db(table).where({ customer_id: customerId }), table).toEqual([]);
  }
});

test("50 merges of 50 keys into the metadata keep them all", async () => {
  const { callers, test: clients } = await createRacers();
  const { id } = await createCustomer(clients);
  const { answers } = await allAtOnce(callers, (by, index) =>
    by.customers.updateCustomer({ customer: { id, metadata: { [`k${index}`]: index } } }),
  );
  expect(answers).toHaveLength(count);
  const wanted = Object.fromEntries(callers.map((_, index) => [`k${index}`, index]));
  expect((await getCustomer(clients, id)).metadata).toEqual(wanted);
  expect(new Set(answers.map(({ customer }) => customer!.etag)).size).toBe(count);
});

test("of 50 updates with one etag one succeeds, the others are ABORTED", async () => {
  const { callers, test: clients } = await createRacers();
  const { id, etag } = await createCustomer(clients);
  const { answers, failures } = await allAtOnce(callers, (by, index) =>
    by.customers.updateCustomer({ customer: { id, etag, name: `Ada ${index}` } }),
  );
  expect(answers).toHaveLength(1);
  expect(failures.map(({ code, reason }) => [code, reason])).toEqual(Array(count - 1).fill(["Aborted", "ETAG_STALE"]));
  expect(await getCustomer(clients, id)).toEqual(answers[0]!.customer);
});

test("50 creates with one Idempotency-Key make one customer and one event, and are answered alike", async () => {
  const { callers, test: clients } = await createRacers();
  const headers = { "Idempotency-Key": "the-only-one" };
  const request = { customer: { email: newEmail(), metadata: { a: 1, b: [2] } } };
  const { answers, failures } = await allAtOnce(callers, (by) => by.customers.createCustomer(request, { headers }));
  expect(failures).toEqual([]);
  expect(answers).toEqual(Array(count).fill(answers[0]));
  const { customers } = await clients.customers.listCustomers({});
  expect(customers).toEqual([answers[0]!.customer]);
  expect(await countEvents(customers[0]!.id, "customer.created")).toBe(1);
});

test("10 changes of the settings with Idempotency-Keys of their own all happen", async () => {
  const { callers, test: clients } = await createRacers();
  const { answers, failures } = await allAtOnce(callers.slice(0, 10), (by, index) => {
    const headers = { "Idempotency-Key": `change-${index}` };
    return by.accounts.updateAccountSettings({ settings: { maxAddressesPerCustomer: index + 1 } }, { headers });
  });
  expect(failures).toEqual([]);
  expect(new Set(answers.map(({ settings }) => settings!.etag)).size).toBe(10);
  const { settings } = await clients.accounts.getAccountSettings({});
  expect(answers.map((answer) => answer.settings)).toContainEqual(settings);
});

const replicas = [
  { name: "the same replica", other: false },
  { name: "another replica", other: true },
];

test.for(replicas)("once a setting is changed on $name no row gets in that violates it", async ({ other }) => {
  const { callers, testKey, test: clients } = await createRacers();
  await changeSettings(clients, { emailUniqueness: EmailUniqueness.DUPLICATES_ALLOWED });
  const config = readConfig({ CLIENTELE_HTTP_PORT: "0", CLIENTELE_GRPC_PORT: "0", CLIENTELE_LOG_LEVEL: "silent" });
  const replica = other ? await serve(config, clientele.databaseUrl, {}) : undefined;
  const httpUrl = replica === undefined ? clientele.httpUrl : `http://127.0.0.1:${replica.httpPort}`;
  const [changer] = createCallers({ httpUrl, grpcAddress: clientele.grpcAddress }, testKey, 1);
  let violating = Number.NaN;
  const countViolating = async () => (await clientele.db("customers").where({ email: "no-name@example.com" })).length;

  // Each caller goes on until the setting holds for it; one in the middle of the crowd changes it.
  const { failures } = await allAtOnce([changer!, ...callers], async (by, index) => {
    if (index === 0) {
      while ((await countViolating()) < count) await by.accounts.getAccount({});
      const settings = { requiredCustomerFields: ["name"] };
      await by.accounts.updateAccountSettings({ settings, acceptViolations: true });
      violating = await countViolating();
      return;
    }
    for (;;) await by.customers.createCustomer({ customer: { email: "no-name@example.com" } });
  });

  await replica?.stop();
  expect(failures.map(({ fields }) => fields)).toEqual(
    Array(count).fill({ "customer.name": "This field is required." }),
  );
  expect(violating).toBeGreaterThanOrEqual(count);
  expect(await countViolating()).toBe(violating);
});

test("a change of the settings gets its turn among 50 writers without a pause", async () => {
  const { callers, test: clients } = await createRacers();
  const { customField } = await clients.customFields.createCustomField({
    customField: { slug: "tier", name: "Tier", type: CustomFieldType.STRING },
  });
  const ids = await Promise.all(callers.map(async (by) => (await createCustomer(by)).id));
  let writes = 0;
  let isOver = false;
  const writers = allAtOnce(callers, async ({ customers }, index) => {
    while (!isOver) await customers.updateCustomer({ customer: { id: ids[index]!, name: `${writes++}` } });
  });
  while (writes < 2 * count) await setImmediate();
  try {
    // Each within its deadline of 10 s.
    for (const name of ["A", "B", "C"]) {
      await clients.customFields.updateCustomField({ customField: { id: customField!.id, name } });
      await changeSettings(clients, { maxAddressesPerCustomer: name.charCodeAt(0) });
    }
  } finally {
    isOver = true;
    expect((await writers).failures).toEqual([]);
  }
});
