import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- The hash of the secret by which a page reaches the guest's checkout that it created. Older ones have none.
    alter table checkouts
      add column secret_hash bytea,
      add constraint checkouts_secret_check check (secret_hash is null or customer_id is null);
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
