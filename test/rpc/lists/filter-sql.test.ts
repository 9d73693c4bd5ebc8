import fc from "fast-check";
import knex, { type Knex } from "knex";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseFilter, printFilter } from "../../../src/rpc/lists/filter.js";
import type { Filter } from "../../../src/rpc/lists/filter-clause.js";
import { applyFilter } from "../../../src/rpc/lists/filter-sql.js";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.js";
import { fields, filterOf, nastyText, row } from "./filter-cases.js";
import { fold, foldText, matches } from "./filter-model.js";

let database: TestDatabase;
let db: Knex;
let rows: Record<string, unknown>[];
beforeAll(async () => {
  database = await createTestDatabase();
  db = knex({ client: "pg", connection: database.url, pool: { min: 0, max: 2 } });
  await db.raw("create table people (like customers including defaults)");
  const people = fc.sample(row, { numRuns: 400, seed: 7 }).map((person, index) => ({
    ...person,
    metadata: JSON.stringify(person.metadata),
    custom_fields: JSON.stringify(person.custom_fields),
    tenant_id: "t",
    id: `p${index}`,
    update_time: person.create_time,
    version: 1,
    purged: false,
  }));
  await db.batchInsert("people", people, 100);
  rows = await db("people").select();
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

const columns = Object.fromEntries(Object.keys(fields).map((name) => [name, `people.${name}`]));

async function selected(filter: Filter): Promise<string[]> {
  return await applyFilter(db("people"), filter, columns).pluck("id").orderBy("id");
}

function matching(filter: Filter): string[] {
  return rows
    .filter((person) => matches(filter, person))
    .map(({ id }) => String(id))
    .sort();
}

describe("in SQL a filter", () => {
  test("selects the rows that match it", async () => {
    let telling = 0;
    await fc.assert(
      fc.asyncProperty(filterOf(2), async (filter) => {
        const want = matching(filter);
        if (want.length > 0 && want.length < rows.length) telling++;
        expect(await selected(filter), printFilter(filter)).toEqual(want);
      }),
      { numRuns: 1500 },
    );
    expect(telling).toBeGreaterThan(500);
  });

  test("selects by any pattern what matches it", async () => {
    const pattern = fc.string({
      unit: fc.constantFrom("a", "A", "*", "\\", "%", "_", "5", "\u0130", "σ"),
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(pattern, fc.constantFrom("email", "name", "metadata.k"), async (text, path) => {
        const quoted = `"${text.replace(/["\\]/g, "\\$&")}"`;
        const filter = parseFilter(`like(${path},${quoted})`, fields);
        expect(await selected(filter)).toEqual(matching(filter));
      }),
      { numRuns: 500 },
    );
  });

  test("takes 10 clauses and hundreds of values", async () => {
    const values = Array.from({ length: 300 }, (_, index) => `v${index}`).join(",");
    const filter = parseFilter(`in(name,a,${values}):in(metadata.k,a,5,${values})`, fields);
    expect(await selected(filter)).toEqual(matching(filter));
    const ten = parseFilter(Array(10).fill("ge(metadata.k,5)").join(":"), fields);
    expect(await selected(ten)).toEqual(matching(ten));
  });

  test("folds case as Postgres does, whatever the character", async () => {
    const { rows: assigned } = await db.raw<{ rows: { one: string; lower: string; folded: string }[] }>(
      `select chr(n) one, lower(chr(n)) lower, fold_text(chr(n)) folded from generate_series(1, 1114111) n
       where n not between 55296 and 57343 and unicode_assigned(chr(n))`,
    );
    // The two may know different versions of Unicode.
    const known = assigned.filter(({ one }) => /\p{Assigned}/u.test(one));
    expect(known.length).toBeGreaterThan(200_000);
    expect(known.filter(({ one, lower }) => fold(one) !== lower)).toEqual([]);
    expect(known.filter(({ one, folded }) => foldText(one) !== folded)).toEqual([]);
  });
});

describe("no value reaches the text of a statement", () => {
  const attempts = [
    "'; drop table people; --",
    "') or ('a'='a",
    "a\\') or true --",
    "$1",
    "?",
    "??",
    "\\?",
    ":name",
    '"; select pg_sleep(9); --',
    "%",
    "_",
  ];
  test.for(attempts)("%s", async (attempt) => {
    const quoted = `"${attempt.replace(/["\\]/g, "\\$&")}"`;
    const clauses = ["eq", "in", "like", "gt"].flatMap((operator) => [
      `${operator}(name,${quoted})`,
      `${operator}(email,${quoted})`,
      `${operator}(metadata.${quoted},${quoted})`,
    ]);
    for (const clause of [...clauses, `is_null(metadata.${quoted})`]) {
      const filter = parseFilter(clause, fields);
      expect(await selected(filter), clause).toEqual(matching(filter));
    }
    expect(await db("people").count()).toEqual([{ count: String(rows.length) }]);
  });

  test("so that it is the same for any value", () => {
    fc.assert(
      fc.property(filterOf(3), nastyText, (filter, other) => {
        const changed = filter.clauses.map((clause) => ({
          ...clause,
          ...(clause.key !== undefined && { key: other }),
          operands: clause.operands.map(({ text, value }) =>
            typeof value === "string" && value === text ? { text: other, value: other } : { text, value },
          ),
        }));
        const sqlOf = (given: Filter) => applyFilter(db("people"), given, columns).toSQL().sql;
        expect(sqlOf({ clauses: changed })).toBe(sqlOf(filter));
      }),
    );
  });

  test("a field without a column is a mistake of the caller", () => {
    const filter = parseFilter("eq(name,a)", fields);
    expect(() => applyFilter(db("people"), filter, {})).toThrow("No column is given for the field name.");
  });
});
