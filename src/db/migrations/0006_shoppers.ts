import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Apart from the customers, so that whoever reads those never comes near a hash.
    create table passwords (
      tenant_id text collate "C" not null,
      customer_id text collate "C" not null,
      -- Another one with each password, so that what was checked against one is not taken for the next.
      id text collate "C" not null,
      -- In the PHC string format, with its algorithm, costs and salt.
      hash text not null check (octet_length(hash) <= 512),
      create_time timestamptz not null,
      primary key (tenant_id, customer_id),
      constraint passwords_id_key unique (tenant_id, id, customer_id),
      constraint passwords_customer_fkey foreign key (tenant_id, customer_id) references customers
    );

    -- A customer shows whether there is one; by the end of the transaction that changes it.
    alter table customers
      add column password_id text collate "C",
      add constraint customers_password_fkey
        foreign key (tenant_id, password_id, id)
        references passwords (tenant_id, id, customer_id)
        deferrable initially deferred,
      add constraint customers_deleted_password_check check (delete_time is null or password_id is null);

    create table customer_tokens (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      customer_id text collate "C" not null,
      method text not null check (method in ('password', 'secret_key', 'identity_provider')),
      secret_hash bytea not null,
      last4 text not null,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      expire_time timestamptz not null,
      revoke_time timestamptz,
      primary key (tenant_id, id),
      constraint customer_tokens_secret_key unique (tenant_id, secret_hash),
      constraint customer_tokens_customer_fkey foreign key (tenant_id, customer_id) references customers
    );
    create index customer_tokens_create_time_idx on customer_tokens (tenant_id, customer_id, create_time, id);
    create index customer_tokens_expire_time_idx on customer_tokens (expire_time);

    -- What slows down who guesses passwords. A subject is a keyed hash of an e-mail address, or of one and the network
    -- address that the attempts come from: the table says of nobody that they tried.
    create table login_attempts (
      tenant_id text collate "C" not null references tenants,
      subject bytea not null,
      -- Since the last success, or within a day; an attempt counts from its beginning.
      failures integer not null check (failures >= 0),
      attempt_time timestamptz not null,
      -- No attempt before then.
      retry_time timestamptz,
      -- Until then the network address counts as one that the customer signs in from.
      trusted_until timestamptz,
      expire_time timestamptz not null,
      primary key (tenant_id, subject)
    );
    create index login_attempts_expire_time_idx on login_attempts (expire_time);
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
