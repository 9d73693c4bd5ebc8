import type { Knex } from "knex";
import type { Page } from "../../rpc/lists/paging.js";
import { type ShownCustomerRow, selectShown, shownRow } from "./store.js";

/** A customer found: `match_rank` is 0 where the query begins one of the searched texts, else 1. */
export interface SearchHit extends ShownCustomerRow {
  match_rank: number;
}

/** Newest rows that a search reads before it asks an index. A frequent text fills its page from them. */
const walkSize = 500;
/** Matches of an index that are sorted. Beyond them a walk from the newest row fills the page sooner. */
const sortSize = 1_000;

/** Hits before a page that is asked for by its number: all of them are found and sorted. */
export const mostHitsBefore = 10_000;

/** Whether nothing of a clean query is left when it is folded: it is empty, or of accents alone. */
export function foldsToNothing(query: string): boolean {
  return /^\p{M}*$/u.test(query);
}

/**
 * A page of the active customers whose e-mail address or names contain a text, the best match first, then the newest. One
 * statement. For each rank it walks a bounded number of the newest customers; it asks an index only if they do not fill
 * the page, and walks on if the index has too many matches to sort.
 */
export async function searchCustomers(db: Knex, tenantId: string, query: string, page: Page): Promise<SearchHit[]> {
  const backwards = page.cursor?.direction === "previous";
  const order = `create_time ${backwards ? "asc" : "desc"}, id ${backwards ? "asc" : "desc"}`;
  // The rank that comes first may fill the page alone.
  const ranks = backwards ? ([1, 0] as const) : ([0, 1] as const);
  const parts = ranks.map((rank, at) => hitsOf(rank, { page, query, order, first: at === 0 ? undefined : ranks[0] }));
  const hits = db.raw(
    `${folded}, ${parts.join(", ")}
     select * from hits_${ranks[0]} union all select * from hits_${ranks[1]}
     order by match_rank ${backwards ? "desc" : "asc"}, ${order} limit :limit offset :offset`,
    { ...bindingsOf(tenantId, query, page), walk: walkSize, most: sortSize },
  );
  const rows: SearchHit[] = await selectShown(db, tenantId)
    .join(db.raw("(?) as hit", [hits]), "hit.id", "customers.id")
    .select("hit.match_rank")
    .orderBy("hit.match_rank", backwards ? "desc" : "asc")
    .orderBy("customers.create_time", backwards ? "asc" : "desc")
    .orderBy("customers.id", backwards ? "asc" : "desc");
  return rows.map(shownRow);
}

/** How many active customers match a query. Its cost grows with the matches. */
export async function countHits(db: Knex, tenantId: string, query: string): Promise<number> {
  const { rows } = await db.raw<{ rows: { count: number }[] }>(
    `${folded} select count(*)::int from customers where ${active} and ${indexed(query, 1)} and ${contains(query)}`,
    { tenantId, query },
  );
  return rows[0]?.count ?? 0;
}

// The database folds the query once, by the function that folds the column.
const folded =
  "with folded as materialized (select literal_pattern(:query::text) pattern, fold_text(:query::text) text)";
const active = "tenant_id = :tenantId and not purged and delete_time is null";

interface Hits {
  readonly page: Page;
  readonly query: string;
  readonly order: string;
  /** The rank whose hits come before and may leave nothing to look for. */
  readonly first: 0 | 1 | undefined;
}

// The parts of the statement that find the hits of one rank: a walk, an index, and a longer walk.
function hitsOf(rank: 0 | 1, { page, query, order, first }: Hits): string {
  const matches = rank === 0 ? begins(query) : `${contains(query)} and not (${begins(query)})`;
  const isNeeded = first === undefined ? "true" : `(select count(*) from hits_${first}) < :last::int`;
  const place = beyond(rank, page);
  const isFilled = `(select count(*) from walk_${rank}) >= :last::int`;
  const isFew = `(select count(*) from few_${rank}) <= :most::int`;
  return `
    walk_${rank} as materialized (
      select id, create_time from (
        select id, create_time, search_text from customers where ${isNeeded} and ${active} and ${place}
        order by ${order} limit :walk) newest
      where ${matches} limit :last::int),
    few_${rank} as materialized (
      select id, create_time from customers
      where ${isNeeded} and not (${isFilled}) and ${active} and ${indexed(query, rank)} and ${matches} limit :most::int + 1),
    hits_${rank} as materialized (
      select id, create_time, ${rank} as match_rank from walk_${rank} where ${isFilled}
      union all
      (select id, create_time, ${rank} from few_${rank} where not (${isFilled}) and ${isFew} and ${place}
       order by ${order} limit :last::int)
      union all
      (select id, create_time, ${rank} from customers where not (${isFew}) and ${active} and ${matches} and ${place}
       order by ${order} limit :last::int))`;
}

// Whether the text stands anywhere.
function contains(query: string): string {
  // Without a trigram to look for, their index would answer with every row: it does not serve `strpos`.
  return hasTrigram(query, 1)
    ? "search_text like (select '%' || pattern || '%' from folded)"
    : "strpos(search_text, (select text from folded)) > 0";
}

// Whether one of the searched texts begins with it.
function begins(query: string): string {
  return hasTrigram(query, 0)
    ? "search_text like (select '%' || E'\\n' || pattern || '%' from folded)"
    : "strpos(search_text, (select E'\\n' || text from folded)) > 0";
}

// A condition for the index of grams, where there is no trigram to look for.
function indexed(query: string, rank: 0 | 1): string {
  if (hasTrigram(query, rank)) return "true";
  const longest = "length(gram) = least(length(text), 2)";
  return `grams_of(search_text) @> (select array(select gram from unnest(grams_of(text)) gram where ${longest}) from folded)`;
}

// Three letters between signs make a trigram, and one letter where a word begins. Marks are folded away.
function hasTrigram(query: string, rank: 0 | 1): boolean {
  const pattern = rank === 0 ? /^[\p{L}\p{N}]|[\p{L}\p{N}]{3}/u : /[\p{L}\p{N}]{3}/u;
  return pattern.test(query.replace(/\p{M}/gu, ""));
}

// The rows beyond the cursor among the matches of one rank.
function beyond(rank: 0 | 1, { cursor }: Page): string {
  if (cursor === undefined) return "true";
  const backwards = cursor.direction === "previous";
  const from = Number(cursor.values[0]);
  if (rank === from) return `(create_time, id) ${backwards ? ">" : "<"} (:cursorTime::timestamptz, :cursorId::text)`;
  return String(backwards ? rank < from : rank > from);
}

function bindingsOf(tenantId: string, query: string, { cursor, size, offset }: Page) {
  const place = { cursorTime: cursor?.values[1] ?? null, cursorId: cursor?.values[2] ?? null };
  return { tenantId, query, limit: size + 1, offset, last: offset + size + 1, ...place };
}
