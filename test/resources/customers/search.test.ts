import { beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

const clientele = useClientele();

describe("search and like fold both sides alike", () => {
  let clients: Clients;
  beforeAll(async () => {
    clients = (await clientele.createAccount()).test;
  });

  test.for([
    { stored: "ΠΑΠΑΔΟΠΟΥΛΟΣ", query: "ΠΑΠΑΔΟΠΟΥΛΟΣ", why: "a final sigma in capitals" },
    { stored: "Γιώργος", query: "ΓΙΩΡΓΟΣ", why: "a final sigma in small letters" },
    { stored: "Işık", query: "IŞIK", why: "a dotless i" },
    { stored: "İpek", query: "ipek", why: "a dotted capital I" },
    { stored: "Strauß", query: "STRAUSS", why: "a sharp s" },
    { stored: "Łukasz", query: "lukasz", why: "a letter with a stroke" },
    { stored: "Søren", query: "SOREN", why: "an o with a stroke" },
    { stored: "Đặng", query: "dang", why: "a d with a stroke" },
    { stored: "Þór Æsir", query: "thor aesir", why: "a thorn and a ligature" },
    { stored: "Siobhan O’Brien", query: "o'brien", why: "a typographic apostrophe" },
    { stored: "Quincy", query: "\u200bquincy\u2060", why: "invisible characters in the query" },
    { stored: "Jean‐Luc", query: "jean-luc", why: "a typographic hyphen" },
    { stored: "Ａｄａ", query: "ada", why: "full-width letters" },
    { stored: "Zoe\u0308 Quinn", query: "zoë", why: "a combining mark" },
  ])("$why: $query finds $stored", async ({ stored, query }) => {
    const { customer } = await clients.customers.createCustomer({
      customer: { email: `${crypto.randomUUID()}@example.com`, lastName: stored },
    });
    const found = await clients.customers.searchCustomers({ query });
    expect(found.customers.map(({ id }) => id)).toContain(customer!.id);
    const { customers } = await clients.customers.listCustomers({ filter: `like(last_name,"*${query}*")` });
    expect(customers.map(({ id }) => id)).toContain(customer!.id);
  });

  test("a full-width percent sign is no wildcard", async () => {
    const found = await clients.customers.searchCustomers({ query: "a％a" });
    expect(found.customers).toEqual([]);
  });
});

describe("a query may span first and last name", () => {
  test.for(["shadya mora", "Shadya  Mora Sanchez", "dya mora s", "mora sánchez"])("%s", async (query) => {
    const { test: clients } = await clientele.createAccount();
    const customer = { email: "s@example.com", firstName: "Shadya", lastName: "Mora Sánchez" };
    await clients.customers.createCustomer({ customer });
    await clients.customers.createCustomer({
      customer: { email: "t@example.com", firstName: "Mora", lastName: "Shadya" },
    });
    const { customers } = await clients.customers.searchCustomers({ query });
    expect(customers.map(({ email }) => email)).toEqual(["s@example.com"]);
  });
});

describe("among more customers than one walk reads", () => {
  const count = 3_000;
  let clients: Clients;
  // The nth is the nth oldest. Every third is called John; rare names stand among the oldest.
  beforeAll(async () => {
    const account = await clientele.createAccount();
    clients = account.test;
    await clients.customers.createCustomer({ customer: { email: "first@example.com", name: "Quentin Qvist" } });
    await clientele.db.raw(
      `insert into customers (tenant_id, id, email, first_name, last_name, create_time, update_time)
       select tenant_id, 'n' || n, 'n' || n || '@example.com', case n % 3 when 0 then 'John' else 'Mary' end,
         case when n < 1200 then 'Oldsmith' else 'Young' || n end, at, at
       from tenants, generate_series(1, ?::int) n, lateral (select now() + n * interval '1 second' as at) t
       where account_id = ? and not live_mode`,
      [count, account.accountId],
    );
  });
  const idsOf = async (request: { query: string; page?: number; pageToken?: string; pageSize?: number }) =>
    (await clients.customers.searchCustomers(request)).customers.map(({ id }) => id);

  test("a frequent text answers the newest", async () => {
    expect(await idsOf({ query: "john", pageSize: 3 })).toEqual(["n3000", "n2997", "n2994"]);
  });

  test("a text of old customers alone is found, the newest of them first", async () => {
    expect(await idsOf({ query: "oldsm", pageSize: 2 })).toEqual(["n1199", "n1198"]);
    expect(await idsOf({ query: "ldsm", pageSize: 2 })).toEqual(["n1199", "n1198"]);
  });

  test.for(["qvist", "qv", "entin q", "n q"])("a rare text is found beyond the walk: %s", async (query) => {
    expect(await idsOf({ query })).toHaveLength(1);
  });

  test("pages by token and by number are the same pages, and the total is exact", async () => {
    const whole: string[] = [];
    for (let token = "", page = 1; ; page++) {
      const request = { query: "oldsmith", pageSize: 100 };
      const byToken = await clients.customers.searchCustomers({ ...request, pageToken: token, includeTotalSize: true });
      expect(byToken.totalSize).toBe(1199);
      expect(await idsOf({ ...request, page })).toEqual(byToken.customers.map(({ id }) => id));
      whole.push(...byToken.customers.map(({ id }) => id));
      token = byToken.nextPageToken;
      if (token === "") break;
    }
    expect(whole).toEqual(Array.from({ length: 1199 }, (_, index) => `n${1199 - index}`));
  });
});

test("4Geeks: the message of an empty result repeats the query", async () => {
  const { test: clients } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
  expect(await failureOf(clients.customers.searchCustomers({ query: "nobody" }))).toMatchObject({
    code: "NotFound",
    reason: "NOTHING_FOUND",
    message: "No customers found matching the query: 'nobody'.",
  });
});
