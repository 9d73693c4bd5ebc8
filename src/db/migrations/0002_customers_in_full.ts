import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create extension if not exists pg_trgm;
    create extension if not exists btree_gin;

    -- Lower case without accents, as searched for.
    create function fold_text(input text) returns text language sql immutable parallel safe
      return lower(normalize(regexp_replace(normalize(input, NFD), '[\\u0300-\\u036f]', '', 'g'), NFC));

    -- Every character of a text of lines, and every two neighbours: what a search for one or two letters looks up,
    -- which are too few for pg_trgm.
    create function grams_of(input text) returns text[] language sql immutable parallel safe
      return array(
        select one from unnest(string_to_array(input, null)) one where one <> E'\\n'
        union
        select one || other
        from unnest(string_to_array(input, null), (string_to_array(input, null))[2:]) pair(one, other)
        where one <> E'\\n' and other <> E'\\n');

    -- The texts that a search looks at, folded, each begun by a line break.
    create function search_text_of(email text, first_name text, last_name text, name text) returns text
      language sql immutable parallel safe
      return fold_text(E'\\n' || coalesce(email, '') || E'\\n' || coalesce(first_name, '') || E'\\n' ||
        coalesce(last_name, '') || E'\\n' || coalesce(name, ''));

    alter table customers
      add column external_references jsonb not null default '[]' check (jsonb_typeof(external_references) = 'array'),
      add column search_text text generated always as
        (search_text_of(email, first_name, last_name, name)) stored,
      drop constraint customers_purged_check,
      add constraint customers_purged_check check (not purged or (
        delete_time is not null and metadata = '{}' and external_references = '[]' and num_nonnulls(
          email, name, first_name, last_name, display_name, phone, country, locale, type,
          default_address_id, default_payment_method_id) = 0));
    -- A customer and its default address may be made together.
    alter table customers alter constraint customers_default_address_fkey deferrable initially immediate;
    create index customers_search_text_idx on customers using gin (tenant_id, search_text gin_trgm_ops);
    create index customers_search_grams_idx on customers using gin (tenant_id, (grams_of(search_text)));
    create index customers_email_idx on customers (tenant_id, lower(email)) where not purged;
    create index customers_update_time_idx on customers (tenant_id, update_time, id) where not purged;
    create index customers_purge_time_idx on customers (purge_time) where not purged and purge_time is not null;

    -- Whose an id elsewhere is: kept beside the customer that shows it, so that no two can share one.
    create table external_references (
      tenant_id text collate "C" not null,
      name text collate "C" not null,
      external_id text collate "C" not null,
      customer_id text collate "C" not null,
      constraint external_references_pkey primary key (tenant_id, name, external_id),
      constraint external_references_customer_fkey foreign key (tenant_id, customer_id) references customers
    );
    create unique index external_references_name_key on external_references (tenant_id, customer_id, name);
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
