import { beforeAll, describe, expect, test } from "vitest";
import { filterableFields } from "../../../src/resources/customers/list-fields.js";
import { listCustomers } from "../../../src/resources/customers/list-store.js";
import { searchCustomers } from "../../../src/resources/customers/search-store.js";
import { parseFilter } from "../../../src/rpc/lists/filter.js";
import { useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { planOf } from "../../support/plans.js";

const clientele = useClientele();
const newest = { descending: true, nullable: false };
const order = ["create_time", "id"].map((column) => ({ column, ...newest }));
const firstPage = { size: 10, order, cursor: undefined, offset: 0, seal: () => "" };

describe("among 20,000 customers", () => {
  let tenantId: string;
  beforeAll(async () => {
    const { test: clients } = await clientele.createAccount();
    const { id } = await createCustomer(clients);
    tenantId = (await clientele.db("customers").where({ id }).first("tenant_id")).tenant_id;
    await clientele.db.raw(
      `insert into customers (tenant_id, id, email, first_name, create_time, update_time)
       select ?, 'c' || n, 'c' || n || '@example.com', 'Mary', now() - n * interval '1 second', now()
       from generate_series(1, 20000) n`,
      [tenantId],
    );
    await clientele.db.raw("vacuum analyze customers");
  });

  const planOfList = (filter: string, page = firstPage) => {
    const query = { showDeleted: false, includeTotalSize: false, filter: parseFilter(filter, filterableFields([])) };
    return planOf(clientele, (db) => listCustomers(db, tenantId, query, page));
  };

  test.for(["eq(email,c77@example.com)", "in(email,c77@example.com,c78@example.com)"])(
    "an index finds the few of %s",
    async (filter) => {
      expect(await planOfList(filter)).toContain("customers_email_idx");
    },
  );

  test("the customers before a page are skipped in the index", async () => {
    const plan = await planOfList("", { ...firstPage, offset: 15_000 });
    expect(plan).toMatch(/Index Only Scan Backward using customers_create_time_idx/);
  });

  // Without three letters in a row, the index of trigrams would answer with every row.
  test.for(["qz", "q", "a@g", "-.-", "é-1"])("the search for %s asks the index of grams", async (query) => {
    const plan = await planOf(clientele, (db) => searchCustomers(db, tenantId, query, firstPage));
    const [, beginning = "", inside = ""] = plan.split(/CTE few_[01]/);
    expect(inside).toContain("customers_search_grams_idx");
    expect(inside).not.toContain("customers_search_text_idx");
    expect(beginning).toMatch(/customers_search_(grams|text)_idx/);
  });

  test.for(["mar", "example.com", "quentin q", "Müñ"])("the search for %s asks that of trigrams", async (query) => {
    const plan = await planOf(clientele, (db) => searchCustomers(db, tenantId, query, firstPage));
    const [, ...parts] = plan.split(/CTE few_[01]/);
    for (const part of parts) expect(part).toContain("customers_search_text_idx");
  });
});
