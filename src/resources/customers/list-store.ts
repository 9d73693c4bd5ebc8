import type { Knex } from "knex";
import { createShapes } from "../../db/statements.js";
import type { Filter } from "../../rpc/lists/filter-clause.js";
import { applyFilter } from "../../rpc/lists/filter-sql.js";
import { type Page, selectPage, shapeOf, withValues } from "../../rpc/lists/paging.js";
import { filterableFields } from "./list-fields.js";
import { type ShownCustomerRow, selectShown, shownRow } from "./store.js";

/** Which customers to list. */
export interface Wanted {
  readonly showDeleted: boolean;
  readonly filter: Filter;
  readonly includeTotalSize: boolean;
}

// What a filter's fields are in SQL: columns of their names, but for one that is derived.
const filterColumns: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.keys(filterableFields([])).map((name) => [name, `customers.${name}`])),
  display_name: "coalesce(customers.display_name, customers.email, customers.name, customers.id)",
};

/** A page of customers, and how many there are on all pages if that is wanted. One statement, unless the page is empty. */
export async function listCustomers(db: Knex, tenantId: string, wanted: Wanted, page: Page) {
  const rows: ListedRow[] = await selectCustomers(db, tenantId, wanted, page);
  const counted = rows[0]?.total_size;
  const totalSize = wanted.includeTotalSize
    ? (counted ?? Number((await count(db, tenantId, wanted))[0]?.count))
    : undefined;
  return { rows: rows.map(shownRow), totalSize };
}

interface ListedRow extends ShownCustomerRow {
  total_size?: number;
}

const shapes = createShapes<ListedRow, Record<string, string | null>>();

// Without a filter there are few texts, which are built once.
async function selectCustomers(db: Knex, tenantId: string, wanted: Wanted, page: Page): Promise<ListedRow[]> {
  const shape = wanted.filter.clauses.length === 0 ? shapeOf(page) : undefined;
  if (shape === undefined) return await buildList(db, tenantId, wanted, page);
  const statement = shapes(`${shape} ${wanted.showDeleted} ${wanted.includeTotalSize}`, (builder, places) => {
    const values = valuesOf(page).map((value, index) => (value === null ? null : places[index]!));
    return buildList(builder, places.tenantId!, wanted, withValues(page, values));
  });
  return await statement(db, { tenantId, ...Object.fromEntries(valuesOf(page).entries()) });
}

function valuesOf({ cursor }: Page): readonly (string | null)[] {
  return cursor?.values ?? [];
}

function buildList(db: Knex, tenantId: string, wanted: Wanted, page: Page): Knex.QueryBuilder {
  const query = narrow(selectShown(db, tenantId), wanted);
  if (wanted.includeTotalSize) query.select(db.raw("(?) as total_size", [count(db, tenantId, wanted)]));
  return selectPage(query, "customers", page);
}

function count(db: Knex, tenantId: string, wanted: Wanted) {
  const all = db("customers").where("customers.tenant_id", tenantId).whereRaw("not customers.purged");
  return narrow(all, wanted).count({ count: "*" });
}

function narrow<Query extends Knex.QueryBuilder>(query: Query, { showDeleted, filter }: Wanted): Query {
  if (!showDeleted) query.whereNull("customers.delete_time");
  // What the index of custom fields leaves out.
  const looksUp = filter.clauses.some(({ name, operator }) => name === "custom_fields" && /^(eq|in)$/.test(operator));
  if (looksUp) query.whereRaw("customers.custom_fields <> '{}'");
  return applyFilter(query, filter, filterColumns);
}

// Up to so many matches are sorted; with more, the newest are soon met on a walk from the newest on.
const fewMatches = 2_000;

/** A customer found, and how well: 0 where the text begins one of its fields, else 1. */
export interface FoundCustomerRow extends ShownCustomerRow {
  match_rank: number;
}

/** What is searched for, as `fold_text` folds what it is searched in: lower case, without accents, composed. */
export function foldQuery(query: string): string {
  return query
    .normalize("NFD")
    .replace(/[\u0300-\u036f]/g, "")
    .normalize("NFC")
    .toLowerCase()
    .trim();
}

/**
 * A page of the active customers in whose e-mail address or names a text occurs, the best match first. One statement:
 * for each rank, an index finds the matches if they are few, and a walk along the newest customers if they are many.
 */
export async function searchCustomers(
  db: Knex,
  tenantId: string,
  query: string,
  page: Page,
): Promise<FoundCustomerRow[]> {
  const escaped = query.replace(/[\\%_]/g, "\\$&");
  const bindings = { tenantId, query, escaped, limit: page.size + 1, few: fewMatches, ...bindingsOf(page) };
  const begins = "search_text like '%' || E'\\n' || fold_text(:escaped::text) || '%'";
  const contains = "search_text like '%' || fold_text(:escaped::text) || '%'";
  // Fewer than three characters are none of pg_trgm's.
  const holds = [...query].length < 3 ? "grams_of(search_text) @> array[fold_text(:query::text)]" : contains;
  const backwards = page.cursor?.direction === "previous";
  const order = `create_time ${backwards ? "asc" : "desc"}, id ${backwards ? "asc" : "desc"}`;
  const active = "tenant_id = :tenantId and not purged and delete_time is null";
  const hits = (rank: 0 | 1, condition: string, first: string) => `
    few_${rank} as materialized (
      select id, create_time from customers where ${first} ${active} and ${condition} limit :few + 1),
    hits_${rank} as (
      (select id, create_time, ${rank} as match_rank from few_${rank}
       where (select count(*) from few_${rank}) <= :few and ${beyond(rank, page)} order by ${order} limit :limit)
      union all
      (select id, create_time, ${rank} from customers
       where (select count(*) from few_${rank}) > :few and ${active} and ${condition} and ${beyond(rank, page)}
       order by ${order} limit :limit))`;
  // The rank that comes first may fill the page alone.
  const [near, far] = backwards ? ([1, 0] as const) : ([0, 1] as const);
  const conditions = [begins, `${holds} and not (${begins})`] as const;
  const unfilled = `(select count(*) from hits_${near}) < :limit and`;
  const found = db.raw(
    `with ${hits(near, conditions[near], "")}, ${hits(far, conditions[far], unfilled)}
     select * from hits_${near} union all select * from hits_${far}
     order by match_rank ${backwards ? "desc" : "asc"}, ${order} limit :limit`,
    bindings,
  );
  const rows: FoundCustomerRow[] = await selectShown(db, tenantId)
    .join(db.raw("(?) as hit", [found]), "hit.id", "customers.id")
    .select("hit.match_rank")
    .orderBy("hit.match_rank", backwards ? "desc" : "asc")
    .orderBy("customers.create_time", backwards ? "asc" : "desc")
    .orderBy("customers.id", backwards ? "asc" : "desc");
  return rows.map(shownRow);
}

// What lies beyond the cursor among the matches of one rank.
function beyond(rank: 0 | 1, { cursor }: Page): string {
  if (cursor === undefined) return "true";
  const backwards = cursor.direction === "previous";
  const from = Number(cursor.values[0]);
  if (rank === from) return `(create_time, id) ${backwards ? ">" : "<"} (:cursorTime::timestamptz, :cursorId::text)`;
  return String(backwards ? rank < from : rank > from);
}

function bindingsOf({ cursor }: Page) {
  return { cursorTime: cursor?.values[1] ?? null, cursorId: cursor?.values[2] ?? null };
}
