import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    drop index customers_search_text_idx, customers_search_grams_idx;
    alter table customers drop column search_text;

    -- Folds a text for comparison without case, accents, invisible characters and typographic variants. Unicode decomposes
    -- most letters with marks; the lists name the letters that it leaves whole. ASCII has a short way, because nearly every
    -- text is ASCII.
    create or replace function fold_text(input text) returns text language sql immutable parallel safe
      return case when octet_length(input) = length(input) then lower(input) else
        replace(replace(replace(replace(
          translate(
            lower(normalize(regexp_replace(
              normalize(input, NFKD),
              '[\\u0300-\\u036f\\u00ad\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff]', '', 'g'), NFC)),
            'ςıłøđðħŧŋĸ’‘ʼ′‐‑‒–—',
            'σiloddhtnk''''''''-----'),
          'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th')
      end;

    -- A folded text as a pattern of LIKE that matches itself only.
    create function literal_pattern(input text) returns text language sql immutable parallel safe
      return regexp_replace(fold_text(input), '([\\\\%_])', '\\\\\\1', 'g');

    -- Every character of a text, and every two neighbours: the keys of a search for one or two letters, which are too few
    -- for pg_trgm.
    create or replace function grams_of(input text) returns text[] language sql immutable parallel safe
      return string_to_array(input, null) || array(
        select one || other from unnest(string_to_array(input, null), (string_to_array(input, null))[2:]) pair(one, other));

    -- The searched texts, folded, each after a line break. First and last name also stand together, so that a query may
    -- span both; a name that repeats them is left out.
    create or replace function search_text_of(email text, first_name text, last_name text, name text) returns text
      language sql immutable parallel safe
      return fold_text(E'\\n' || coalesce(email, '') || E'\\n' || coalesce(first_name || ' ', '') ||
        coalesce(last_name || case when first_name is null then '' else E'\\n' || last_name end, '') ||
        case when name is null or name = first_name || ' ' || last_name then '' else E'\\n' || name end);

    alter table customers add column search_text text generated always as
      (search_text_of(email, first_name, last_name, name)) stored;
    create index customers_search_text_idx on customers using gin (tenant_id, search_text gin_trgm_ops);
    create index customers_search_grams_idx on customers using gin (tenant_id, (grams_of(search_text)));
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
