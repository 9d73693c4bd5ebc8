import type { Knex } from "knex";
import { type Keys, shareRead } from "../../db/shared-reads.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type Page, selectPage } from "../../rpc/lists/paging.js";
import { listsAsJson, type SnapshotRow } from "../checkouts/store.js";
import { isOf, type Owner } from "../customers/owner.js";
import { changeWithEvent } from "../events/store.js";

export interface OrderRow extends SnapshotRow {
  tenant_id: string;
  id: string;
  checkout_id: string;
  version: number;
  create_time: Date;
}

export type OrderColumns = SnapshotRow & Pick<OrderRow, "id" | "checkout_id">;

export async function insertOrder(trx: Knex.Transaction, tenantId: string, columns: OrderColumns, event: EventDraft) {
  const change = trx("orders")
    .insert({ tenant_id: tenantId, ...columns, ...listsAsJson(columns), create_time: event.time })
    .returning("*");
  const [row] = await changeWithEvent<OrderRow>(trx, tenantId, change, event);
  return row!;
}

const readOrder = shareRead(
  defineStatement<OrderRow, Keys>((db, { tenantId, keys }) =>
    db("orders").where({ tenant_id: tenantId }).whereRaw("id = any(?)", [keys]),
  ),
  ({ id }) => id,
);

export async function findOrder(db: Knex, tenantId: string, id: string, owner: Owner): Promise<OrderRow | undefined> {
  const row = await readOrder(db, tenantId, id);
  return row !== undefined && isOf(owner, row) ? row : undefined;
}

/** A page of orders, of one customer unless `customerId` is empty. */
export async function listOrders(
  db: Knex,
  tenantId: string,
  { customerId }: { readonly customerId: string },
  page: Page,
): Promise<OrderRow[]> {
  const query = db("orders").where({ tenant_id: tenantId, ...(customerId !== "" && { customer_id: customerId }) });
  return await selectPage(query, "orders", page);
}
