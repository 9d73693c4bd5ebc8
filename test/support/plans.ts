import type { Knex } from "knex";
import pg from "pg";

/** How Postgres answers the statement that a function sends through Knex, as `EXPLAIN` tells it. */
export async function planOf(
  { db, databaseUrl }: { readonly db: Knex; readonly databaseUrl: string },
  send: (db: Knex) => Promise<unknown>,
): Promise<string> {
  const sent = new Promise<{ sql: string; bindings: unknown[] }>((resolve) => db.once("query", resolve));
  await send(db);
  const { sql, bindings } = await sent;
  const client = new pg.Client(databaseUrl);
  await client.connect();
  const { rows } = await client.query(`explain ${sql}`, bindings);
  await client.end();
  return rows.map((row) => row["QUERY PLAN"]).join("\n");
}
