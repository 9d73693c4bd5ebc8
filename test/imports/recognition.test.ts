import { beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { type TestAccount, useClientele } from "../support/clientele.js";
import { importRows } from "../support/imports.js";

const clientele = useClientele();
let account: TestAccount;
beforeAll(async () => {
  // Under these settings every object could be a customer: no field is required, and addresses may be shared.
  account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
});

let count = 0;
const unique = () => `${++count}`;
const stripe = (more: object = {}) => ({
  id: `cus_S${unique()}`,
  object: "customer",
  email: "ada@example.com",
  ...more,
});
const river = (more: object = {}) => ({ id: `dr-${unique()}`, email: "ada@example.com", ...more });
const geek = (more: object = {}) => ({
  id: `4g-${unique()}`,
  ...{ first_name: "Ada", last_name: "Lovelace", email: "ada@example.com" },
  ...more,
});
const elastic = (more: object = {}) => ({
  type: "customer",
  id: `ep-${unique()}`,
  name: "Ada",
  email: "ada@example.com",
  ...more,
});
const ours = (more: object = {}) => ({ id: `c-${unique()}`, email: "ada@example.com", ...more });

describe("an object that is no customer of its source is refused with a reason", () => {
  const others: Record<string, unknown[]> = {
    stripe: [
      {},
      { id: "ch_1", object: "charge", amount: 100, billing_details: { email: "ada@example.com" } },
      { id: "pi_1", object: "payment_intent" },
      { id: "card_1", object: "card", name: "Ada" },
      { id: "evt_1", object: "event", data: { object: { id: "cus_1", object: "customer" } } },
      { error: { type: "invalid_request_error", message: "No such customer" } },
      { object: "list", has_more: false },
      { object: 7, id: "cus_1" },
      { email: "ada@example.com" },
    ],
    "digital-river": [
      {},
      { type: "not_found", errors: [{ code: "invalid_parameter", message: "No such customer" }] },
      { id: "o1", createdTime: "2020-05-06T22:28:01Z", currency: "USD", email: "ada@example.com", items: [] },
      { id: "fd74a5c5-0163-469a-ae8e-031f0259b576", type: "creditCard", creditCard: { brand: "Visa" } },
      { id: "c1", customerId: "5", email: "ada@example.com", shipTo: {} },
      { object: "customer", id: "cus_1" },
      { metadata: {} },
    ],
    "four-geeks": [
      {},
      { code: 404, title: "Customer not found", content: "…", type: "danger" },
      { detail: "Authentication credentials were not provided." },
      { message: { code: 404, title: "Customer not found" } },
      { id: "p1", amount: 10, currency: "usd", customer: "c1" },
      { id: "a1", line1: "1 Main St", city: "Austin", country: "US" },
      { count: 0, next: null },
    ],
    "elastic-path": [
      {},
      { errors: [{ status: 404, title: "Not Found" }] },
      { type: "address", id: "a1", name: "Home", line_1: "1 Main St" },
      { type: "order", id: "o1", customer: { name: "Ada", email: "ada@example.com" } },
      { data: { type: "product", id: "p1" } },
      { id: "c1", name: "Ada", email: "ada@example.com" },
    ],
    clientele: [{}],
  };
  const cases = Object.entries(others).flatMap(([source, rows]) =>
    rows.map((row) => ({ source, row, text: JSON.stringify(row) })),
  );

  test.for(cases)("$source: $text", async ({ source, row }) => {
    const { done, rejections } = await importRows(clientele, account, [row as object], { source });
    expect({ imported: done.imported, reasons: rejections.map(({ reason }) => reason) }).toEqual({
      imported: 0,
      reasons: ["NOT_A_CUSTOMER"],
    });
    expect(rejections[0]!.message).toMatch(/^[A-Z].* customer\b.*\.$|^No customer .*\.$|no customer/);
    expect(rejections[0]!.message).not.toContain("ada@example.com");
  });
});

test("a refusal names the kind of the object, and never a value", async () => {
  const rows = [{ object: "charge" }, { object: "ada@example.com" }];
  const { rejections } = await importRows(clientele, account, rows, { source: "stripe" });
  expect(rejections.map(({ message }) => message)).toEqual([
    "This is a Stripe object of the kind charge, and no customer.",
    "This is a Stripe object of the kind unknown, and no customer.",
  ]);
});

describe("a page of results is read as its customers", () => {
  const pages: { name: string; source: string; page: () => unknown; size: number }[] = [
    {
      name: "a list",
      source: "stripe",
      page: () => ({ object: "list", url: "/v1/customers", has_more: true, data: [stripe(), stripe()] }),
      size: 2,
    },
    {
      name: "a search",
      source: "stripe",
      page: () => ({ object: "search_result", data: [stripe()], next_page: null }),
      size: 1,
    },
    { name: "an empty list", source: "stripe", page: () => ({ object: "list", data: [] }), size: 0 },
    {
      name: "a page",
      source: "digital-river",
      page: () => ({ hasMore: false, data: [river(), river(), river()] }),
      size: 3,
    },
    {
      name: "a page",
      source: "four-geeks",
      page: () => ({ count: 2, next: null, previous: null, results: [geek(), geek()] }),
      size: 2,
    },
    { name: "a bare list of a search", source: "four-geeks", page: () => [geek(), geek()], size: 2 },
    {
      name: "a page",
      source: "elastic-path",
      page: () => ({ data: [elastic(), elastic()], meta: {}, links: {} }),
      size: 2,
    },
    { name: "an answer", source: "elastic-path", page: () => ({ data: elastic() }), size: 1 },
    {
      name: "a page",
      source: "clientele",
      page: () => ({ customers: [ours(), ours()], nextPageToken: "x", totalSize: 9 }),
      size: 2,
    },
    { name: "an answer", source: "clientele", page: () => ({ customer: ours() }), size: 1 },
  ];
  test.for(pages)("$source: $name", async ({ source, page, size }) => {
    const { done, rejections } = await importRows(clientele, account, [page() as object], { source });
    expect(rejections).toEqual([]);
    expect(done).toMatchObject({ imported: size, rejected: 0, line: 1 });
  });
});

test("of a page only the objects that are refused are rejected, each by its path", async () => {
  const page = {
    object: "list",
    data: [
      stripe(),
      { object: "charge" },
      stripe({ email: "nobody" }),
      "text",
      stripe({ deleted: true }),
      stripe({ id: "cus_twice" }),
    ],
  };
  const rows = [stripe({ id: "cus_twice" }), page];
  const { done, rejections } = await importRows(clientele, account, rows, { source: "stripe" });
  expect(done).toMatchObject({ imported: 2, rejected: 5, line: 2 });
  const told = rejections.map(({ line, reason, message, violations }) => [
    line,
    reason,
    violations[0]?.field ?? message,
  ]);
  expect(told.map(String).sort()).toEqual(
    [
      [2, "CUSTOMER_ID_TAKEN", "data[5].customer.id"],
      [2, "FIELDS_INVALID", "data[2].customer.email"],
      [2, "JSON_INVALID", "data[3]: This is not a JSON object."],
      [2, "NOT_A_CUSTOMER", "data[1]: This is a Stripe object of the kind charge, and no customer."],
      [2, "SOURCE_DELETED", "data[4]: The customer is deleted at its source."],
    ].map(String),
  );
});

test.for([
  { name: "default_source as an id", more: { default_source: "card_1" }, want: "card_1" },
  {
    name: "default_source expanded",
    more: { default_source: { id: "card_2", object: "card", last4: "4242" } },
    want: "card_2",
  },
  {
    name: "default_payment_method as an id",
    more: { default_source: "card_3", invoice_settings: { default_payment_method: "pm_1" } },
    want: "pm_1",
  },
  {
    name: "default_payment_method expanded",
    more: { invoice_settings: { default_payment_method: { id: "pm_2", object: "payment_method" } } },
    want: "pm_2",
  },
])("Stripe: $name becomes a reference", async ({ more, want }) => {
  const row = stripe(more);
  const { rejections } = await importRows(clientele, account, [row], { source: "stripe" });
  expect(rejections).toEqual([]);
  const { customer } = await account.test.customers.getCustomer({ id: row.id });
  expect(customer!.externalReferences).toMatchObject([{ name: "stripe-payment-method", id: want }]);
});

test("Stripe: an expanded object without an id is refused by its field", async () => {
  const { rejections } = await importRows(clientele, account, [stripe({ default_source: { object: "card" } })], {
    source: "stripe",
  });
  expect(rejections[0]).toMatchObject({ reason: "FIELDS_INVALID", violations: [{ field: "default_source" }] });
});

describe("Digital River: the shipping of a customer is read", () => {
  const place = { line1: "10380 Bren Rd W", city: "Minnetonka", postalCode: "55129", state: "MN", country: "US" };
  const info = { neighborhood: "Opus", division: "Sales", phoneticName: "jon" };
  test.for([
    { name: "as the guide shows it", shipping: { address: place, name: "John Smith", organization: "Digital River" } },
    {
      name: "with additionalAddressInfo beside the address",
      shipping: { address: place, additionalAddressInfo: info },
    },
    {
      name: "with additionalAddressInfo in the address",
      shipping: { address: { ...place, additionalAddressInfo: info } },
    },
    { name: "with the place in shipping itself", shipping: { ...place, additionalAddressInfo: info } },
  ])("$name", async ({ shipping }) => {
    const row = river({ shipping });
    const { rejections } = await importRows(clientele, account, [row], { source: "digital-river" });
    expect(rejections).toEqual([]);
    const { customer } = await account.test.customers.getCustomer({ id: row.id });
    const { name, organization } = shipping as { name?: string; organization?: string };
    const more = JSON.stringify(shipping).includes("Opus") ? { additionalAddressInfo: info } : {};
    expect(customer!.shipping).toMatchObject({
      ...place,
      ...more,
      ...(name && { name }),
      ...(organization && { organization }),
    });
  });
});
