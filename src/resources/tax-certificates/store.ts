import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";

export interface TaxCertificateColumns {
  readonly id: string;
  readonly company_name: string;
  readonly tax_authority: string;
  /** Days as `YYYY-MM-DD`. */
  readonly start_date: string;
  readonly end_date: string;
  readonly content_type: string;
}

export interface TaxCertificateRow extends TaxCertificateColumns {
  readonly customer_id: string;
  /** In bytes. */
  readonly file_size: number;
  readonly version: number;
  readonly create_time: Date;
  readonly update_time: Date;
}

/** All but the content: it stays where it is. */
export const columnNames: readonly (keyof TaxCertificateRow)[] = [
  "id",
  "customer_id",
  "company_name",
  "tax_authority",
  "start_date",
  "end_date",
  "content_type",
  "file_size",
  "version",
  "create_time",
  "update_time",
];

/** Adds a certificate to a locked customer. */
export async function insertTaxCertificate(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  columns: TaxCertificateColumns & { readonly content: Uint8Array },
  event: EventDraft,
): Promise<TaxCertificateRow> {
  const times = { create_time: event.time, update_time: event.time };
  const change = trx("tax_certificates")
    .insert({ tenant_id: tenantId, customer_id: customerId, ...columns, ...times })
    .returning([...columnNames]);
  const [row] = await changeWithEvent<TaxCertificateRow>(trx, tenantId, change, event);
  return row!;
}

/** How many certificates a locked customer has. */
export async function countTaxCertificates(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
): Promise<number> {
  const ofCustomer = trx("tax_certificates").where({ tenant_id: tenantId, customer_id: customerId });
  const row = await ofCustomer.count("* as count").first();
  return Number(row?.count ?? 0);
}

export async function findTaxCertificate(
  db: Knex,
  tenantId: string,
  customerId: string,
  id: string,
): Promise<TaxCertificateRow | undefined> {
  return await db("tax_certificates")
    .where({ tenant_id: tenantId, customer_id: customerId, id })
    .first(...columnNames);
}

/** A part of a file, byte by byte as it was uploaded. */
export interface FilePartRow extends Pick<TaxCertificateRow, "content_type" | "file_size"> {
  readonly content: Buffer;
}

/** At most `limit` bytes of a file. The content is stored uncompressed, so Postgres reads these bytes alone. */
export async function findFilePart(
  db: Knex,
  tenantId: string,
  customerId: string,
  id: string,
  { offset, limit }: { readonly offset: number; readonly limit: number },
): Promise<FilePartRow | undefined> {
  return await db("tax_certificates")
    .where({ tenant_id: tenantId, customer_id: customerId, id })
    .first("content_type", "file_size", db.raw("substring(content from ? for ?) as content", [offset + 1, limit]));
}

/** A page of a customer's certificates; undefined if there is no such customer. One statement. */
export async function listTaxCertificates(
  db: Knex,
  tenantId: string,
  customerId: string,
  page: Page,
): Promise<TaxCertificateRow[] | undefined> {
  const ofCustomer = db("tax_certificates")
    .where({ tenant_id: tenantId, customer_id: customerId })
    .select(...columnNames);
  const query = db("customers")
    .leftJoin(selectPage(ofCustomer, "tax_certificates", page).as("page"), "page.customer_id", "customers.id")
    .where({ "customers.tenant_id": tenantId, "customers.id": customerId, purged: false })
    .select("page.*");
  const rows: TaxCertificateRow[] = await orderPage(query, "page", page);
  return rows.length === 0 ? undefined : rows.filter((row) => row.id !== null);
}

/** All certificates of a customer, oldest first. */
export async function listTaxCertificatesOf(
  db: Knex,
  tenantId: string,
  customerId: string,
): Promise<TaxCertificateRow[]> {
  return await db("tax_certificates")
    .where({ tenant_id: tenantId, customer_id: customerId })
    .orderBy(["create_time", "id"])
    .select(...columnNames);
}

/** Removes one certificate of a locked customer. */
export async function deleteTaxCertificate(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  id: string,
  event: EventDraft,
): Promise<void> {
  const change = trx("tax_certificates").where({ tenant_id: tenantId, customer_id: customerId, id }).delete();
  await changeWithEvent(trx, tenantId, change.returning(["id", "customer_id"]), event);
}
