import type { JsonObject } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { type CustomField, CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { readConfig } from "../../../src/config.js";
import { buildDeps } from "../../../src/deps.js";
import { tasksOf } from "../../../src/jobs.js";
import { filterableFields } from "../../../src/resources/customers/list-fields.js";
import { listCustomers } from "../../../src/resources/customers/list-store.js";
import { parseFilter } from "../../../src/rpc/lists/filter.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { planOf } from "../../support/plans.js";

const { STRING, INTEGER, BOOLEAN, FLOAT, DATE } = CustomFieldType;
const types = { tier: STRING, shoe: INTEGER, news: BOOLEAN, weight: FLOAT, born: DATE };

// By name, so that a test can say who is found.
const people: Record<string, JsonObject> = {
  ada: { tier: "gold", shoe: 38, news: true, weight: 60.5, born: "1815-12-10" },
  bea: { tier: "Gold", shoe: 9, news: false, weight: -0.5, born: "1999-01-01" },
  cleo: { tier: "gold plated", shoe: 100, weight: 1e21, born: "2000-02-29" },
  dora: { tier: "5", shoe: 0, news: false, weight: 5e-324 },
  eve: { tier: "é,)", shoe: -1 },
  fay: {},
};

let now = new Date("2026-03-01T12:00:00Z");
let own: Clients;
let fields: Record<string, CustomField>;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  own = (await clientele.createAccount()).test;
  fields = {};
  for (const [slug, type] of Object.entries(types)) {
    const { customField } = await own.customFields.createCustomField({ customField: { slug, name: slug, type } });
    fields[slug] = customField!;
  }
  for (const [name, customFields] of Object.entries(people)) {
    now = new Date(now.getTime() + 1000);
    await createCustomer(own, { name, customFields });
  }
});

async function listed(filter: string, orderBy = "create_time", pageSize = 100): Promise<string[]> {
  const names: string[] = [];
  let pageToken = "";
  do {
    const page = await own.customers.listCustomers({ filter, orderBy, pageSize, pageToken });
    names.push(...page.customers.map(({ name }) => name ?? ""));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return names;
}

const filters: { filter: string; want: string[] }[] = [
  { filter: "eq(custom_fields.tier,gold)", want: ["ada"] },
  { filter: 'eq(custom_fields.tier,"é,)")', want: ["eve"] },
  { filter: "eq(custom_fields.tier,5)", want: ["dora"] },
  { filter: "in(custom_fields.tier,gold,Gold,lead)", want: ["ada", "bea"] },
  { filter: "like(custom_fields.tier,GOLD*)", want: ["ada", "bea", "cleo"] },
  { filter: "gt(custom_fields.tier,gold)", want: ["cleo", "eve"] },
  { filter: "is_null(custom_fields.tier)", want: ["fay"] },
  { filter: "eq(custom_fields.shoe,38)", want: ["ada"] },
  { filter: "eq(custom_fields.shoe,38.0)", want: ["ada"] },
  { filter: "gt(custom_fields.shoe,9)", want: ["ada", "cleo"] },
  { filter: "le(custom_fields.shoe,0)", want: ["dora", "eve"] },
  { filter: "in(custom_fields.shoe,-1,9,10)", want: ["bea", "eve"] },
  { filter: "eq(custom_fields.news,false)", want: ["bea", "dora"] },
  { filter: "is_null(custom_fields.news)", want: ["cleo", "eve", "fay"] },
  { filter: "lt(custom_fields.weight,1)", want: ["bea", "dora"] },
  { filter: "eq(custom_fields.weight,1e21)", want: ["cleo"] },
  { filter: "ge(custom_fields.born,1999-01-01)", want: ["bea", "cleo"] },
  { filter: "eq(custom_fields.born,2000-02-29)", want: ["cleo"] },
  { filter: "gt(custom_fields.shoe,0):eq(custom_fields.news,true):eq(enabled,true)", want: ["ada"] },
];

test.for(filters)("the filter $filter compares by the type of the field", async ({ filter, want }) => {
  expect(await listed(filter)).toEqual(want);
});

const nonsense = [
  "eq(custom_fields,gold)",
  "eq(custom_fields.,gold)",
  "eq(custom_fields.nobody,gold)",
  "eq(custom_fields.constructor,gold)",
  "eq(custom_fields.shoe,large)",
  "gt(custom_fields.shoe,1e999)",
  "like(custom_fields.shoe,3*)",
  "eq(custom_fields.news,yes)",
  "gt(custom_fields.news,true)",
  "eq(custom_fields.born,yesterday)",
  "eq(custom_fields.born,2025-02-29)",
  "like(custom_fields.born,2025*)",
];

test.for(nonsense)("the filter %s is refused", async (filter) => {
  const failure = await failureOf(listed(filter));
  expect(failure).toMatchObject({ reason: "FILTER_INVALID", message: "Could not parse the supplied filter" });
});

const orders: { orderBy: string; want: string[] }[] = [
  { orderBy: "custom_fields.tier", want: ["dora", "bea", "ada", "cleo", "eve", "fay"] },
  { orderBy: "custom_fields.shoe desc", want: ["fay", "cleo", "ada", "bea", "dora", "eve"] },
  { orderBy: "custom_fields.shoe, name", want: ["eve", "dora", "bea", "ada", "cleo", "fay"] },
  { orderBy: "custom_fields.news, name desc", want: ["dora", "bea", "ada", "fay", "eve", "cleo"] },
  { orderBy: "custom_fields.weight desc, name desc", want: ["fay", "eve", "cleo", "ada", "dora", "bea"] },
  { orderBy: "custom_fields.born, custom_fields.shoe desc", want: ["ada", "bea", "cleo", "fay", "dora", "eve"] },
];

describe.for(orders)("the order $orderBy", ({ orderBy, want }) => {
  test.for([1, 2, 100])("is exact in pages of %i, forwards and backwards", async (pageSize) => {
    expect(await listed("", orderBy, pageSize)).toEqual(want);
    const back: string[] = [];
    let page = await own.customers.listCustomers({ orderBy, pageSize, page: Math.ceil(want.length / pageSize) });
    for (;;) {
      back.unshift(...page.customers.map(({ name }) => name ?? ""));
      if (page.previousPageToken === "") break;
      page = await own.customers.listCustomers({ orderBy, pageSize, pageToken: page.previousPageToken });
    }
    expect(back).toEqual(want);
  });
});

test("an order by an undefined field is refused, and a disabled field is neither filter nor order", async () => {
  for (const orderBy of ["custom_fields.nobody", "custom_fields", "custom_fields.constructor"]) {
    const failure = await failureOf(listed("", orderBy));
    expect(failure).toMatchObject({ reason: "ORDER_BY_INVALID" });
    expect(failure.fields.order_by).toMatch(/^term 1 is none of id, .*, update_time, custom_fields\.<slug>$/);
  }
  const set = (enabled: boolean) =>
    own.customFields.updateCustomField({
      customField: { id: fields.tier!.id, enabled },
      updateMask: { paths: ["enabled"] },
    });
  await set(false);
  expect(await failureOf(listed("", "custom_fields.tier"))).toMatchObject({ reason: "ORDER_BY_INVALID" });
  expect(await failureOf(listed("eq(custom_fields.tier,gold)"))).toMatchObject({ reason: "FILTER_INVALID" });
  await set(true);
  expect(await listed("eq(custom_fields.tier,gold)")).toEqual(["ada"]);
});

test.for(["eq(custom_fields.serial,serial 77)", "in(custom_fields.serial,serial 77,serial 78)"])(
  "an index finds the few customers of %s among many",
  async (filter) => {
    const on = await clientele.createAccount();
    const { customField } = await on.test.customFields.createCustomField({
      customField: { slug: "serial", name: "Serial", type: STRING },
    });
    const { id: seed } = await createCustomer(on.test);
    const { tenant_id } = await clientele.db("customers").where({ id: seed }).first("tenant_id");
    await clientele.db.raw(
      `insert into customers (tenant_id, id, create_time, update_time, custom_fields)
       select ?, 'c' || n, now(), now(), jsonb_build_object(?::text, 'serial ' || n) from generate_series(1, 20000) n`,
      [tenant_id, customField!.id],
    );
    await clientele.db.raw("analyze customers");
    const query = { showDeleted: false, includeTotalSize: false };
    const parsed = parseFilter(filter, filterableFields([customField!]));
    const plan = await planOf(clientele, (db) => listCustomers(db, tenant_id, { ...query, filter: parsed }, page));
    expect(plan).toContain("customers_custom_fields_idx");
    expect((await on.test.customers.listCustomers({ filter })).customers.length).toBeGreaterThan(0);
  },
);

const newest = { descending: true, nullable: false };
const page = {
  size: 10,
  order: ["create_time", "id"].map((column) => ({ column, ...newest })),
  cursor: undefined,
  offset: 0,
  seal: () => "",
};

test("the values of a definition that was deleted 30 days ago are erased, and no others", async () => {
  const { test: on } = await clientele.createAccount();
  const [kept, gone] = await Promise.all(
    ["kept", "gone"].map(async (slug) => {
      const { customField } = await on.customFields.createCustomField({
        customField: { slug, name: slug, type: STRING },
      });
      return customField!;
    }),
  );
  const { id, etag } = await createCustomer(on, { customFields: { kept: "1", gone: "2" } });
  await on.customFields.deleteCustomField({ id: gone!.id });
  const stored = async () => (await clientele.db("customers").where({ id }).first("custom_fields")).custom_fields;
  const config = readConfig({ CLIENTELE_LOG_LEVEL: "silent" });
  const { deps, close } = await buildDeps(config, clientele.databaseUrl, { clock: () => now });
  const run = async () => await tasksOf(deps).purge_custom_fields!();
  try {
    now = new Date(now.getTime() + 30 * 24 * 60 * 60 * 1000 - 1);
    await run();
    expect(await stored()).toEqual({ [kept!.id]: "1", [gone!.id]: "2" });
    now = new Date(now.getTime() + 1);
    await run();
    await run();
    expect(await stored()).toEqual({ [kept!.id]: "1" });
    expect(await clientele.db("custom_fields").where({ id: gone!.id })).toEqual([]);
  } finally {
    await close();
  }
  const { customer } = await on.customers.getCustomer({ id });
  expect(customer).toMatchObject({ customFields: { kept: "1" }, etag });
});

test("a page of the longest values has a token of at most 2048 characters, which leads on", async () => {
  const { test: other } = await clientele.createAccount();
  const slugs = ["one", "two", "three"];
  for (const slug of slugs) {
    await other.customFields.createCustomField({ customField: { slug, name: slug, type: STRING } });
  }
  const customFields = Object.fromEntries(slugs.map((slug) => [slug, "🦦".repeat(1_000)]));
  const ids = [(await createCustomer(other, { customFields })).id, (await createCustomer(other, { customFields })).id];
  const request = { orderBy: slugs.map((slug) => `custom_fields.${slug}`).join(), pageSize: 1 };
  const first = await other.customers.listCustomers(request);
  expect(first.nextPageToken.length).toBeLessThanOrEqual(2048);
  const second = await other.customers.listCustomers({ ...request, pageToken: first.nextPageToken });
  expect([...first.customers, ...second.customers].map(({ id }) => id).sort()).toEqual(ids.sort());
});

test("texts that differ after their first 100 characters alone are ordered by id", async () => {
  const { test: other } = await clientele.createAccount();
  await other.customFields.createCustomField({ customField: { slug: "note", name: "Note", type: STRING } });
  const notes = ["b", "a"].map((end) => "🦦".repeat(100) + end);
  const ids: string[] = [];
  for (const note of notes) ids.push((await createCustomer(other, { customFields: { note } })).id);
  const request = { orderBy: "custom_fields.note", pageSize: 1 };
  const first = await other.customers.listCustomers(request);
  const second = await other.customers.listCustomers({ ...request, pageToken: first.nextPageToken });
  expect([...first.customers, ...second.customers].map(({ id }) => id)).toEqual(ids.sort());
});
