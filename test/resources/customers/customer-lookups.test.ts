import { toJson } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerLookup, CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

const clientele = useClientele();

describe("a search", () => {
  const people = [
    { email: "ron@example.com", firstName: "Ron", lastName: "Swanson" },
    { email: "shadya.mora@4geeks.io", firstName: "Shadya", lastName: "Mora Sánchez" },
    { email: "baron@example.com", name: "Baron Münchhausen" },
    { email: "x_100%@example.com", name: "Percent O'Neil" },
    { email: "old@example.com", name: "Rona Old" },
  ];
  let clients: Clients;
  beforeAll(async () => {
    clients = (await clientele.createAccount()).test;
    for (const customer of people) await clients.customers.createCustomer({ customer });
  });
  const found = async (query: string, page = {}) => {
    const { customers } = await clients.customers.searchCustomers({ query, ...page });
    return customers.map((customer) => customer.email);
  };

  const cases = [
    {
      query: "RON",
      want: ["old@example.com", "ron@example.com", "baron@example.com"],
      why: "the beginning first, then the newest",
    },
    { query: "sanchez", want: ["shadya.mora@4geeks.io"], why: "an accent left out" },
    { query: "SÁNCHEZ", want: ["shadya.mora@4geeks.io"], why: "an accent in capitals" },
    { query: "munch", want: ["baron@example.com"], why: "an umlaut left out" },
    { query: "mora", want: ["shadya.mora@4geeks.io"], why: "the last name" },
    { query: "ya", want: ["shadya.mora@4geeks.io"], why: "two letters" },
    { query: "%", want: ["x_100%@example.com"], why: "a sign that means something to SQL" },
    { query: "_1", want: ["x_100%@example.com"], why: "another one" },
    { query: "o'n", want: ["x_100%@example.com"], why: "a quote" },
    { query: "  ron@  ", want: ["ron@example.com", "baron@example.com"], why: "spaces around it" },
    { query: "nobody", want: [], why: "nothing" },
  ];
  test.for(cases)("for $query finds $why", async ({ query, want }) => {
    expect(await found(query)).toEqual(want);
  });

  test("pages through everything once, forwards and backwards, for every page size", async () => {
    const whole = await found("e");
    expect(whole).toHaveLength(people.length);
    for (const pageSize of [1, 2, 3, 4]) {
      const forwards: (string | undefined)[] = [];
      let token = "";
      let last = "";
      do {
        const page = await clients.customers.searchCustomers({ query: "e", pageSize, pageToken: token });
        forwards.push(...page.customers.map(({ email }) => email));
        [token, last] = [page.nextPageToken, page.previousPageToken];
      } while (token !== "");
      expect(forwards).toEqual(whole);
      const backwards: (string | undefined)[] = [];
      for (let previous = last; previous !== ""; ) {
        const page = await clients.customers.searchCustomers({ query: "e", pageSize, pageToken: previous });
        backwards.unshift(...page.customers.map(({ email }) => email));
        previous = page.previousPageToken;
      }
      expect(whole.slice(0, backwards.length)).toEqual(backwards);
      expect(whole.length - backwards.length).toBeLessThanOrEqual(pageSize);
    }
  });

  test("for an empty text is refused", async () => {
    expect(await failureOf(clients.customers.searchCustomers({ query: "  " }))).toMatchObject({
      code: "InvalidArgument",
      message: "The search query cannot be empty.",
    });
  });

  test("without a match is NOT_FOUND where the settings say so", async () => {
    const { test: own } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
    expect(await failureOf(own.customers.searchCustomers({ query: "x" }))).toMatchObject({ reason: "NOTHING_FOUND" });
  });

  test("sees no other tenant's customers and no deleted ones", async () => {
    const { test: own, live: foreign } = await clientele.createAccount();
    const { customer } = await own.customers.createCustomer({ customer: { email: "ann@example.com" } });
    expect((await foreign.customers.searchCustomers({ query: "ann" })).customers).toEqual([]);
    await own.customers.deleteCustomer({ id: customer!.id });
    expect((await own.customers.searchCustomers({ query: "ann" })).customers).toEqual([]);
  });
});

describe("a list", () => {
  test("is filtered, ordered, counted and paged by number", async () => {
    const { test: clients } = await clientele.createAccount();
    for (const name of ["c", "a", "b", "e", "d"]) {
      await clients.customers.createCustomer({
        customer: { email: `${name}@example.com`, name, metadata: { rank: name } },
      });
    }
    const request = { orderBy: "name desc", pageSize: 2, page: 2, includeTotalSize: true };
    const second = await clients.customers.listCustomers(request);
    expect(second.customers.map(({ name }) => name)).toEqual(["c", "b"]);
    expect(second.totalSize).toBe(5);
    const next = await clients.customers.listCustomers({ ...request, page: 0, pageToken: second.nextPageToken });
    expect(next.customers.map(({ name }) => name)).toEqual(["a"]);
    const filtered = await clients.customers.listCustomers({
      filter: "in(metadata.rank,a,e):like(email,*@EXAMPLE.com)",
    });
    expect(filtered.customers.map(({ name }) => name)).toEqual(["e", "a"]);
    const beyond = await clients.customers.listCustomers({ ...request, page: 9 });
    expect(beyond).toMatchObject({ customers: [], totalSize: 5, nextPageToken: "" });
  });

  test("is paged by number, however far", async () => {
    const { test: clients, accountId } = await clientele.createAccount();
    const count = 12_345;
    await clientele.db.raw(
      `insert into customers (tenant_id, id, email, create_time, update_time, delete_time, purge_time)
       select tenant_id, 'n' || n, 'n' || n || '@example.com', at, at,
         case when n % 10 = 0 then at end, case when n % 10 = 0 then at + interval '30 days' end
       from tenants, generate_series(1, ?::int) n, lateral (select now() - n * interval '1 second' as at) t
       where account_id = ? and not live_mode`,
      [count, accountId],
    );
    const idsOf = async (request: { page: number; pageSize?: number; showDeleted?: boolean; orderBy?: string }) =>
      (await clients.customers.listCustomers(request)).customers.map(({ id }) => id);
    expect(await idsOf({ page: 1235, showDeleted: true })).toEqual(["n12341", "n12342", "n12343", "n12344", "n12345"]);
    expect(await idsOf({ page: 2_147_483_647, pageSize: 100 })).toEqual([]);
    const last = await clients.customers.listCustomers({ page: 112, pageSize: 100, includeTotalSize: true });
    expect(last).toMatchObject({ totalSize: 11_111, nextPageToken: "" });
    expect(last.customers.map(({ id }) => id).slice(-3)).toEqual(["n12343", "n12344", "n12345"]);
    expect(last.customers).toHaveLength(11);
  });

  test("refuses nonsense for a filter with the document's message", async () => {
    const { test: clients } = await clientele.createAccount();
    const failure = await failureOf(clients.customers.listCustomers({ filter: "nonsense" }));
    expect(failure).toMatchObject({ message: "Could not parse the supplied filter", reason: "FILTER_INVALID" });
  });
});

describe("get-or-create", () => {
  test("makes one customer for 50 parallel callers, and tells one of them so", async () => {
    const { test: clients } = await clientele.createAccount(SettingsPreset.ELASTIC_PATH);
    const calls = Array.from({ length: 50 }, (_, index) => {
      const email = index % 2 === 0 ? "ada@example.com" : " ADA@example.com";
      return clients.customers.getOrCreateCustomer({ customer: { email, name: "Ada" } });
    });
    const answers = await Promise.all(calls);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ customer }) => customer!.id)).size).toBe(1);
  });

  test("finds a customer by an external reference", async () => {
    const { test: clients } = await clientele.createAccount();
    const customer = { email: "ada@example.com", externalReferences: [{ name: "stripe", id: "cus_1" }] };
    const lookup = CustomerLookup.EXTERNAL_REFERENCE;
    const first = await clients.customers.getOrCreateCustomer({ customer, lookup });
    const second = await clients.customers.getOrCreateCustomer({
      customer: { ...customer, email: "b@example.com" },
      lookup,
    });
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.customer!.id).toBe(first.customer!.id);
  });

  test("of several external references, the named one is looked up", async () => {
    const { test: clients } = await clientele.createAccount();
    const references = [
      { name: "erp", id: "7" },
      { name: "stripe", id: "cus_1" },
    ];
    const customer = { email: "ada@example.com", externalReferences: references };
    const lookup = CustomerLookup.EXTERNAL_REFERENCE;
    const getOrCreate = (request: object) => clients.customers.getOrCreateCustomer({ customer, lookup, ...request });
    expect((await failureOf(getOrCreate({}))).fields).toEqual({ external_reference_name: "This field is required." });
    expect((await failureOf(getOrCreate({ externalReferenceName: "none" }))).fields).toEqual({
      "customer.external_references": "This field is required.",
    });
    const { customer: made } = await getOrCreate({ externalReferenceName: "stripe" });
    const other = { email: "bea@example.com", externalReferences: [{ name: "stripe", id: "cus_1" }] };
    expect(await getOrCreate({ customer: other })).toMatchObject({ created: false, customer: { id: made!.id } });
    const wrong = { lookup: CustomerLookup.EMAIL, externalReferenceName: "stripe" };
    expect((await failureOf(getOrCreate(wrong))).fields).toHaveProperty("external_reference_name");
  });

  test("without its needed part is refused", async () => {
    const { test: clients } = await clientele.createAccount();
    const failure = await failureOf(clients.customers.getOrCreateCustomer({ customer: { name: "Ada" } }));
    expect(failure.fields).toEqual({ "customer.email": "This field is required." });
  });
});

test("a batch answers in the order asked for, and misses none", async () => {
  const { test: clients, live } = await clientele.createAccount();
  const ids = ["b", "a", "c"];
  for (const id of ids) await clients.customers.createCustomer({ customer: { id, email: `${id}@example.com` } });
  const { customers } = await clients.customers.batchGetCustomers({ ids: ["a", "b", "a"] });
  expect(customers.map(({ id }) => id)).toEqual(["a", "b", "a"]);
  expect(await failureOf(clients.customers.batchGetCustomers({ ids: ["a", "nobody"] }))).toMatchObject({
    code: "NotFound",
  });
  expect(await failureOf(live.customers.batchGetCustomers({ ids: ["a"] }))).toMatchObject({ code: "NotFound" });
});

describe("a read mask", () => {
  const customer = { id: "ada", email: "ada@example.com", name: "Ada", metadata: { tier: "gold", size: 3 } };
  const want = { id: "ada", name: "Ada", metadata: { tier: "gold" } };
  const readMask = { paths: ["id", "name", "metadata.tier"] };

  test.for([
    { name: "get", read: (c: Clients) => c.customers.getCustomer({ id: "ada", readMask }) },
    { name: "batch get", read: (c: Clients) => c.customers.batchGetCustomers({ ids: ["ada"], readMask }) },
    { name: "list", read: (c: Clients) => c.customers.listCustomers({ readMask }) },
    { name: "search", read: (c: Clients) => c.customers.searchCustomers({ query: "ada", readMask }) },
  ])("keeps the named fields of a $name alone", async ({ read }) => {
    const { test: clients } = await clientele.createAccount();
    await clients.customers.createCustomer({ customer });
    const answer = await read(clients);
    const [customerRead] = "customers" in answer ? answer.customers : [answer.customer];
    expect(toJson(CustomerSchema, customerRead!)).toEqual(want);
  });

  test.for([["nonsense"], ["name.first"], ["metadata."]])("that names %s is refused", async ([path]) => {
    const { test: clients } = await clientele.createAccount();
    const failure = await failureOf(clients.customers.listCustomers({ readMask: { paths: [path!] } }));
    expect(failure).toMatchObject({
      code: "InvalidArgument",
      fields: { read_mask: `${path} is not a path that can be read` },
    });
  });
});
