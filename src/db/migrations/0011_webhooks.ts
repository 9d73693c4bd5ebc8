import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table webhook_endpoints (
      tenant_id text collate "C" not null references tenants,
      id text collate "C" not null,
      url text not null,
      event_types text[] not null,
      label text not null,
      enabled boolean not null default true,
      disable_time timestamptz,
      -- Its secrets follow from the deployment's key and this count.
      secret_version integer not null default 1,
      previous_secret_until timestamptz,
      -- The number of the last event that deliveries were made of.
      cursor bigint not null,
      version bigint not null default 1,
      create_time timestamptz not null,
      update_time timestamptz not null,
      primary key (tenant_id, id)
    );
    create index webhook_endpoints_create_time_idx on webhook_endpoints (tenant_id, create_time, id);

    create table webhook_deliveries (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      endpoint_id text collate "C" not null,
      event_id text collate "C" not null,
      event_type text not null,
      -- The proto JSON of the event, so that every try sends the same.
      payload jsonb not null,
      state text not null check (state in ('pending', 'succeeded', 'failed')),
      attempts jsonb not null default '[]' check (jsonb_typeof(attempts) = 'array'),
      -- Due then; while it is being sent, when it is given up for lost.
      next_attempt_time timestamptz,
      -- Asked for by a client, so that it is sent to a disabled endpoint too.
      by_hand boolean not null default false,
      complete_time timestamptz,
      version bigint not null default 1,
      create_time timestamptz not null,
      primary key (tenant_id, id),
      constraint webhook_deliveries_endpoint_fkey foreign key (tenant_id, endpoint_id)
        references webhook_endpoints on delete cascade,
      constraint webhook_deliveries_pending_check check ((state = 'pending') = (next_attempt_time is not null))
    );
    create index webhook_deliveries_create_time_idx on webhook_deliveries (tenant_id, endpoint_id, create_time, id);
    create index webhook_deliveries_due_idx on webhook_deliveries (next_attempt_time) where state = 'pending';
    create index webhook_deliveries_succeeded_idx
      on webhook_deliveries (tenant_id, endpoint_id, complete_time) where state = 'succeeded';
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
