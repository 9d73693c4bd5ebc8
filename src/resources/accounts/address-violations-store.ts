import type { Knex } from "knex";

/** How many rows break a setting, and the ids of the first ten. */
interface ViolationCount {
  readonly count: number;
  readonly ids: readonly string[];
}

/** Addresses of active customers without a value in one of the columns. */
export async function countIncompleteAddresses(
  trx: Knex.Transaction,
  tenantId: string,
  columns: readonly string[],
): Promise<ViolationCount> {
  const names = columns.map((column) => `address.${column}`);
  return await countBroken(trx, tenantId, `num_nulls(${names.map(() => "??").join(", ")}) > 0`, names);
}

/** Addresses of active customers that lie in a country other than those. */
export async function countAddressesElsewhere(
  trx: Knex.Transaction,
  tenantId: string,
  countries: readonly string[],
): Promise<ViolationCount> {
  return await countBroken(trx, tenantId, "address.country <> all(?)", [[...countries]]);
}

async function countBroken(
  trx: Knex.Transaction,
  tenantId: string,
  condition: string,
  bindings: readonly Knex.RawBinding[],
): Promise<ViolationCount> {
  const result = await trx.raw<{ rows: ViolationCount[] }>(
    `with broken as materialized (
       select address.customer_id, address.id from addresses address
       join customers customer on customer.tenant_id = address.tenant_id and customer.id = address.customer_id
       where address.tenant_id = ? and customer.delete_time is null and ${condition})
     select (select count(*) from broken) as count,
       array(select id from broken order by customer_id, id limit 10) as ids`,
    [tenantId, ...bindings],
  );
  return result.rows[0]!;
}
