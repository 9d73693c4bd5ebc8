import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table photos (
      tenant_id text collate "C" not null,
      customer_id text collate "C" not null,
      id text collate "C" not null,
      -- What its URL holds and nobody can guess: another with each upload.
      token text collate "C" not null,
      content_type text not null check (content_type in ('image/jpeg', 'image/png')),
      content bytea not null,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      primary key (tenant_id, customer_id),
      constraint photos_token_key unique (tenant_id, token, customer_id),
      constraint photos_customer_fkey foreign key (tenant_id, customer_id) references customers
    );
    -- Images are compressed already.
    alter table photos alter column content set storage external;

    -- A customer shows its own photo, and that one; by the end of the transaction that changes it.
    alter table customers
      add column photo_token text collate "C",
      add constraint customers_photo_fkey
        foreign key (tenant_id, photo_token, id)
        references photos (tenant_id, token, customer_id)
        deferrable initially deferred,
      add constraint customers_purged_photo_check check (not purged or photo_token is null);
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
