import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table customers add column request_to_be_forgotten boolean not null default false;

    create table erasures (
      tenant_id text collate "C" not null,
      id text collate "C" not null,
      customer_id text collate "C" not null,
      state text not null check (state in ('scheduled', 'done', 'cancelled')),
      request_time timestamptz not null,
      -- From when on it may run.
      due_time timestamptz not null,
      -- When it was done or cancelled.
      end_time timestamptz,
      -- Proto JSON of ErasureReceipt: names and numbers, never a value.
      receipt jsonb,
      version bigint not null default 1,
      primary key (tenant_id, id),
      constraint erasures_customer_fkey foreign key (tenant_id, customer_id) references customers,
      constraint erasures_end_check check ((state = 'scheduled') = (end_time is null)),
      constraint erasures_receipt_check check ((state = 'done') = (receipt is not null))
    );
    -- A customer is erased once: one request that is not cancelled.
    create unique index erasures_standing_key on erasures (tenant_id, customer_id) where state <> 'cancelled';
    create index erasures_request_time_idx on erasures (tenant_id, request_time, id);
    create index erasures_due_time_idx on erasures (due_time) where state = 'scheduled';

    -- Whom a remembered answer is about, so that it goes with that customer.
    alter table idempotency_keys add column customer_id text collate "C";
    create index idempotency_keys_customer_idx on idempotency_keys (tenant_id, customer_id)
      where customer_id is not null;

    -- A token that is erased leaves its hash, as its id: who knows the token finds it, and nobody else.
    create function token_key_of(id text) returns bytea language sql immutable parallel safe
      return case when id like 'erased:%' then decode(substr(id, 8), 'hex') else sha256(convert_to(id, 'UTF8')) end;

    alter table payment_methods
      add column token_key bytea not null generated always as (token_key_of(id)) stored,
      add constraint payment_methods_token_key unique (tenant_id, token_key),
      -- Whose it was before it was consumed.
      add column former_customer_id text collate "C";
    create index payment_methods_former_customer_idx on payment_methods (tenant_id, former_customer_id)
      where former_customer_id is not null;

    -- Likewise while a tax identifier is nobody's.
    alter table tax_identifiers add column former_customer_id text collate "C";
    create index tax_identifiers_former_customer_idx on tax_identifiers (tenant_id, former_customer_id)
      where former_customer_id is not null;

    -- The only payloads that name what the service has not drawn: tokens.
    create index webhook_deliveries_token_idx on webhook_deliveries (tenant_id, (payload->>'customerId'))
      where event_type like 'payment_method.%';
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
