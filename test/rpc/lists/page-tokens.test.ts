import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import knex, { type Knex } from "knex";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ListCustomersRequestSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { ListOrdersRequestSchema } from "../../../gen/clientele/v1/orders_pb.js";
import { parseOrderBy } from "../../../src/rpc/lists/order-by.js";
import { pageOf, selectPage, toPage } from "../../../src/rpc/lists/paging.js";
import { failureOf } from "../../support/errors.js";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.js";

interface Person {
  readonly id: string;
  readonly name: string | null;
  readonly type: string | null;
  readonly enabled: boolean;
  readonly create_time: Date;
  readonly delete_time: Date | null;
}

const fields = {
  id: { nullable: false },
  name: { nullable: true },
  type: { nullable: true },
  enabled: { nullable: false },
  create_time: { nullable: false },
  delete_time: { nullable: true },
};
const orders = [
  "",
  "create_time",
  "id",
  "id desc",
  "name",
  "name desc",
  "create_time desc, name",
  "enabled, create_time desc",
  "enabled desc, create_time desc",
  "type, name desc, create_time",
  "delete_time desc, type desc, enabled",
  "delete_time, id desc",
  "name, id desc, type",
];

let database: TestDatabase;
let db: Knex;
beforeAll(async () => {
  database = await createTestDatabase();
  db = knex({ client: "pg", connection: database.url, pool: { min: 0, max: 2 } });
  await db.raw("create table people (like customers including all)");
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});
beforeEach(async () => {
  await db("people").delete();
});

const call = { tenantKey: Buffer.from("a key") };

interface Asked {
  readonly pageSize?: number;
  readonly pageToken?: string;
  readonly page?: number;
  readonly showDeleted?: boolean;
  readonly includeTotalSize?: boolean;
}

function pageFor({ page = 0, ...asked }: Asked, orderBy = "", from = call, maxOffset?: number) {
  const request = Object.assign(create(ListCustomersRequestSchema, asked), { page });
  return pageOf(from, ListCustomersRequestSchema, request, parseOrderBy(orderBy, fields), maxOffset);
}

async function list(asked: Asked, orderBy = "") {
  const page = pageFor(asked, orderBy);
  const { rows, ...tokens } = toPage<Person>(await selectPage(db("people"), "people", page), page);
  return { ids: rows.map(({ id }) => id), ...tokens };
}

const moments = [0, 1, 2, 1000].map((ms) => new Date(Date.UTC(2026, 0, 1) + ms));
const person = fc.record({
  name: fc.option(fc.constantFrom("", "a", "B", "b", "é", "'", "null", "\u{1f600}", "\uffee")),
  type: fc.option(fc.constantFrom("individual", "business"), { freq: 2 }),
  enabled: fc.boolean(),
  create_time: fc.constantFrom(...moments),
  delete_time: fc.option(fc.constantFrom(...moments), { freq: 1 }),
});

/** Adds random people, with many ties and nulls, and returns their ids in an order that JavaScript finds. */
async function addPeople(count: number, seed: number) {
  const added = fc.sample(person, { numRuns: count, seed }).map((one, index) => {
    const id = `${["Z", "a", "b", "_"][(index + seed) % 4]}${(index * 7919 + seed * 613) % 1000}s${seed}`;
    return { ...one, id };
  });
  const rest = { tenant_id: "t", version: 1, purged: false };
  await db.batchInsert(
    "people",
    added.map((one) => ({ ...one, ...rest, update_time: one.create_time })),
  );
  return added;
}

function sorted(people: readonly Person[], orderBy: string): string[] {
  const terms = parseOrderBy(orderBy === "" ? "create_time desc" : orderBy, fields);
  const all = [...terms, { column: "id", descending: terms.at(-1)!.descending }];
  const compare = (one: Person, other: Person) => {
    for (const { column, descending } of all) {
      const [a, b] = [one, other].map((row) => row[column as keyof Person]);
      const sign = a === null || b === null ? Number(a === null) - Number(b === null) : ranked(a!, b!);
      if (sign !== 0) return descending ? -sign : sign;
    }
    return 0;
  };
  return [...people].sort(compare).map(({ id }) => id);
}

function ranked(one: string | boolean | Date, other: string | boolean | Date): number {
  if (typeof one !== "string") return Number(one) - Number(other);
  return Buffer.compare(Buffer.from(one), Buffer.from(String(other)));
}

describe("the pages of a list", () => {
  test.for(orders)("ordered by %j are the whole set in order, forwards and backwards", async (orderBy) => {
    const want = sorted(await addPeople(31, 1), orderBy);
    for (let pageSize = 1; pageSize <= want.length + 1; pageSize++) {
      const forwards = [await list({ pageSize }, orderBy)];
      while (forwards.at(-1)!.nextPageToken !== "") {
        forwards.push(await list({ pageSize, pageToken: forwards.at(-1)!.nextPageToken }, orderBy));
      }
      expect(forwards.flatMap(({ ids }) => ids)).toEqual(want);
      expect(forwards).toHaveLength(Math.ceil(want.length / pageSize));
      const backwards = [forwards.at(-1)!];
      while (backwards[0]!.previousPageToken !== "") {
        backwards.unshift(await list({ pageSize, pageToken: backwards[0]!.previousPageToken }, orderBy));
      }
      expect(backwards.map(({ ids }) => ids)).toEqual(forwards.map(({ ids }) => ids));
    }
  });

  test.for(orders)("ordered by %j can be asked for by their numbers, and go on from there", async (orderBy) => {
    const want = sorted(await addPeople(23, 2), orderBy);
    for (const number of [1, 2, 3, 4, 5, 6]) {
      const { ids, nextPageToken, previousPageToken } = await list({ pageSize: 5, page: number }, orderBy);
      const at = (number - 1) * 5;
      expect(ids).toEqual(want.slice(at, at + 5));
      expect([nextPageToken !== "", previousPageToken !== ""]).toEqual([number < 5, number > 1 && number < 6]);
      if (number < 5) {
        expect((await list({ pageSize: 5, pageToken: nextPageToken }, orderBy)).ids).toEqual(
          want.slice(at + 5, at + 10),
        );
      }
      if (number > 1 && number < 6) {
        expect((await list({ pageSize: 5, pageToken: previousPageToken }, orderBy)).ids).toEqual(
          want.slice(at - 5, at),
        );
      }
    }
  });

  test.for(orders)(
    "ordered by %j hold every row that is there throughout exactly once, under writes",
    async (orderBy) => {
      const kept = await addPeople(24, 3);
      for (let pageSize = 1; pageSize <= 7; pageSize++) {
        const seen: string[] = [];
        let pageToken = "";
        for (let step = 0; ; step++) {
          const passing = await addPeople(step < 40 ? 3 : 0, 100 + step + 50 * pageSize);
          const answer = await list({ pageSize, pageToken }, orderBy);
          seen.push(...answer.ids);
          // Also the row that the token points at may go.
          await db("people")
            .whereIn(
              "id",
              passing.slice(step % 3).map(({ id }) => id),
            )
            .delete();
          if (answer.nextPageToken === "") break;
          pageToken = answer.nextPageToken;
        }
        const ids = new Set(kept.map(({ id }) => id));
        expect(seen.filter((id) => ids.has(id))).toEqual(sorted(kept, orderBy));
        await db("people")
          .whereNotIn("id", [...ids])
          .delete();
      }
    },
  );

  test("hold 10 rows unless asked otherwise, and at most 100", async () => {
    await addPeople(102, 4);
    expect((await list({})).ids).toHaveLength(10);
    expect((await list({ pageSize: 1000 })).ids).toHaveLength(100);
  });

  test("may be counted on the way, or not", async () => {
    const want = sorted(await addPeople(20, 5), "name");
    const { nextPageToken } = await list({ pageSize: 3 }, "name");
    const second = { pageSize: 3, pageToken: nextPageToken, includeTotalSize: true };
    expect((await list(second, "name")).ids).toEqual(want.slice(3, 6));
  });

  test("may change their size on the way", async () => {
    const want = sorted(await addPeople(20, 5), "name");
    const { nextPageToken } = await list({ pageSize: 3 }, "name");
    expect((await list({ pageSize: 9, pageToken: nextPageToken }, "name")).ids).toEqual(want.slice(3, 12));
  });

  test("an empty list has no neighbours", async () => {
    expect(await list({})).toEqual({ ids: [], nextPageToken: "", previousPageToken: "" });
    expect(await list({ page: 9 })).toEqual({ ids: [], nextPageToken: "", previousPageToken: "" });
  });
});

describe("a page number is refused", () => {
  const tooDeep = "must not begin after 10000 rows, use page_token";
  const refusals = [
    { name: "beside a token", asked: { page: 2, pageToken: "x" }, why: "must not be given together with page_token" },
    { name: "below 1", asked: { page: -1 }, why: "must be 1 or more" },
    { name: "after too many rows", asked: { page: 102, pageSize: 100 }, why: tooDeep },
    { name: "of any size", asked: { page: 2147483647 }, why: tooDeep },
  ];
  test.for(refusals)("$name", async ({ asked, why }) => {
    expect(await failing(() => pageFor(asked, "", call, 10_000))).toMatchObject({
      code: "InvalidArgument",
      reason: "FIELDS_INVALID",
      fields: { page: why },
    });
  });

  test("only there", () => {
    expect(pageFor({ page: 101, pageSize: 100 }, "", call, 10_000).offset).toBe(10_000);
    expect(pageFor({ page: 2147483647, pageSize: 100 }).offset).toBe(214748364600);
  });
});

describe("a token is refused", () => {
  let token: string;
  beforeEach(async () => {
    await addPeople(20, 6);
    token = (await list({ pageSize: 5 }, "name")).nextPageToken;
    expect(token).not.toBe("");
  });

  const strangers = [
    {
      name: "of another tenant",
      open: () => pageFor({ pageToken: token }, "name", { tenantKey: Buffer.from("b") }),
    },
    { name: "of another order", open: () => pageFor({ pageToken: token }, "name desc") },
    { name: "of no order", open: () => pageFor({ pageToken: token }) },
    { name: "of another filter", open: () => pageFor({ pageToken: token, showDeleted: true }, "name") },
    {
      name: "of another list",
      open: () =>
        pageOf(call, ListOrdersRequestSchema, create(ListOrdersRequestSchema, { pageToken: token }), [
          { column: "name", descending: false, nullable: true },
        ]),
    },
  ];
  test.for(strangers)("$name", async ({ open }) => {
    expect(await failing(open)).toMatchObject(foreign);
  });

  test("with any character changed, lost or added", async () => {
    for (let at = 0; at <= token.length; at++) {
      const [before, after] = [token.slice(0, at), token.slice(at + 1)];
      const others = [`${before}${token[at] === "A" ? "B" : "A"}${after}`, before, `${before}=${token.slice(at)}`];
      for (const other of others.filter((text) => text !== token && text !== "")) {
        expect(await failing(() => pageFor({ pageToken: other }, "name")), other).toMatchObject(foreign);
      }
    }
  });

  test("any text without its key is refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ minLength: 1 }), fc.base64String({ minLength: 1 })), async (text) => {
        expect(await failing(() => pageFor({ pageToken: text }))).toMatchObject(foreign);
      }),
    );
  });

  const foreign = {
    code: "InvalidArgument",
    reason: "PAGE_TOKEN_INVALID",
    fields: { page_token: "does not belong to this list" },
  };
});

async function failing(act: () => unknown) {
  return await failureOf(Promise.resolve().then(act));
}
