import { createHash } from "node:crypto";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { ErasureMethod, ErasureState } from "../../../gen/clientele/v1/privacy_pb.js";
import type { Clients } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { dumpOf, pgDumpOf, tracesOf } from "../../support/dumps.js";
import { failureOf } from "../../support/errors.js";
import { newPerson } from "../../support/person.js";
import { day, useTimedClientele } from "../../support/time.js";

const timed = useTimedClientele();
const { clientele } = timed;

const runJob = () => timed.runJob("erase_customers");
const erase = async ({ privacy }: Clients, customerId: string) =>
  (await privacy.requestErasure({ customerId })).erasure!;

const absent = {
  code: "NotFound",
  message: "The customer could not be found, please check the id.",
};

describe.for([
  { name: "OPEN, where a detached token is consumed", preset: SettingsPreset.OPEN },
  { name: "FOUR_GEEKS, where it can be attached again", preset: SettingsPreset.FOUR_GEEKS },
])("under $name, a person who is forgotten", ({ preset }) => {
  test("leaves no value, in no form, in a dump of the whole database", async () => {
    const account = await clientele.createAccount(preset);
    const person = await newPerson(clientele, account);
    const before = await dumpOf(clientele.db);
    for (const [name, value] of Object.entries(person.values)) {
      // The text of an Idempotency-Key is never stored.
      if (!name.startsWith("key-")) expect(tracesOf(value, before), name).not.toEqual([]);
    }
    await erase(account.test, person.id);
    const after = await dumpOf(clientele.db);
    const dumped = await pgDumpOf(clientele.databaseUrl);
    for (const [name, value] of Object.entries(person.values)) {
      // By its hash a token is known again; what that is for is said in the receipt.
      const known = name.startsWith("token") ? [createHash("sha256").update(value).digest("hex")] : [];
      expect(tracesOf(value, after), name).toEqual(known);
      expect(after, name).not.toContain(value.toString());
      if (dumped !== undefined && typeof value === "string") expect(dumped, name).not.toContain(value);
    }
  });

  test("is not found, and orders and checkouts stay without the person", async () => {
    const { test: clients, ...account } = await clientele.createAccount(preset);
    const person = await newPerson(clientele, { ...account, test: clients });
    const { orders: before } = await clients.orders.listOrders({ customerId: person.id });
    await erase(clients, person.id);
    const ofCustomer = { customerId: person.id };
    for (const call of [
      () => clients.customers.getCustomer({ id: person.id }),
      () => clients.customers.updateCustomer({ customer: { id: person.id, name: "Ada" } }),
      () => clients.customers.undeleteCustomer({ id: person.id }),
      () => clients.addresses.listAddresses(ofCustomer),
      () => clients.paymentMethods.listPaymentMethods(ofCustomer),
      () => clients.checkouts.createCheckout({ checkout: { ...ofCustomer, url: "https://shop.example" } }),
    ]) {
      expect(await failureOf(call())).toMatchObject(absent);
    }
    const { orders } = await clients.orders.listOrders(ofCustomer);
    expect(orders).toHaveLength(before.length);
    for (const [index, order] of orders.entries()) {
      const { id, checkoutId, createTime } = before[index]!;
      expect(order).toMatchObject({ id, checkoutId, createTime, customerId: person.id, displayName: "", url: "" });
      expect([order.contact?.email, order.shipping?.line1, order.paymentMethod?.card]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect((await clients.orders.getOrder({ id })).order).toEqual(order);
    }
    const { checkouts } = await clients.checkouts.listCheckouts(ofCustomer);
    expect(checkouts.length).toBeGreaterThan(orders.length);
    for (const checkout of checkouts) {
      expect([checkout.shipping, checkout.paymentMethod, checkout.contact?.name]).toEqual([
        undefined,
        undefined,
        undefined,
      ]);
      expect(checkout.resolutions.length).toBeGreaterThan(0);
    }
  });

  test("leaves a token that is consumed for ever, or free, as the settings say of a detached one", async () => {
    const account = await clientele.createAccount(preset);
    const person = await newPerson(clientele, account);
    await erase(account.test, person.id);
    const other = await createCustomer(account.test);
    const again = account.test.paymentMethods.attachPaymentMethod({
      customerId: other.id,
      paymentMethod: { id: person.values.token },
    });
    if (preset === SettingsPreset.OPEN) {
      expect(await failureOf(again)).toMatchObject({ reason: "PAYMENT_METHOD_CONSUMED" });
    } else {
      expect((await again).paymentMethod!.customerId).toBe(other.id);
    }
  });

  test("has a receipt that says what was erased, and what was kept and why", async () => {
    const account = await clientele.createAccount(preset);
    const person = await newPerson(clientele, account);
    const erasure = await erase(account.test, person.id);
    expect(erasure).toMatchObject({ state: ErasureState.COMPLETED, customerId: person.id });
    expect(timestampDate(erasure.completeTime!)).toEqual(timed.now());
    const counts = Object.fromEntries(erasure.receipt!.erased.map(({ table, count }) => [table, Number(count)]));
    expect(counts).toMatchObject({
      customers: 1,
      addresses: 2,
      photos: 1,
      orders: 1,
      checkouts: 2,
      external_references: 1,
      passwords: 1,
      customer_tokens: 1,
      customer_identities: 1,
      tax_identifiers: 2,
      tax_certificates: 1,
      webhook_deliveries: 1,
    });
    const addresses = erasure.receipt!.erased.find(({ table }) => table === "addresses")!;
    expect(addresses.method).toBe(ErasureMethod.DELETED);
    expect(addresses.columns).toContain("line1");
    for (const { table, columns, reason } of erasure.receipt!.kept) {
      expect(await clientele.db(table).columnInfo(), table).toMatchObject(
        Object.fromEntries(columns.map((c) => [c, {}])),
      );
      expect(reason.length).toBeGreaterThan(20);
    }
    for (const value of Object.values(person.values))
      expect(JSON.stringify(erasure, bigint)).not.toContain(value.toString());
    const { privacy } = account.test;
    expect((await privacy.getErasure({ id: erasure.id })).erasure).toEqual(erasure);
    expect((await privacy.listErasures({ customerId: person.id })).erasures).toEqual([erasure]);
  });
});

// JSON has no bigint.
const bigint = (_: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);

test("two requests to forget one secret are one", async () => {
  const { test: clients } = await clientele.createAccount();
  const { id } = await createCustomer(clients);
  const first = await erase(clients, id);
  const before = await dumpOf(clientele.db);
  expect(await erase(clients, id)).toEqual(first);
  await runJob();
  expect(await dumpOf(clientele.db)).toBe(before);
});

test("no other customer loses anything", async () => {
  const account = await clientele.createAccount();
  const [person, other] = [await newPerson(clientele, account), await newPerson(clientele, account)];
  const rows = async () => (await dumpOf(clientele.db)).split("\n").filter((line) => line.includes(other.id));
  const before = await rows();
  expect(before.length).toBeGreaterThan(10);
  await erase(account.test, person.id);
  expect(await rows()).toEqual(before);
});

test("an erasure leaves the checkouts of guests", async () => {
  const account = await clientele.createAccount();
  const person = await newPerson(clientele, account);
  const { checkout } = await account.test.checkouts.createCheckout({
    checkout: {
      url: "https://shop.example",
      contact: { email: person.values.email },
      shipping: { line1: "1 Main St", city: "Austin", state: "TX", postalCode: "78701", country: "US" },
      paymentMethodId: "cct_sandbox_guest",
    },
  });
  await erase(account.test, person.id);
  const { checkout: after } = await account.test.checkouts.getCheckout({ id: checkout!.id });
  expect(after).toEqual(checkout);
});

describe("a customer that is deleted", () => {
  test("softly is forgotten like any other", async () => {
    const { test: clients } = await clientele.createAccount();
    const { id } = await createCustomer(clients);
    await clients.customers.deleteCustomer({ id });
    expect((await erase(clients, id)).state).toBe(ErasureState.COMPLETED);
    expect(await failureOf(clients.customers.getCustomer({ id }))).toMatchObject(absent);
  });

  test("for good is forgotten in its checkouts and orders", async () => {
    const account = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
    const person = await newPerson(clientele, account);
    await account.test.customers.deleteCustomer({ id: person.id });
    expect(await dumpOf(clientele.db)).toContain(person.values.contact);
    expect((await erase(account.test, person.id)).state).toBe(ErasureState.COMPLETED);
    const after = await dumpOf(clientele.db);
    for (const value of Object.values(person.values)) expect(after).not.toContain(value.toString());
  });
});

test("one erasure that fails leaves its customer whole, and the others are done", async () => {
  const account = await clientele.createAccount();
  const [broken, fine] = [await newPerson(clientele, account), await createCustomer(account.test)];
  const notBeforeTime = timestampFromDate(new Date(timed.now().getTime() + day));
  for (const { id: customerId } of [broken, fine])
    await account.test.privacy.requestErasure({ customerId, notBeforeTime });
  timed.pass(day);
  const before = (await dumpOf(clientele.db)).split("\n").filter((line) => line.includes(broken.id));
  // In the midst of it: after the addresses, before the customer.
  await clientele.db.raw(
    `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
     create trigger refuse before update on orders for each row when (old.customer_id = '${broken.id}')
     execute function refuse();`,
  );
  await runJob();
  expect((await dumpOf(clientele.db)).split("\n").filter((line) => line.includes(broken.id))).toEqual(before);
  expect(await failureOf(account.test.customers.getCustomer({ id: fine.id }))).toMatchObject(absent);
  await clientele.db.raw("drop trigger refuse on orders; drop function refuse();");
  await runJob();
  expect(await failureOf(account.test.customers.getCustomer({ id: broken.id }))).toMatchObject(absent);
});
