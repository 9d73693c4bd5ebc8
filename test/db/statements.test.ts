import type { Knex } from "knex";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { createShapes, defineStatement } from "../../src/db/statements.js";
import { inTransaction } from "../../src/db/transaction.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

let database: TestDatabase;
let db: Knex;

beforeAll(async () => {
  database = await createTestDatabase();
  db = connect({ connectionString: database.url, poolSize: 1, namedStatements: true });
  await db.raw("create table things (id text primary key, size int)");
  await db("things").insert(["a", "b", "c"].map((id, size) => ({ id, size })));
});
afterAll(async () => {
  await db.destroy();
  await database.drop();
});

test("a statement is built once and runs with the values of each call", async () => {
  let builds = 0;
  const findThing = defineStatement<{ id: string }, { id: string; size: number }>((builder, { id, size }) => {
    builds += 1;
    return builder("things").where({ id }).whereRaw("size <= ?", [size]).where("id", "<>", "c").select("id");
  });
  expect(await findThing(db, { size: 9, id: "a" })).toEqual([{ id: "a" }]);
  expect(await findThing(db, { size: 9, id: "b" })).toEqual([{ id: "b" }]);
  expect(await findThing(db, { size: 0, id: "b" })).toEqual([]);
  expect(await findThing(db, { size: 9, id: "c" })).toEqual([]);
  expect(builds).toBe(1);
  const prepared = await db.raw(`select from pg_prepared_statements where statement like 'select "id" from "things"%'`);
  expect(prepared.rows.length).toBe(1);
});

test("a statement given a transaction runs in it, and not after it", async () => {
  const rename = defineStatement<{ id: string }, { from: string; to: string }>((builder, { from, to }) =>
    builder("things").where({ id: from }).update({ id: to }).returning("id"),
  );
  let ended: Knex.Transaction | undefined;
  const undone = inTransaction(db, async (trx) => {
    ended = trx;
    expect(await rename(trx, { from: "a", to: "z" })).toEqual([{ id: "z" }]);
    throw new Error("undone");
  });
  await expect(undone).rejects.toThrow("undone");
  expect(await db("things").where({ id: "z" })).toEqual([]);
  await expect(rename(ended!, { from: "a", to: "z" })).rejects.toThrow("The transaction has ended.");
});

test("each shape has a text of its own", async () => {
  const shapes = createShapes<{ id: string }, { size: number }>();
  const ordered = (direction: "asc" | "desc") =>
    shapes(direction, (builder, { size }) =>
      builder("things").whereRaw("size < ?", [size]).orderBy("id", direction).select("id"),
    )(db, { size: 2 });
  expect(await ordered("asc")).toEqual([{ id: "a" }, { id: "b" }]);
  expect(await ordered("desc")).toEqual([{ id: "b" }, { id: "a" }]);
  expect(await ordered("asc")).toEqual([{ id: "a" }, { id: "b" }]);
});
