import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";

/** How many rows break a setting, and the ids of the first ten. */
export interface ViolationCount {
  readonly count: number;
  readonly ids: readonly string[];
}

const active = "tenant_id = ? and delete_time is null";

/** Active customers without a value in one of the columns. */
export async function countIncompleteCustomers(
  trx: Knex.Transaction,
  tenantId: string,
  columns: readonly string[],
): Promise<ViolationCount> {
  const names = columns.map(() => "??").join(", ");
  const query = `select id, id as place from customers where ${active} and num_nulls(${names}) > 0`;
  return await countBroken(trx, query, [tenantId, ...columns]);
}

/** Active customers that share their e-mail address, trimmed and in any case, with another one. */
export async function countSharedEmails(trx: Knex.Transaction, tenantId: string): Promise<ViolationCount> {
  const address = "lower(btrim(email))";
  const query = `
    select id, (${address}, create_time, id) as place from customers
    where ${active} and ${address} in (
      select ${address} from customers where ${active} and email is not null group by 1 having count(*) > 1)`;
  return await countBroken(trx, query, [tenantId, tenantId]);
}

/** Active customers with more addresses than that. */
export async function countCustomersWithMoreAddresses(
  trx: Knex.Transaction,
  tenantId: string,
  limit: number,
): Promise<ViolationCount> {
  const query = `
    select id, id as place from customers
    where ${active} and id in (
      select customer_id from addresses where tenant_id = ? group by customer_id having count(*) > ?)`;
  return await countBroken(trx, query, [tenantId, tenantId, limit]);
}

async function countBroken(
  trx: Knex.Transaction,
  query: string,
  bindings: readonly Knex.RawBinding[],
): Promise<ViolationCount> {
  const result = await trx.raw<{ rows: ViolationCount[] }>(
    `with broken as materialized (${query})
     select (select count(*) from broken) as count, array(select id from broken order by place limit 10) as ids`,
    [...bindings],
  );
  return result.rows[0]!;
}

/** Limits of metadata as in the settings; null for none. */
interface Limits {
  readonly bytes: number;
  readonly keys: number | null;
  readonly keyLength: number | null;
  readonly valueLength: number | null;
}

/**
 * The next active customers, by id, whose metadata may exceed a limit. Few are listed that exceed none: Postgres spells
 * JSON with spaces and without exponents, so longer than the compact text that counts, and never shorter.
 */
export async function listLargeMetadata(
  trx: Knex.Transaction,
  tenantId: string,
  { bytes, keys, keyLength, valueLength }: Limits,
  { afterId, limit }: { readonly afterId: string; readonly limit: number },
): Promise<{ id: string; metadata: JsonObject }[]> {
  const exceeds = `(
    select count(*) > ?::int or max(char_length(key)) > ?::int or max(coalesce(char_length(value), 4)) > ?::int
    from jsonb_each_text(metadata))`;
  return await trx("customers")
    .whereRaw(`${active} and id > ? and metadata <> '{}'`, [tenantId, afterId])
    .whereRaw(`(octet_length(metadata::text) > ? or ${exceeds})`, [bytes, keys, keyLength, valueLength])
    .orderBy("id")
    .limit(limit)
    .select("id", "metadata");
}
