import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { clone, toBinary } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { Call } from "../callers/caller.js";
import { invalidField, rpcError } from "../errors.js";
import type { OrderMember, OrderTerm } from "./order-by.js";

/** One page of a list. */
export interface Page {
  readonly size: number;
  /** The order of the list. The id comes last and makes every place unique. */
  readonly order: readonly OrderTerm[];
  /** Where the page starts, exclusively; undefined on the first one, and on one asked for by its number. */
  readonly cursor: Cursor | undefined;
  /** How many rows come before a page asked for by its number, else 0. */
  readonly offset: number;
  /** Signs the tokens of this list and binds them to it. */
  readonly seal: (cursor: Cursor) => string;
}

interface Cursor {
  /** `next` is onwards in the order of the list. */
  readonly direction: "next" | "previous";
  /** The order's columns of the row beside the page, as Postgres reads them. */
  readonly values: readonly (string | null)[];
}

interface PagedRow {
  readonly id: string | number;
}

interface PagedRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  /** The number of the page from 1 on, instead of a token; 0 for none. */
  readonly page?: number;
}

const defaultSize = 10;
const maxSize = 100;
const macSize = 16;
// How many characters of a text count in an order.
const maxTextLength = 100;
const newestFirst: readonly OrderTerm[] = [{ column: "create_time", descending: true, nullable: false }];

/**
 * Reads the page that a list request asks for: newest first unless `order` says otherwise. A token is signed with the
 * tenant's key and bound to the order and the rest of the request: INVALID_ARGUMENT if it was tampered with, or belongs
 * to another tenant or another list; likewise for a page number beside a token, or one with more than `maxOffset` rows
 * before it.
 */
export function pageOf<Desc extends DescMessage>(
  call: Pick<Call, "tenantKey">,
  schema: Desc,
  request: MessageShape<Desc> & PagedRequest,
  order: readonly OrderTerm[] = [],
  maxOffset = Number.POSITIVE_INFINITY,
): Page {
  const wholeOrder = withId(order.length === 0 ? newestFirst : order);
  const scope = scopeOf(schema, request, wholeOrder);
  const mac = (payload: string) =>
    createHmac("sha256", call.tenantKey).update(scope).update(payload).digest().subarray(0, macSize);
  const seal = (cursor: Cursor) => {
    const payload = encode(cursor);
    return Buffer.concat([mac(payload), Buffer.from(payload)]).toString("base64url");
  };
  const size = Math.min(request.pageSize || defaultSize, maxSize);
  const offset = offsetOf(request, size, maxOffset);
  return {
    size,
    order: wholeOrder,
    cursor: request.pageToken === "" ? undefined : parsePageToken(request.pageToken, mac),
    offset,
    seal,
  };
}

// The id runs as the last term does, so that one index serves both.
function withId(order: readonly OrderTerm[]): readonly OrderTerm[] {
  if (order.some(({ column }) => column === "id")) return order;
  return [...order, { column: "id", descending: order.at(-1)?.descending ?? false, nullable: false }];
}

// Hashes the request without its page fields, because a token is valid for this list only.
function scopeOf<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc> & PagedRequest,
  order: readonly OrderTerm[],
): Buffer {
  const page = { pageSize: 0, pageToken: "", page: 0, includeTotalSize: false };
  const rest = Object.assign(clone(schema, request), page);
  const list = JSON.stringify([schema.typeName, order]);
  return createHash("sha256").update(list).update(toBinary(schema, rest)).digest();
}

function offsetOf({ page = 0, pageToken }: PagedRequest, size: number, maxOffset: number): number {
  if (page === 0) return 0;
  if (pageToken !== "") throw invalidField("page", "must not be given together with page_token");
  const offset = (page - 1) * size;
  if (offset < 0) throw invalidField("page", "must be 1 or more");
  if (offset > maxOffset) throw invalidField("page", `must not begin after ${maxOffset} rows, use page_token`);
  return offset;
}

function parsePageToken(token: string, mac: (payload: string) => Buffer): Cursor {
  const bytes = Buffer.from(token, "base64url");
  const payload = bytes.subarray(macSize).toString();
  const genuine = bytes.length > macSize && timingSafeEqual(bytes.subarray(0, macSize), mac(payload));
  if (!genuine || bytes.toString("base64url") !== token) {
    throw rpcError("PAGE_TOKEN_INVALID", "The page token does not belong to this list.", {
      violations: [{ field: "page_token", description: "does not belong to this list" }],
    });
  }
  return decode(payload);
}

// Postgres stores no NUL character, so it separates the values. Nothing is escaped, so a token is at most 2 KiB long:
// three texts of 100 characters, of 4 bytes each, and an id.
function encode({ direction, values }: Cursor): string {
  return [direction, ...values.map((value) => (value === null ? "" : `=${value}`))].join("\0");
}

function decode(payload: string): Cursor {
  const [direction, ...values] = payload.split("\0");
  return {
    direction: direction === "previous" ? "previous" : "next",
    values: values.map((value) => (value === "" ? null : value.slice(1))),
  };
}

/**
 * A key that tells the SQL texts of two pages apart, with the cursor's values as parameters; undefined where a
 * value of the page stands in the text.
 */
export function shapeOf({ size, order, cursor, offset }: Page): string | undefined {
  if (offset > 0 || order.some(({ member }) => member !== undefined)) return undefined;
  const nulls = cursor?.values.map((value) => value === null);
  return JSON.stringify([size, order, cursor?.direction, nulls]);
}

/** A page whose cursor has other values, such as places. */
export function withValues(page: Page, values: readonly (string | null)[]): Page {
  return page.cursor === undefined ? page : { ...page, cursor: { ...page.cursor, values } };
}

/** Narrows a query to one page, and one row more to know whether it is the last. */
export function selectPage(query: Knex.QueryBuilder, table: string, page: Page): Knex.QueryBuilder {
  if (page.cursor !== undefined) whereBeyond(query, termsOf(table, page), page.cursor.values);
  if (page.offset > 0) query.offset(page.offset);
  return orderPage(query, table, page).limit(page.size + 1);
}

/** Orders a query by which `selectPage` was joined to something. */
export function orderPage(query: Knex.QueryBuilder, table: string, page: Page): Knex.QueryBuilder {
  for (const { sql, bindings, descending } of termsOf(table, page)) {
    query.orderByRaw(`${sql} ${descending ? "desc" : "asc"}`, [...bindings]);
  }
  return query;
}

/** A term of an order in SQL. */
interface Term extends Pick<OrderTerm, "descending" | "nullable"> {
  readonly sql: string;
  readonly bindings: readonly string[];
}

// The order in which the rows are read: on the way back everything is reversed.
function termsOf(table: string, { order, cursor }: Page): Term[] {
  const reversed = cursor?.direction === "previous";
  return order.map((term) => ({
    descending: term.descending !== reversed,
    nullable: term.nullable,
    ...(term.member === undefined ? sqlOfColumn(table, term) : sqlOfMember(table, term.member)),
  }));
}

function sqlOfColumn(table: string, { column, isText }: OrderTerm): Pick<Term, "sql" | "bindings"> {
  const sql = isText === true ? `left(??, ${maxTextLength})` : "??";
  return { sql, bindings: [`${table}.${column}`] };
}

function sqlOfMember(table: string, { column, of, key }: OrderMember): Pick<Term, "sql" | "bindings"> {
  const bindings = [`${table}.${column}`, key];
  if (of === "number") return { sql: "(?? -> ?::text)::numeric", bindings };
  if (of === "boolean") return { sql: "(?? -> ?::text)::boolean", bindings };
  return { sql: `(left(?? ->> ?::text, ${maxTextLength}) collate "C")`, bindings };
}

// Leaves the rows that come after the one with these values.
function whereBeyond(query: Knex.QueryBuilder, terms: readonly Term[], values: Cursor["values"]): void {
  const [term, ...otherTerms] = terms;
  const [value = null, ...otherValues] = values;
  if (term === undefined) return;
  // A comparison of rows is what an index answers best, and it knows one direction and no null.
  if (terms.every(({ nullable, descending }) => !nullable && descending === term.descending)) {
    const [columns, given] = [terms.map(({ sql }) => sql).join(", "), terms.map(() => "?").join(", ")];
    const bindings = [...terms.flatMap((one) => one.bindings), ...values];
    query.whereRaw(`(${columns}) ${term.descending ? "<" : ">"} (${given})`, bindings);
    return;
  }
  query.where((from) => whereAfter(from, term, value, "inclusive"));
  query.where((beyond) => {
    whereAfter(beyond, term, value, "exclusive");
    if (otherTerms.length > 0) beyond.orWhere((tied) => whereBeyond(tied, otherTerms, otherValues));
  });
}

// Null is the largest value, as it is for Postgres.
function whereAfter(
  query: Knex.QueryBuilder,
  { sql, bindings, descending, nullable }: Term,
  value: string | null,
  bound: "inclusive" | "exclusive",
): void {
  if (value !== null) {
    const comparison = (descending ? "<" : ">") + (bound === "inclusive" ? "=" : "");
    query.whereRaw(`${sql} ${comparison} ?`, [...bindings, value]);
    if (nullable && !descending) query.orWhereRaw(`${sql} is null`, [...bindings]);
  } else if (descending) {
    if (bound === "exclusive") query.whereRaw(`${sql} is not null`, [...bindings]);
  } else if (bound === "inclusive") {
    query.whereRaw(`${sql} is null`, [...bindings]);
  } else {
    query.whereRaw("false");
  }
}

/** The rows of a page in the order of the list, and the tokens of its neighbours; an empty token where there is none. */
export function toPage<Row extends PagedRow>(listed: readonly Row[], page: Page) {
  const more = listed.length > page.size;
  const rows = listed.slice(0, page.size);
  const backwards = page.cursor?.direction === "previous";
  if (backwards) rows.reverse();
  const token = (row: Row | undefined, direction: Cursor["direction"], exists: boolean) =>
    row === undefined || !exists ? "" : page.seal({ direction, values: valuesOf(row, page) });
  return {
    rows,
    nextPageToken: token(rows.at(-1), "next", backwards || more),
    previousPageToken: token(rows[0], "previous", backwards ? more : page.cursor !== undefined || page.offset > 0),
  };
}

function valuesOf(row: PagedRow, { order }: Page): Cursor["values"] {
  return order.map(({ column, member, isText }) => {
    const value: unknown = member === undefined ? Reflect.get(row, column) : memberIn(row, member);
    if (value === null || value === undefined) return null;
    if (value instanceof Date) return value.toISOString();
    const text = String(value);
    return isText === true || member?.of === "text" ? [...text].slice(0, maxTextLength).join("") : text;
  });
}

function memberIn(row: PagedRow, { column, key }: OrderMember): unknown {
  const object: unknown = Reflect.get(row, column);
  return typeof object === "object" && object !== null && Object.hasOwn(object, key) ? Reflect.get(object, key) : null;
}
