import type { Knex } from "knex";

// Every key begins with tenant_id: a reference to another tenant's row is impossible, and the tables can be distributed
// by it. Ids are compared byte by byte, so that keyset pages agree with JavaScript and with every locale.
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table tenants (
      tenant_id text collate "C" primary key,
      account_id text collate "C" not null,
      account_name text not null,
      live_mode boolean not null,
      -- The proto JSON of AccountSettings.
      settings jsonb not null,
      settings_version bigint not null default 1,
      settings_update_time timestamptz not null,
      -- Signs page tokens, so that a tenant's token is worth nothing to another.
      page_token_key bytea not null,
      version bigint not null default 1,
      create_time timestamptz not null
    );

    create table api_keys (
      tenant_id text collate "C" not null references tenants,
      id text collate "C" not null,
      kind text not null check (kind in ('secret', 'publishable')),
      label text not null,
      secret_hash bytea not null,
      last4 text not null,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      revoke_time timestamptz,
      primary key (tenant_id, id),
      constraint api_keys_secret_key unique (tenant_id, secret_hash)
    );

    create table customers (
      tenant_id text collate "C" not null references tenants,
      id text collate "C" not null check (id ~ '^[!-~]{1,40}$'),
      email text,
      -- The hash of the trimmed, lower-cased address while it must be its own, else null.
      email_key bytea,
      name text,
      first_name text,
      last_name text,
      display_name text,
      phone text,
      country text check (country ~ '^[A-Z]{2}$'),
      locale text check (locale ~ '^[a-z]{2}_[A-Z]{2}$'),
      type text check (type in ('individual', 'business')),
      enabled boolean not null default true,
      metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
      default_address_id text collate "C",
      default_payment_method_id text collate "C",
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      delete_time timestamptz,
      purge_time timestamptz,
      -- A purged customer is only a tombstone: it keeps the id taken and orders attached to it.
      purged boolean not null default false,
      primary key (tenant_id, id),
      constraint customers_email_key unique (tenant_id, email_key),
      constraint customers_purged_check check (not purged or (delete_time is not null and metadata = '{}' and num_nonnulls(
        email, name, first_name, last_name, display_name, phone, country, locale, type,
        default_address_id, default_payment_method_id) = 0))
    );
    create index customers_create_time_idx on customers (tenant_id, create_time, id) where not purged;

    create table addresses (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      customer_id text collate "C" not null,
      label text,
      name text,
      first_name text,
      last_name text,
      organization text,
      phone text,
      email text,
      line1 text,
      line2 text,
      city text,
      county text,
      state text,
      postal_code text,
      country text check (country ~ '^[A-Z]{2}$'),
      instructions text,
      neighborhood text,
      division text,
      phonetic_name text,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      primary key (tenant_id, customer_id, id),
      constraint addresses_customer_fkey foreign key (tenant_id, customer_id) references customers
    );
    create index addresses_create_time_idx on addresses (tenant_id, customer_id, create_time, id);

    create table payment_methods (
      tenant_id text collate "C" not null,
      -- The token: the primary key gives it to one customer at most.
      id text collate "C" not null,
      -- Null once it is consumed.
      customer_id text collate "C",
      type text not null check (type in ('card')),
      brand text not null,
      last4 text not null check (last4 ~ '^[0-9]{4}$'),
      exp_month integer not null check (exp_month between 1 and 12),
      exp_year integer not null,
      label text,
      consume_time timestamptz,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      primary key (tenant_id, id),
      constraint payment_methods_owner_key unique (tenant_id, customer_id, id),
      constraint payment_methods_customer_fkey foreign key (tenant_id, customer_id) references customers,
      constraint payment_methods_consumed_check check ((customer_id is null) = (consume_time is not null))
    );
    create index payment_methods_create_time_idx on payment_methods (tenant_id, customer_id, create_time, id);

    -- One default at most, and one's own: it is a column of the customer that refers to the customer's own rows.
    alter table customers
      add constraint customers_default_address_fkey
        foreign key (tenant_id, id, default_address_id)
        references addresses (tenant_id, customer_id, id),
      add constraint customers_default_payment_method_fkey
        foreign key (tenant_id, id, default_payment_method_id)
        references payment_methods (tenant_id, customer_id, id);

    create table checkouts (
      tenant_id text collate "C" not null references tenants,
      id text collate "C" not null,
      customer_id text collate "C",
      state text not null check (state in ('pending', 'completed', 'failed', 'cancelled')),
      url text not null,
      display_name text not null,
      -- Proto JSON of Contact, Address, PaymentMethod and the list of Resolution: copies, never references.
      contact jsonb not null,
      shipping jsonb,
      payment_method jsonb,
      locale text,
      type text check (type in ('individual', 'business')),
      resolutions jsonb not null,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      primary key (tenant_id, id),
      constraint checkouts_customer_fkey foreign key (tenant_id, customer_id) references customers
    );
    create index checkouts_create_time_idx on checkouts (tenant_id, create_time, id);
    create index checkouts_customer_idx on checkouts (tenant_id, customer_id, create_time, id);

    create table orders (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      checkout_id text collate "C" not null,
      customer_id text collate "C",
      url text not null,
      display_name text not null,
      contact jsonb not null,
      shipping jsonb not null,
      payment_method jsonb not null,
      locale text,
      type text check (type in ('individual', 'business')),
      version bigint not null default 1,
      create_time timestamptz not null,
      primary key (tenant_id, id),
      constraint orders_checkout_key unique (tenant_id, checkout_id),
      constraint orders_checkout_fkey foreign key (tenant_id, checkout_id) references checkouts,
      constraint orders_customer_fkey foreign key (tenant_id, customer_id) references customers
    );
    create index orders_create_time_idx on orders (tenant_id, create_time, id);
    create index orders_customer_idx on orders (tenant_id, customer_id, create_time, id);

    create table events (
      tenant_id text collate "C" not null references tenants,
      -- Order of writing, and the transaction that wrote it: what a gap-free reader needs.
      position bigint generated always as identity,
      transaction_id xid8 not null default pg_current_xact_id(),
      -- Such as customer.updated: the resource and what became of it.
      type text not null,
      resource_id text collate "C" not null,
      customer_id text collate "C",
      changed_paths text[] not null,
      actor text not null,
      create_time timestamptz not null,
      primary key (tenant_id, position)
    );

    create table idempotency_keys (
      tenant_id text collate "C" not null references tenants,
      method text not null,
      key text collate "C" not null,
      request_hash bytea not null,
      -- The first answer in protobuf binary, without what is shown once; null until its transaction ends.
      response bytea,
      expire_time timestamptz not null,
      primary key (tenant_id, method, key)
    );
    create index idempotency_keys_expire_time_idx on idempotency_keys (expire_time);
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
