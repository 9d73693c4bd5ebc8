import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table customers add column tax_exempt boolean not null default false;
    alter table checkouts add column tax_exempt boolean not null default false;
    alter table orders add column tax_exempt boolean not null default false;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
