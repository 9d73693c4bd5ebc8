import { describe, expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { ErasureState } from "../../gen/clientele/v1/privacy_pb.js";
import { houston } from "../support/addresses.js";
import { useClientele } from "../support/clientele.js";
import { createCustomer } from "../support/customers.js";
import { exportRows, importRows } from "../support/imports.js";
import { createWorker } from "../support/jobs.js";

const clientele = useClientele();

describe("every problem of a row is named in its rejection", () => {
  const cases: { name: string; source?: string; row: object | string; fields: string[] }[] = [
    {
      name: "unknown fields, wrong types and bad values",
      row: { emial: "x", email: "nobody", name: 7, type: "robot", locale: "xx" },
      fields: ["customer.emial", "customer.email", "customer.name", "customer.type", "customer.locale"],
    },
    {
      name: "the customer and each address",
      row: {
        email: "nobody",
        addresses: [{ ...houston, state: "ZZ" }, houston, { line1: "1", country: "US" }],
        createTime: "2999-01-01T00:00:00Z",
        passwordHash: "plain",
      },
      fields: ["addresses[0].state", "addresses[2].city", "customer.email", "password_hash", "customer.create_time"],
    },
    {
      name: "fields of the wrong kind at a source",
      source: "stripe",
      row: {
        id: "cus_1",
        object: "customer",
        email: {},
        phone: [],
        metadata: 7,
        shipping: { address: { line1: true } },
        created: "soon",
      },
      fields: ["email", "phone", "metadata", "shipping.address.line1", "created"],
    },
    {
      name: "a field of the wrong kind and a missing one",
      source: "four-geeks",
      row: { id: "1", first_name: {}, last_name: null, email: null, country: "Atlantis" },
      fields: ["first_name", "customer.email", "customer.country"],
    },
    {
      name: "numbers that would not keep their digits, and a bad value",
      row: '{"email":"nobody","metadata":{"orderId":7234567890123456789,"a":[1e400]}}',
      fields: ["customer.metadata.orderId", "customer.metadata.a[0]", "customer.email"],
    },
  ];
  test.for(cases)("$name", async ({ source = "clientele", row, fields }) => {
    const account = await clientele.createAccount();
    const { done, rejections } = await importRows(clientele, account, typeof row === "string" ? row : [row], {
      source,
    });
    expect(done).toMatchObject({ imported: 0, rejected: 1 });
    expect(rejections[0]!.violations.map(({ field }) => field).sort()).toEqual([...fields].sort());
    for (const { description } of rejections[0]!.violations) expect(rejections[0]!.message).toContain(description);
  });
});

test.for([
  { text: '{"email":"a@x.io",}', column: 19 },
  { text: '{"email":', column: 10 },
  { text: "no JSON", column: 1 },
  { text: '{"email":"a@x.io"} {}', column: 20 },
])("a line that is not JSON is named with its line and column: $text", async ({ text, column }) => {
  const account = await clientele.createAccount();
  const { rejections } = await importRows(clientele, account, `{"email":"b@x.io"}\n${text}\n`);
  expect(rejections).toEqual([
    {
      line: 2,
      column,
      reason: "JSON_INVALID",
      message: `The line is not JSON: it breaks off at column ${column}.`,
      violations: [],
    },
  ]);
});

describe("a number keeps its digits", () => {
  test.for([
    { source: "stripe", row: '{"object":"customer","id":9007199254740993,"email":"a@x.io"}' },
    { source: "digital-river", row: '{"id":9007199254740993,"email":"a@x.io"}' },
    { source: "four-geeks", row: '{"id":9007199254740993,"first_name":"A","last_name":"B","email":"a@x.io"}' },
    { source: "elastic-path", row: '{"type":"customer","id":9007199254740993,"name":"A","email":"a@x.io"}' },
  ])("as an id of $source, which is a text here", async ({ source, row }) => {
    const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const { rejections } = await importRows(clientele, account, row, { source });
    expect(rejections).toEqual([]);
    expect((await account.test.customers.getCustomer({ id: "9007199254740993" })).customer!.email).toBe("a@x.io");
  });

  test.for([
    { source: "clientele", row: '{"id":9007199254740993,"email":"a@x.io"}', field: "customer.id" },
    {
      source: "clientele",
      row: '{"email":"a@x.io","metadata":{"orderId":7234567890123456789}}',
      field: "customer.metadata.orderId",
    },
    {
      source: "stripe",
      row: '{"object":"customer","id":"cus_1","metadata":{"a":{"b":0.1000000000000000055}}}',
      field: "customer.metadata.a.b",
    },
    {
      source: "elastic-path",
      row: '{"type":"customer","id":"1","name":"A","email":"a@x.io","loyalty":12345678901234567890}',
      field: "customer.metadata.loyalty",
    },
    { source: "digital-river", row: '{"id":1.5,"email":"a@x.io"}', field: "id" },
    { source: "digital-river", row: '{"id":"1","createdTime":1e400}', field: "createdTime" },
  ])("a number that would lose digits refuses its row of $source, by $field", async ({ source, row, field }) => {
    const account = await clientele.createAccount();
    const { rejections } = await importRows(clientele, account, row, { source });
    expect(rejections).toMatchObject([{ line: 1, reason: "FIELDS_INVALID" }]);
    expect(rejections[0]!.violations.map((it) => it.field)).toContain(field);
  });

  test("a number that would lose digits in a field that is not imported refuses no row", async () => {
    const account = await clientele.createAccount();
    const row = '{"object":"customer","id":"cus_1","email":"a@x.io","balance":12345678901234567890}';
    expect((await importRows(clientele, account, row, { source: "stripe" })).rejections).toEqual([]);
  });

  test("a card number that is typed as a number is refused as one", async () => {
    const account = await clientele.createAccount();
    const row = '{"object":"customer","id":"cus_1","email":"nobody","metadata":{"card":6304000000000000000}}';
    const { rejections } = await importRows(clientele, account, row, { source: "stripe" });
    expect(rejections).toMatchObject([
      { reason: "CARD_NUMBER_GIVEN", violations: [{ field: "customer.metadata.card" }] },
    ]);
    expect(JSON.stringify(rejections)).not.toContain("6304000000000000000");
  });
});

describe("a customer that asked to be forgotten", () => {
  test("is exported and imported with its wish, and erased after the delay of the settings", async () => {
    const first = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const { id, email } = await createCustomer(first.test);
    await first.test.privacy.requestErasure({ customerId: id });
    const rows = await exportRows(clientele, first);
    expect(rows).toMatchObject([{ id, requestToBeForgotten: true }]);
    const second = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    const { rejections } = await importRows(clientele, second, rows);
    expect(rejections).toEqual([]);
    expect((await second.test.customers.getCustomer({ id })).customer).toMatchObject({
      email,
      requestToBeForgotten: true,
    });
    const { erasures } = await second.test.privacy.listErasures({ customerId: id });
    expect(erasures).toMatchObject([{ customerId: id, state: ErasureState.SCHEDULED }]);
    const [{ dueTime, createTime }] = erasures as [(typeof erasures)[0]];
    expect(dueTime!.seconds - createTime!.seconds).toBe(30n * 86_400n);
    const types = await clientele
      .db("events")
      .where({ customer_id: id, actor: "system" })
      .orderBy("position")
      .pluck("type");
    expect(types).toEqual(["customer.created", "erasure.requested"]);
    expect(await exportRows(clientele, second)).toMatchObject([{ id, requestToBeForgotten: true }]);
    const { erasure } = await second.test.privacy.cancelErasure({ id: erasures[0]!.id });
    expect(erasure!.state).toBe(ErasureState.CANCELLED);
    expect((await second.test.customers.getCustomer({ id })).customer!.requestToBeForgotten).toBe(false);
  });

  test("is erased by the job where nothing delays it", async () => {
    const account = await clientele.createAccount();
    const row = { id: "forgotten", email: "forgotten@example.com", requestToBeForgotten: true };
    expect((await importRows(clientele, account, [row])).rejections).toEqual([]);
    await using worker = await createWorker(clientele, { clock: () => new Date(Date.now() + 1000) });
    await worker.run("erase_customers");
    const { erasures } = await account.test.privacy.listErasures({ customerId: row.id });
    expect(erasures).toMatchObject([{ state: ErasureState.COMPLETED }]);
  });
});
