import type { Knex } from "knex";
import type { TaxIdentifierRow } from "./store.js";

/**
 * The tax identifiers of a customer, oldest first, as a column `tax_identifiers` of JSON beside those of `customers`: a
 * part of the statement that reads or changes it. Null if there is none.
 */
export function shownTaxIdentifiers(db: Knex): Knex.Raw {
  return db.raw(
    `(select jsonb_agg(to_jsonb(own) order by own.create_time, own.id) from tax_identifiers own
      where own.tenant_id = customers.tenant_id and own.customer_id = customers.id) as tax_identifiers`,
  );
}

/** Tax identifiers out of JSON, where times are text. */
export function taxIdentifierRows(json: readonly TaxIdentifierRow[] | null): TaxIdentifierRow[] {
  return (json ?? []).map((row) => {
    return { ...row, create_time: new Date(row.create_time), update_time: new Date(row.update_time) };
  });
}
