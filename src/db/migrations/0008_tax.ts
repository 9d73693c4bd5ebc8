import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table tax_identifiers (
      tenant_id text collate "C" not null references tenants,
      id text collate "C" not null,
      -- Null while it is nobody's.
      customer_id text collate "C",
      type text collate "C" not null,
      value text not null,
      country text collate "C" not null,
      state text not null check (state in ('pending', 'verified', 'not_valid')),
      -- What states it came to, and when: a list of {state, time}.
      state_transitions jsonb not null,
      -- How often the verifier was asked, and when to ask it next; null once it has answered, or is asked no more. The
      -- row is its own job: written with it, and done with it.
      attempts integer not null default 0,
      next_attempt_time timestamptz,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      primary key (tenant_id, id),
      constraint tax_identifiers_customer_type_key unique (tenant_id, customer_id, type),
      constraint tax_identifiers_customer_fkey foreign key (tenant_id, customer_id) references customers,
      constraint tax_identifiers_attempt_check check (state = 'pending' or next_attempt_time is null)
    );
    create index tax_identifiers_create_time_idx on tax_identifiers (tenant_id, create_time, id);
    create index tax_identifiers_due_idx on tax_identifiers (next_attempt_time) where next_attempt_time is not null;

    create table tax_certificates (
      tenant_id text collate "C" not null references tenants,
      id text collate "C" not null,
      customer_id text collate "C" not null,
      company_name text not null,
      tax_authority text collate "C" not null,
      start_date date not null,
      end_date date not null,
      content_type text not null check (content_type in ('application/pdf', 'image/png', 'image/jpeg')),
      content bytea not null check (octet_length(content) between 1 and 10485760),
      file_size integer not null generated always as (octet_length(content)) stored,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      primary key (tenant_id, customer_id, id),
      constraint tax_certificates_customer_fkey foreign key (tenant_id, customer_id) references customers,
      constraint tax_certificates_dates_check check (start_date <= end_date)
    );
    create index tax_certificates_create_time_idx on tax_certificates (tenant_id, customer_id, create_time, id);
    -- Images and most of a PDF are compressed already.
    alter table tax_certificates alter column content set storage external;

    -- Proto JSON of lists of TaxIdentifier and TaxCertificate: copies, never references.
    alter table checkouts
      add column tax_identifiers jsonb not null default '[]',
      add column tax_certificates jsonb not null default '[]';
    alter table orders
      add column tax_identifiers jsonb not null default '[]',
      add column tax_certificates jsonb not null default '[]';
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
