import type { Knex } from "knex";
import type { AddressRow } from "../../addresses/store.js";
import type { CheckoutRow } from "../../checkouts/store.js";
import type { CustomerTokenRow } from "../../customer-tokens/store.js";
import type { IdentityRow } from "../../identities/store.js";
import type { OrderRow } from "../../orders/store.js";
import type { PaymentMethodRow } from "../../payment-methods/store.js";
import { columnNames as certificateColumns, type TaxCertificateRow } from "../../tax-certificates/store.js";
import type { TaxIdentifierRow } from "../../tax-identifiers/store.js";
import { belongings, type ExportedTable } from "../belongings.js";
import type { ErasureRow } from "../store.js";

/** The rows of each table that is exported page by page. */
export interface ExportedRows extends Record<ExportedTable, unknown> {
  addresses: AddressRow;
  payment_methods: PaymentMethodRow;
  checkouts: CheckoutRow;
  orders: OrderRow;
  erasures: ErasureRow;
  customer_tokens: CustomerTokenRow;
  customer_identities: IdentityRow;
  tax_identifiers: TaxIdentifierRow;
  tax_certificates: TaxCertificateRow;
}

// The file of a certificate is exported apart.
const columnsOf: Partial<Record<ExportedTable, readonly string[]>> = { tax_certificates: certificateColumns };

const pageSize = 200;

/** Whether there is, or was, a customer of an id. */
export async function isCustomer(db: Knex, tenantId: string, id: string): Promise<boolean> {
  return (await db("customers").where({ tenant_id: tenantId, id }).first("id")) !== undefined;
}

/** All rows of a customer in one table, by the page: each page is one statement, and nothing is held between two. */
export async function* listOwned<Table extends ExportedTable>(
  db: Knex,
  tenantId: string,
  customerId: string,
  table: Table,
): AsyncGenerator<ExportedRows[Table]> {
  const { exportedBy: time, owners } = belongings[table];
  const columns = columnsOf[table] ?? ["*"];
  let last: { readonly place: string; readonly id: string } | undefined;
  for (;;) {
    const query = db(table)
      .where({ tenant_id: tenantId })
      .where((owned) => {
        for (const owner of owners) owned.orWhere({ [owner]: customerId });
      })
      .orderBy([time, "id"])
      .limit(pageSize)
      // As text: a Date has milliseconds, the column more.
      .select(...columns, db.raw("??::text as place", [time]));
    if (last !== undefined) query.whereRaw("(??, id) > (?, ?)", [time, last.place, last.id]);
    const rows: (ExportedRows[Table] & { readonly place: string; readonly id: string })[] = await query;
    yield* rows;
    last = rows.at(-1);
    if (rows.length < pageSize) return;
  }
}

/** The photo of a customer; undefined if it has none. */
export async function findPhotoOf(
  db: Knex,
  tenantId: string,
  customerId: string,
): Promise<{ readonly content_type: string; readonly content: Buffer } | undefined> {
  return await db("photos").where({ tenant_id: tenantId, customer_id: customerId }).first("content_type", "content");
}
