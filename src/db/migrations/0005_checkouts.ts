import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Until when an order can be made of a checkout.
    alter table checkouts add column expire_time timestamptz;
    update checkouts set expire_time = create_time + interval '24 hours';
    alter table checkouts alter column expire_time set not null;
    create index checkouts_expire_time_idx on checkouts (expire_time, tenant_id) where state = 'pending';

    -- An order has its checkout's customer: no guest's can be linked to one.
    alter table checkouts add constraint checkouts_owner_key unique (tenant_id, id, customer_id);
    alter table orders
      add constraint orders_owner_fkey
        foreign key (tenant_id, checkout_id, customer_id)
        references checkouts (tenant_id, id, customer_id);
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
