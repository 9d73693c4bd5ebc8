import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table custom_fields (
      tenant_id text collate "C" not null references tenants,
      id text collate "C" not null,
      slug text collate "C" not null check (slug ~ '^[a-z][a-z0-9_-]{0,39}$'),
      name text not null,
      description text,
      type text not null check (type in ('string', 'integer', 'boolean', 'float', 'date')),
      -- Proto JSON of the list of CustomFieldRule.
      rules jsonb not null check (jsonb_typeof(rules) = 'array'),
      required boolean not null,
      -- JSON, null for none.
      default_value jsonb check (jsonb_typeof(default_value) in ('string', 'number', 'boolean')),
      enabled boolean not null,
      position integer not null,
      writable_by_customer boolean not null,
      -- One of a hundred places, while it is not deleted: there cannot be more definitions than places.
      slot smallint check (slot between 1 and 100),
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      delete_time timestamptz,
      -- Until when a deleted one can come back; null once its values are being erased.
      purge_time timestamptz,
      primary key (tenant_id, id),
      constraint custom_fields_slot_key unique (tenant_id, slot),
      constraint custom_fields_deleted_check check (
        (delete_time is null) = (slot is not null) and (delete_time is not null or purge_time is null))
    );
    create unique index custom_fields_slug_key on custom_fields (tenant_id, slug) where delete_time is null;
    create index custom_fields_delete_time_idx on custom_fields (delete_time) where delete_time is not null;

    alter table tenants
      add column custom_fields_version bigint not null default 1,
      -- Rises with every change of what customers are checked against: the settings, and the definitions of their fields.
      add column rules_version bigint generated always as (settings_version + custom_fields_version) stored;

    -- Values by the ids of their definitions, so that those of a deleted one are hidden without writing a customer anew,
    -- and never taken for those of another one with the same slug.
    alter table customers
      add column custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
      add constraint customers_purged_custom_fields_check check (not purged or custom_fields = '{}');
    -- Without the tenant: the id of a definition is one tenant's alone, and stands in what is looked up.
    create index customers_custom_fields_idx on customers using gin (custom_fields jsonb_path_ops)
      where custom_fields <> '{}';
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
