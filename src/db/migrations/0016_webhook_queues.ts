import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table erasures rename column request_time to create_time;
    alter index erasures_request_time_idx rename to erasures_create_time_idx;
    alter table erasures
      drop constraint erasures_state_check,
      drop constraint erasures_receipt_check;
    update erasures set state = 'completed' where state = 'done';
    alter table erasures
      add constraint erasures_state_check check (state in ('scheduled', 'completed', 'cancelled')),
      add constraint erasures_receipt_check check ((state = 'completed') = (receipt is not null));

    -- Whether the last post to it ran into the time limit. Such endpoints share a few places of the sender.
    alter table webhook_endpoints add column stalled boolean not null default false;

    -- A queue for each endpoint, and one beside it for deliveries that a client requested. The sender reads the heads of
    -- the queues, so a backlog that nobody may send costs no more than its head.
    drop index webhook_deliveries_due_idx;
    create index webhook_deliveries_queue_idx
      on webhook_deliveries (tenant_id, endpoint_id, by_hand, next_attempt_time) where state = 'pending';
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
