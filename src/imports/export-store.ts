import type { Knex } from "knex";
import type { AddressRow } from "../resources/addresses/store.js";
import type { CustomerRow } from "../resources/customers/fields.js";
import { shownTaxIdentifiers, taxIdentifierRows } from "../resources/tax-identifiers/json-store.js";

/** A customer with all of its addresses and tax identifiers, the oldest first. */
export interface ExportedCustomerRow extends CustomerRow {
  addresses: AddressRow[];
}

/** Which customers come next. */
export interface ExportBatch {
  /** The id that they follow; undefined for the first. */
  readonly after: string | undefined;
  readonly includeDeleted: boolean;
  readonly size: number;
}

/** The next customers by id, each with what it has at the same moment. One statement, so no lasting snapshot. */
export async function listExported(
  db: Knex,
  tenantId: string,
  { after, includeDeleted, size }: ExportBatch,
): Promise<ExportedCustomerRow[]> {
  const query = db("customers")
    .where("customers.tenant_id", tenantId)
    .whereRaw("not customers.purged")
    .orderBy("customers.id")
    .limit(size)
    .select("customers.*", db.raw(addressesOf), shownTaxIdentifiers(db));
  if (after !== undefined) query.where("customers.id", ">", after);
  if (!includeDeleted) query.whereNull("customers.delete_time");
  const rows: ExportedCustomerRow[] = await query;
  return rows.map((row) => {
    const tax_identifiers = taxIdentifierRows(row.tax_identifiers ?? null);
    return { ...row, addresses: row.addresses.map(addressRow), tax_identifiers };
  });
}

const addressesOf = `
  (select coalesce(jsonb_agg(to_jsonb(address) order by address.create_time, address.id), '[]')
   from addresses address
   where address.tenant_id = customers.tenant_id and address.customer_id = customers.id) as addresses`;

// Times come as text out of JSON.
function addressRow(row: AddressRow): AddressRow {
  return { ...row, create_time: new Date(row.create_time), update_time: new Date(row.update_time) };
}
