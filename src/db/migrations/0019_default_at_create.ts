import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- A customer is created before the payment method that it names as its default.
    alter table customers alter constraint customers_default_payment_method_fkey deferrable initially immediate;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
