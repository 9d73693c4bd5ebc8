import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Who a customer is elsewhere: one identity is one customer's alone.
    create table customer_identities (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      -- The provider, and whom it means: together they never mean anybody else (OpenID Connect Core, 2).
      issuer text collate "C" not null check (octet_length(issuer) <= 1024),
      subject text collate "C" not null check (octet_length(subject) <= 1024),
      customer_id text collate "C" not null,
      create_time timestamptz not null,
      primary key (tenant_id, issuer, subject),
      constraint customer_identities_customer_fkey foreign key (tenant_id, customer_id) references customers
    );
    create index customer_identities_customer_idx on customer_identities (tenant_id, customer_id);
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
