import type { Knex } from "knex";
import { type Keys, shareRead } from "../../db/shared-reads.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";

/** The columns of an address that a client decides. */
export interface AddressColumns {
  label: string | null;
  name: string | null;
  first_name: string | null;
  last_name: string | null;
  organization: string | null;
  phone: string | null;
  email: string | null;
  line1: string | null;
  line2: string | null;
  city: string | null;
  county: string | null;
  state: string | null;
  postal_code: string | null;
  country: string | null;
  instructions: string | null;
  neighborhood: string | null;
  division: string | null;
  phonetic_name: string | null;
}

export interface AddressRow extends AddressColumns {
  tenant_id: string;
  id: string;
  customer_id: string;
  version: number;
  create_time: Date;
  update_time: Date;
}

/** An address beside its customer's default. */
export interface AddressOfCustomerRow extends AddressRow {
  default_address_id: string | null;
}

export async function insertAddress(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  address: AddressColumns & { readonly id: string },
  event: EventDraft,
): Promise<AddressRow> {
  const times = { create_time: event.time, update_time: event.time };
  const change = trx("addresses")
    .insert({ tenant_id: tenantId, customer_id: customerId, ...address, ...times })
    .returning("*");
  const [row] = await changeWithEvent<AddressRow>(trx, tenantId, change, event);
  return row!;
}

const readAddress = shareRead(
  defineStatement<AddressOfCustomerRow, Keys>((db, { tenantId, keys }) =>
    db("addresses")
      .join("customers", { "customers.tenant_id": "addresses.tenant_id", "customers.id": "addresses.customer_id" })
      .where("addresses.tenant_id", tenantId)
      .whereRaw("(customer_id, addresses.id) in (select key ->> 0, key ->> 1 from unnest(?::jsonb[]) key)", [keys])
      .select("addresses.*", "default_address_id"),
  ),
  (row) => keyOf(row.customer_id, row.id),
);

export async function findAddress(
  db: Knex,
  tenantId: string,
  customerId: string,
  id: string,
): Promise<AddressOfCustomerRow | undefined> {
  return await readAddress(db, tenantId, keyOf(customerId, id));
}

// An id of an address is found below its customer's.
function keyOf(customerId: string, id: string): string {
  return JSON.stringify([customerId, id]);
}

export async function lockAddress(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  id: string,
): Promise<AddressRow | undefined> {
  return await trx("addresses").where({ tenant_id: tenantId, customer_id: customerId, id }).forUpdate().first();
}

/** A page of a customer's addresses; undefined if there is no such customer. One statement. */
export async function listAddresses(
  db: Knex,
  tenantId: string,
  customerId: string,
  page: Page,
): Promise<AddressOfCustomerRow[] | undefined> {
  const ofCustomer = db("addresses").where({ tenant_id: tenantId, customer_id: customerId });
  const query = db("customers")
    .leftJoin(selectPage(ofCustomer, "addresses", page).as("page"), "page.customer_id", "customers.id")
    .where({ "customers.tenant_id": tenantId, "customers.id": customerId, purged: false })
    .select("page.*", "default_address_id");
  const rows: AddressOfCustomerRow[] = await orderPage(query, "page", page);
  return rows.length === 0 ? undefined : rows.filter((row) => row.id !== null);
}

/** How many addresses a locked customer has. */
export async function countAddresses(trx: Knex.Transaction, tenantId: string, customerId: string): Promise<number> {
  const row = await trx("addresses")
    .where({ tenant_id: tenantId, customer_id: customerId })
    .count("* as count")
    .first();
  return Number(row?.count ?? 0);
}

export async function updateAddress(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  id: string,
  columns: AddressColumns,
  event: EventDraft,
): Promise<AddressRow> {
  const change = trx("addresses")
    .where({ tenant_id: tenantId, customer_id: customerId, id })
    .update({ ...columns, version: trx.raw("version + 1"), update_time: event.time })
    .returning("*");
  const [row] = await changeWithEvent<AddressRow>(trx, tenantId, change, event);
  return row!;
}

export async function deleteAddress(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  id: string,
  event: EventDraft,
) {
  const change = trx("addresses").where({ tenant_id: tenantId, customer_id: customerId, id }).delete().returning("*");
  await changeWithEvent(trx, tenantId, change, event);
}
