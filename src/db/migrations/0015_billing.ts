import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Proto JSON of Address: a copy, never a reference.
    alter table checkouts add column billing jsonb;
    alter table orders add column billing jsonb;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
