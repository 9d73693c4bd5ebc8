import type { Knex } from "knex";

export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- How far a file of customers is imported: written by the transaction that writes the customers, so that a rerun
    -- goes on behind the last one, whatever ended the process.
    create table imports (
      tenant_id text collate "C" not null references tenants,
      -- The hash of the source, the file's size and its first 64 KiB, in hex.
      id text collate "C" not null,
      source text collate "C" not null,
      -- Null for a pipe, whose size nobody knows.
      file_size bigint,
      -- The last line that is done, and the byte behind it.
      line bigint not null default 0,
      file_offset bigint not null default 0,
      batches bigint not null default 0,
      imported bigint not null default 0,
      rejected bigint not null default 0,
      create_time timestamptz not null,
      update_time timestamptz not null,
      finish_time timestamptz,
      primary key (tenant_id, id)
    );
  `);
}

// Migrations are append-only: what is released is undone by a new one.
export async function down(): Promise<void> {
  throw new Error("Migrations are append-only.");
}
