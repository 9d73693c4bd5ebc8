import type { Knex } from "knex";
import { createShapes } from "../../db/statements.js";
import type { Filter } from "../../rpc/lists/filter-clause.js";
import { applyFilter } from "../../rpc/lists/filter-sql.js";
import { orderPage, type Page, selectPage, shapeOf, withValues } from "../../rpc/lists/paging.js";
import { filterableFields } from "./list-fields.js";
import { type ShownCustomerRow, selectShown, shownRow } from "./store.js";

/** Which customers to list. */
export interface ListQuery {
  readonly showDeleted: boolean;
  readonly filter: Filter;
  readonly includeTotalSize: boolean;
}

// The SQL of a filter's fields: columns of their names, except a derived one.
const filterColumns: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.keys(filterableFields([])).map((name) => [name, `customers.${name}`])),
  display_name: "coalesce(customers.display_name, customers.email, customers.name, customers.id)",
};

/** A page of customers, and how many there are on all pages if that is wanted. One statement, unless the page is empty. */
export async function listCustomers(db: Knex, tenantId: string, listQuery: ListQuery, page: Page) {
  const rows: ListedRow[] = await selectCustomers(db, tenantId, listQuery, page);
  const counted = rows[0]?.total_size;
  const totalSize = listQuery.includeTotalSize
    ? (counted ?? Number((await count(db, tenantId, listQuery))[0]?.count))
    : undefined;
  return { rows: rows.map(shownRow), totalSize };
}

interface ListedRow extends ShownCustomerRow {
  total_size?: number;
}

const shapes = createShapes<ListedRow, Record<string, string | null>>();

// Without a filter there are few texts, which are built once.
async function selectCustomers(db: Knex, tenantId: string, listQuery: ListQuery, page: Page): Promise<ListedRow[]> {
  const shape = listQuery.filter.clauses.length === 0 ? shapeOf(page) : undefined;
  if (shape === undefined) return await buildList(db, tenantId, listQuery, page);
  const statement = shapes(`${shape} ${listQuery.showDeleted} ${listQuery.includeTotalSize}`, (builder, places) => {
    const values = valuesOf(page).map((value, index) => (value === null ? null : places[index]!));
    return buildList(builder, places.tenantId!, listQuery, withValues(page, values));
  });
  return await statement(db, { tenantId, ...Object.fromEntries(valuesOf(page).entries()) });
}

function valuesOf({ cursor }: Page): readonly (string | null)[] {
  return cursor?.values ?? [];
}

function buildList(db: Knex, tenantId: string, listQuery: ListQuery, page: Page): Knex.QueryBuilder {
  const query = selectShown(db, tenantId);
  if (listQuery.includeTotalSize) query.select(db.raw("(?) as total_size", [count(db, tenantId, listQuery)]));
  if (page.offset === 0) return selectPage(narrow(query, listQuery), "customers", page);
  // The rows before the page are skipped by their ids, which an index holds.
  const ids = selectPage(selectAll(db, tenantId, listQuery).select("customers.id"), "customers", page);
  return orderPage(query.join(ids.as("page"), "page.id", "customers.id"), "customers", page);
}

function count(db: Knex, tenantId: string, listQuery: ListQuery) {
  return selectAll(db, tenantId, listQuery).count({ count: "*" });
}

function selectAll(db: Knex, tenantId: string, listQuery: ListQuery): Knex.QueryBuilder {
  return narrow(db("customers").where("customers.tenant_id", tenantId).whereRaw("not customers.purged"), listQuery);
}

function narrow<Query extends Knex.QueryBuilder>(query: Query, { showDeleted, filter }: ListQuery): Query {
  if (!showDeleted) query.whereNull("customers.delete_time");
  // The index of custom fields leaves these rows out.
  const looksUp = filter.clauses.some(({ name, operator }) => name === "custom_fields" && /^(eq|in)$/.test(operator));
  if (looksUp) query.whereRaw("customers.custom_fields <> '{}'");
  return applyFilter(query, filter, filterColumns);
}
