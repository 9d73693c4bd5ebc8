import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table customers
      add column default_billing_address_id text collate "C",
      add constraint customers_default_billing_address_fkey
        foreign key (tenant_id, id, default_billing_address_id)
        references addresses (tenant_id, customer_id, id) deferrable initially immediate,
      add constraint customers_purged_billing_check check (not purged or default_billing_address_id is null);
    -- Proto JSON of BillingDetails: the owner, as the vault knew it when the token was attached.
    alter table payment_methods add column billing jsonb;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
