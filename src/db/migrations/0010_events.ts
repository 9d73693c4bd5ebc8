import type { Knex } from "knex";

// Positions are given when an event is written, so one may become visible after a larger one: who reads by position
// would skip it. Therefore an event gets its number when it is committed: one process at a time, holding the tenant's
// row of event_logs, numbers what it sees, by position. Numbers become visible in their order and have no gaps. Changes
// that take turns by a lock, as those of one customer do, have positions in the order of their commits; and who sees the
// later one sees the earlier one, so their numbers are in that order too, however transactions overlap.
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table events
      -- The place of a committed event among those of its tenant, from 1 on; null until it is given.
      add column id bigint check (id > 0),
      add column actor_kind text not null default 'system'
        check (actor_kind in ('secret_key', 'publishable_key', 'customer_token', 'system')),
      -- A code that the caller gave, never prose: see x-reason.
      add column reason text check (reason ~ '^[A-Za-z0-9._:/#-]{1,100}$');
    update events set actor_kind = 'secret_key' where actor <> 'system';
    alter table events alter column actor_kind drop default;

    -- The last number given in a tenant. Who holds the row is the one to number.
    create table event_logs (
      tenant_id text collate "C" primary key references tenants,
      last_id bigint not null
    );

    -- What waits for its number; all that a change itself has to keep up beside the primary key.
    create index events_unnumbered_idx on events (tenant_id, position) where id is null;
    create unique index events_id_key on events (tenant_id, id) where id is not null;
    create index events_customer_idx on events (tenant_id, customer_id, id) where id is not null;
    create index events_resource_idx on events (tenant_id, resource_id, id) where id is not null;
    create index events_actor_idx on events (tenant_id, actor, id) where id is not null;
    create index events_type_idx on events (tenant_id, type, id) where id is not null;
    create index events_create_time_idx on events (tenant_id, create_time) where id is not null;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
