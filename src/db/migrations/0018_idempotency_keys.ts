import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    alter table idempotency_keys drop constraint idempotency_keys_pkey;
    -- Of the records that one key had under several methods, the latest stays.
    delete from idempotency_keys earlier using idempotency_keys later
      where later.tenant_id = earlier.tenant_id and later.key = earlier.key
        and (later.expire_time, later.method) > (earlier.expire_time, earlier.method);

    -- A key may name a person. Its hash finds the record, and the hash of the request cannot be guessed without the key.
    alter table idempotency_keys add column key_hash bytea;
    update idempotency_keys set
      key_hash = sha256(convert_to('idempotency-key ' || key, 'UTF8')),
      request_hash = sha256(convert_to(key, 'UTF8') || request_hash);
    alter table idempotency_keys
      drop column key,
      alter column key_hash set not null,
      add primary key (tenant_id, key_hash),
      -- Null after an erasure: a tombstone, which refuses every retry until it expires.
      alter column request_hash drop not null;
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
