import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { clone, toBinary } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { Call } from "./caller.js";
import { rpcError } from "./errors.js";

/** One page of a list that is ordered newest first, by create_time and then by id. */
export interface Page {
  readonly size: number;
  /** Where the page starts, exclusively; undefined on the first one. */
  readonly cursor: Cursor | undefined;
  /** What signs and binds the tokens of this list. */
  readonly seal: (cursor: Cursor) => string;
}

interface Cursor {
  /** `next` is towards older rows. */
  readonly direction: "next" | "previous";
  readonly time: Date;
  readonly id: string;
}

interface PagedRow {
  readonly id: string;
  readonly create_time: Date;
}

interface PagedRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

const defaultSize = 10;
const maxSize = 100;
const macSize = 16;

/**
 * Reads the page that a list request asks for. A token is signed with the tenant's key and bound to the rest of the
 * request: INVALID_ARGUMENT if it was tampered with, or belongs to another tenant or another list.
 */
export function pageOf<Desc extends DescMessage>(
  call: Pick<Call, "pageTokenKey">,
  schema: Desc,
  request: MessageShape<Desc> & PagedRequest,
): Page {
  const scope = scopeOf(schema, request);
  const mac = (payload: string) =>
    createHmac("sha256", call.pageTokenKey).update(scope).update(payload).digest().subarray(0, macSize);
  const seal = ({ direction, time, id }: Cursor) => {
    const payload = JSON.stringify([direction === "next" ? 1 : 0, time.getTime(), id]);
    return Buffer.concat([mac(payload), Buffer.from(payload)]).toString("base64url");
  };
  const size = Math.min(request.pageSize || defaultSize, maxSize);
  return { size, cursor: request.pageToken === "" ? undefined : open(request.pageToken, mac), seal };
}

// Everything in the request but the page itself.
function scopeOf<Desc extends DescMessage>(schema: Desc, request: MessageShape<Desc> & PagedRequest): Buffer {
  const rest = Object.assign(clone(schema, request), { pageSize: 0, pageToken: "" });
  return createHash("sha256").update(schema.typeName).update(toBinary(schema, rest)).digest();
}

function open(token: string, mac: (payload: string) => Buffer): Cursor {
  const bytes = Buffer.from(token, "base64url");
  const payload = bytes.subarray(macSize).toString();
  const genuine = bytes.length > macSize && timingSafeEqual(bytes.subarray(0, macSize), mac(payload));
  if (!genuine || bytes.toString("base64url") !== token) {
    throw rpcError("PAGE_TOKEN_INVALID", "The page token does not belong to this list.", {
      violations: [{ field: "page_token", description: "does not belong to this list" }],
    });
  }
  const [next, time, id] = JSON.parse(payload) as [number, number, string];
  return { direction: next === 1 ? "next" : "previous", time: new Date(time), id };
}

/** Narrows a query to one page, and one row more to know whether it is the last. */
export function selectPage(query: Knex.QueryBuilder, table: string, page: Page): Knex.QueryBuilder {
  if (page.cursor !== undefined) {
    const { direction, time, id } = page.cursor;
    const comparison = direction === "previous" ? ">" : "<";
    query.whereRaw(`(??, ??) ${comparison} (?, ?)`, [`${table}.create_time`, `${table}.id`, time, id]);
  }
  return orderPage(query, table, page).limit(page.size + 1);
}

/** Orders a query by which `selectPage` was joined to something. */
export function orderPage(query: Knex.QueryBuilder, table: string, page: Page): Knex.QueryBuilder {
  const order = page.cursor?.direction === "previous" ? "asc" : "desc";
  return query.orderBy(`${table}.create_time`, order).orderBy(`${table}.id`, order);
}

/** The rows of a page, newest first, and the tokens of its neighbours; an empty token where there is none. */
export function toPage<Row extends PagedRow>(found: readonly Row[], page: Page) {
  const more = found.length > page.size;
  const rows = found.slice(0, page.size);
  const backwards = page.cursor?.direction === "previous";
  if (backwards) rows.reverse();
  const token = (row: Row | undefined, direction: Cursor["direction"], exists: boolean) =>
    row === undefined || !exists ? "" : page.seal({ direction, time: row.create_time, id: row.id });
  return {
    rows,
    nextPageToken: token(rows.at(-1), "next", backwards || more),
    previousPageToken: token(rows[0], "previous", backwards ? more : page.cursor !== undefined),
  };
}
