import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EmailUniqueness, SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { CustomerState } from "../../gen/clientele/v1/customers_pb.js";
import { houston } from "../support/addresses.js";
import { useClientele } from "../support/clientele.js";
import { createCustomer, getCustomer, newEmail } from "../support/customers.js";
import { importRows } from "../support/imports.js";
import { changeSettings } from "../support/settings.js";

const clientele = useClientele();

const person = (id: string, more: object = {}) => ({ id, email: `${id}@example.com`, name: "Ada", ...more });
const reasonsOf = (rejections: readonly { line: number; reason: string }[]) =>
  rejections.map(({ line, reason }) => `${line} ${reason}`);

describe("an import", () => {
  test("makes what CreateCustomer and CreateAddress would make, with their events", async () => {
    const account = await clientele.createAccount();
    const row = {
      ...person("ada", { country: "Costa Rica", phone: "8323-6988", metadata: { plan: "gold", none: null } }),
      externalReferences: [{ name: "crm", id: "17" }],
      addresses: [houston, { ...houston, label: "Work" }],
    };
    const { done } = await importRows(clientele, account, [row]);
    expect(done).toMatchObject({ imported: 1, rejected: 0, line: 1 });
    const customer = await getCustomer(account.test, "ada");
    expect(customer).toMatchObject({ country: "CR", phone: "+50683236988", metadata: { plan: "gold" } });
    expect(customer.shipping).toMatchObject({ ...houston, isDefault: true });
    expect((await account.test.addresses.listAddresses({ customerId: "ada" })).addresses).toHaveLength(2);
    const events = await clientele.db("events").where({ customer_id: "ada" }).orderBy("position");
    expect(events.map(({ type, actor }) => `${type} ${actor}`)).toEqual([
      "customer.created system",
      "address.created system",
      "address.created system",
    ]);
    expect(events[0].changed_paths).toEqual(expect.arrayContaining(["email", "metadata", "default_address_id"]));
    const found = await account.test.customers.getOrCreateCustomer({
      customer: { externalReferences: [{ name: "crm", id: "17" }] },
      lookup: 2,
    });
    expect(found).toMatchObject({ created: false, customer: { id: "ada" } });
  });

  const refused = [
    { name: "broken JSON", row: "{", want: "JSON_INVALID" },
    { name: "no object", row: "[1]", want: "JSON_INVALID" },
    {
      name: "an unknown field",
      row: '{"email":"a@x.io","emial":"b@x.io"}',
      want: "FIELDS_INVALID",
      field: "customer.emial",
    },
    { name: "a wrong type", row: '{"email":7}', want: "FIELDS_INVALID", field: "customer.email" },
    { name: "no e-mail address", row: "{}", want: "FIELDS_INVALID", field: "customer.email" },
    { name: "a bad e-mail address", row: '{"email":"nobody"}', want: "FIELDS_INVALID", field: "customer.email" },
    { name: "a NUL", row: '{"email":"a@x.io","name":"a\\u0000"}', want: "FIELDS_INVALID", field: "customer.name" },
    {
      name: "a lone surrogate",
      row: '{"email":"a@x.io","metadata":{"a":"\\ud800"}}',
      want: "FIELDS_INVALID",
      field: "customer.metadata.a",
    },
    {
      name: "an id too long",
      row: `{"email":"a@x.io","id":"${"x".repeat(41)}"}`,
      want: "ID_TOO_LONG",
      field: "customer.id",
    },
    {
      name: "an address without a city",
      row: '{"email":"a@x.io","addresses":[{"line1":"1","country":"US"}]}',
      want: "FIELDS_INVALID",
      field: "addresses[0].city",
    },
    {
      name: "a default that is not its own",
      row: '{"email":"a@x.io","defaultAddressId":"adr_1"}',
      want: "FIELDS_INVALID",
      field: "customer.default_address_id",
    },
    {
      name: "a payment method",
      row: '{"email":"a@x.io","defaultPaymentMethodId":"cct_sandbox_1"}',
      want: "FIELDS_INVALID",
      field: "customer.default_payment_method_id",
    },
    {
      name: "a tax identifier with a wrong check digit",
      row: '{"email":"a@x.io","taxIdentifiers":[{"type":"de_vat","value":"136695977"}]}',
      want: "FIELDS_INVALID",
      field: "customer.tax_identifiers[0].value",
    },
    {
      name: "two tax identifiers of a type",
      row: '{"email":"a@x.io","taxIdentifiers":[{"type":"us_ein","value":"100000001"},{"type":"us_ein","value":"100000002"}]}',
      want: "TAX_IDENTIFIER_TYPE_TAKEN",
    },
    {
      name: "a future time",
      row: '{"email":"a@x.io","createTime":"2999-01-01T00:00:00Z"}',
      want: "FIELDS_INVALID",
      field: "customer.create_time",
    },
    { name: "the live mode", row: '{"email":"a@x.io","liveMode":true}', want: "MODE_MISMATCH" },
  ];
  test("refuses what the API would refuse, with line and field, and imports the lines around it", async () => {
    const account = await clientele.createAccount();
    const good = refused.map((_, index) => JSON.stringify(person(`good-${index}`)));
    const text = refused.map(({ row }, index) => `${row}\r\n${good[index]}\n`).join("");
    const { done, rejections } = await importRows(clientele, account, text);
    expect(done).toMatchObject({ imported: refused.length, rejected: refused.length });
    for (const [index, { want, field, name }] of refused.entries()) {
      const { line, reason, violations } = rejections[index]!;
      expect({ name, line, reason, field: violations[0]?.field }).toEqual({
        name,
        line: 2 * index + 1,
        reason: want,
        field,
      });
    }
  });

  test("rejects of several rows with one address, id or reference all but the first, and none around them", async () => {
    const account = await clientele.createAccount();
    await createCustomer(account.test, {
      id: "there",
      email: "there@example.com",
      externalReferences: [{ name: "crm", id: "0" }],
    });
    const rows = [
      ...Array.from({ length: 600 }, (_, index) => person(`first-${index}`)),
      person("a"),
      person("b", { email: " A@EXAMPLE.com " }),
      person("a", { email: newEmail() }),
      person("there", { email: newEmail() }),
      person("c", { email: "There@example.com" }),
      person("d", { externalReferences: [{ name: "crm", id: "0" }] }),
      person("e", { externalReferences: [{ name: "crm", id: "1" }], addresses: [houston] }),
      person("f", { externalReferences: [{ name: "crm", id: "1" }], addresses: [houston] }),
      ...Array.from({ length: 600 }, (_, index) => person(`last-${index}`)),
    ];
    const { done, rejections } = await importRows(clientele, account, rows);
    expect(reasonsOf(rejections)).toEqual([
      "602 EMAIL_TAKEN",
      "603 CUSTOMER_ID_TAKEN",
      "604 CUSTOMER_ID_TAKEN",
      "605 EMAIL_TAKEN",
      "606 EXTERNAL_REFERENCE_TAKEN",
      "608 EXTERNAL_REFERENCE_TAKEN",
    ]);
    expect(done.imported).toBe(1202);
    const [{ events, addresses }] = (
      await clientele.db.raw(
        `select (select count(*)::int from events where type = 'customer.created' and actor = 'system' and customer_id = any(?)) events,
           (select count(*)::int from addresses where customer_id in ('e', 'f')) addresses`,
        [rows.map(({ id }) => id)],
      )
    ).rows;
    expect({ events, addresses }).toEqual({ events: 1202, addresses: 1 });
  });

  test.for([10_000, 100_000])("rejects a row alone that is nested %i deep", async (depth) => {
    const account = await clientele.createAccount();
    const deep = `{"email":"deep@example.com","metadata":{"a":${"[".repeat(depth)}${"]".repeat(depth)}}}\n`;
    const rows = [person("before"), person("after")].map((row) => `${JSON.stringify(row)}\n`);
    const { done, rejections } = await importRows(clientele, account, rows.join(deep));
    expect({ imported: done.imported, lines: rejections.map(({ line }) => line) }).toEqual({ imported: 2, lines: [2] });
  });

  test("looks for rows that the database refuses for another reason, and rejects them alone", async () => {
    const account = await clientele.createAccount();
    await clientele.db.raw("alter table customers add constraint customers_test_check check (name <> 'Refused')");
    try {
      const rows = Array.from({ length: 500 }, (_, index) =>
        person(`r-${index}`, { name: index % 100 === 7 ? "Refused" : "Ada" }),
      );
      const { done, rejections } = await importRows(clientele, account, rows);
      expect(reasonsOf(rejections)).toEqual([7, 107, 207, 307, 407].map((index) => `${index + 1} ROW_REFUSED`));
      expect(done.imported).toBe(495);
    } finally {
      await clientele.db.raw("alter table customers drop constraint customers_test_check");
    }
  });

  test("keeps ids where the settings let it, else as a reference named after the source", async () => {
    const rows = [{ id: "cus_1", email: "one@example.com", livemode: false }];
    const open = await clientele.createAccount();
    await importRows(clientele, open, rows, { source: "stripe" });
    expect(await getCustomer(open.test, "cus_1")).toMatchObject({ externalReferences: [] });
    const closed = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
    await importRows(clientele, closed, rows, { source: "stripe" });
    const { customers } = await closed.test.customers.listCustomers({});
    expect(customers[0]!.id).toMatch(/^cus_.{26}$/);
    expect(customers[0]!.externalReferences).toMatchObject([{ name: "stripe", id: "cus_1" }]);
    const again = await importRows(clientele, closed, rows, { source: "stripe", again: "restart" });
    expect(reasonsOf(again.rejections)).toEqual(["1 EXTERNAL_REFERENCE_TAKEN"]);
  });

  test("refuses an address that customers share from before it had to be unique", async () => {
    const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const shared = [person("one"), person("two", { email: "one@example.com" })];
    expect((await importRows(clientele, account, shared)).done).toMatchObject({ imported: 2 });
    await account.test.accounts.updateAccountSettings({
      settings: { emailUniqueness: EmailUniqueness.UNIQUE },
      updateMask: { paths: ["email_uniqueness"] },
      acceptViolations: true,
    });
    const { rejections } = await importRows(clientele, account, [person("three", { email: "ONE@example.com" })]);
    expect(reasonsOf(rejections)).toEqual(["1 EMAIL_TAKEN"]);
  });

  test("keeps the limit of addresses and the countries of the settings", async () => {
    const fourGeeks = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
    const names = { firstName: "Ada", lastName: "Lovelace" };
    const rows = [3, 4].map((count) =>
      person(`with-${count}`, { ...names, id: "", addresses: Array(count).fill(houston) }),
    );
    const { rejections } = await importRows(clientele, fourGeeks, rows);
    expect(rejections.map(({ message }) => message)).toEqual(["Customer already has 3 addresses registered."]);
    const american = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
    const toronto = { line1: "1 King St W", city: "Toronto", state: "ON", postalCode: "M5H 1A1", country: "CA" };
    const { rejections: abroad } = await importRows(clientele, american, [person("ca", { addresses: [toronto] })]);
    expect(abroad[0]!.violations[0]!.field).toBe("addresses[0].country");
  });

  test("writes deleted customers as deleted, their addresses free for others, and refuses them where deletion is permanent", async () => {
    const account = await clientele.createAccount();
    const deleted = person("gone", { state: "CUSTOMER_STATE_DELETED", deleteTime: "2026-01-01T00:00:00Z" });
    const { done } = await importRows(clientele, account, [deleted, person("heir", { email: "gone@example.com" })]);
    expect(done).toMatchObject({ imported: 2, rejected: 0 });
    const gone = await getCustomer(account.test, "gone");
    expect(gone.state).toBe(CustomerState.DELETED);
    expect(Number(gone.purgeTime!.seconds - gone.deleteTime!.seconds)).toBe(30 * 86_400);
    const permanent = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const { rejections } = await importRows(clientele, permanent, [deleted]);
    expect(reasonsOf(rejections)).toEqual(["1 CUSTOMER_DELETED"]);
  });

  test("holds for every batch the settings of its moment", async () => {
    const account = await clientele.createAccount();
    const rows = Array.from({ length: 1500 }, (_, index) => person(`s-${index}`));
    let change: Promise<unknown> | undefined;
    const { done } = await importRows(clientele, account, rows, {
      keepRejections: () => {
        change ??= changeSettings(account.test, { clientAssignedIds: false }, ["client_assigned_ids"]);
      },
    });
    await change;
    expect(done).toMatchObject({ imported: 1500, rejected: 0 });
    const { rows: counts } = await clientele.db.raw(
      `select count(*) filter (where created.customer_id like 's-%')::int as under_its_own_id,
         count(*) filter (where (created.customer_id like 's-%') = (created.position > changed.position))::int as wrong
       from events created join events changed using (tenant_id) join customers on customers.tenant_id = created.tenant_id
         and customers.id = created.customer_id and customers.email like 's-%@example.com'
       where changed.type = 'account_settings.updated' and created.type = 'customer.created'`,
    );
    expect(counts).toEqual([{ under_its_own_id: expect.any(Number), wrong: 0 }]);
    expect(counts[0].under_its_own_id).toBeLessThan(1500);
  });

  test("reads the samples of every source", async () => {
    const counts: Record<string, [imported: number, rejected: number]> = {
      stripe: [4, 2],
      "digital-river": [3, 3],
      "four-geeks": [3, 2],
      "elastic-path": [2, 1],
    };
    for (const [source, [imported, rejected]] of Object.entries(counts)) {
      const account = await clientele.createAccount(
        source === "digital-river" ? SettingsPreset.DIGITAL_RIVER : SettingsPreset.OPEN,
      );
      const text = readFileSync(join(import.meta.dirname, `${source}.ndjson`), "utf8");
      const { done, rejections } = await importRows(clientele, account, text, { source });
      expect({ imported: done.imported, rejected: done.rejected }, JSON.stringify({ source, rejections })).toEqual({
        imported,
        rejected,
      });
    }
  });
});
