import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table erasures
      alter column customer_id drop not null,
      -- The address of a guest who waits to be forgotten. An erasure that has ended names no guest.
      add column guest_email text,
      add constraint erasures_subject_check
        check (case when state = 'scheduled' then (customer_id is null) <> (guest_email is null) else guest_email is null end);
    -- One request at a time for each address.
    create unique index erasures_guest_key on erasures (tenant_id, lower(guest_email)) where guest_email is not null;

    create index checkouts_guest_email_idx on checkouts (tenant_id, lower(contact->>'email')) where customer_id is null;

    -- The resource of a remembered answer that is about no customer.
    alter table idempotency_keys add column resource_id text collate "C";
    create index idempotency_keys_resource_idx on idempotency_keys (tenant_id, resource_id)
      where resource_id is not null;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
