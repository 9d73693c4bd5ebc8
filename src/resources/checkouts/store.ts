import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { Owner } from "../../rpc/caller.js";
import type { EventDraft } from "../../rpc/event-draft.js";
import { type Page, selectPage } from "../../rpc/paging.js";
import { changeWithEvent } from "../events/store.js";

/** What a checkout and its order hold alike: copies of what was resolved, as proto JSON. */
export interface SnapshotRow {
  customer_id: string | null;
  url: string;
  display_name: string;
  contact: JsonObject;
  shipping: JsonObject | null;
  payment_method: JsonObject | null;
  locale: string | null;
  type: string | null;
}

export interface CheckoutRow extends SnapshotRow {
  tenant_id: string;
  id: string;
  state: string;
  resolutions: JsonObject[];
  version: number;
  create_time: Date;
  update_time: Date;
}

export type CheckoutColumns = SnapshotRow & Pick<CheckoutRow, "id" | "state" | "resolutions">;

export async function insertCheckout(trx: Knex, tenantId: string, columns: CheckoutColumns, event: EventDraft) {
  // The driver would take the list for an array of Postgres.
  const resolutions = JSON.stringify(columns.resolutions);
  const times = { create_time: event.time, update_time: event.time };
  const change = trx("checkouts")
    .insert({ tenant_id: tenantId, ...columns, resolutions, ...times })
    .returning("*");
  const [row] = await changeWithEvent<CheckoutRow>(trx, tenantId, change, event);
  return row!;
}

export async function findCheckout(
  db: Knex,
  tenantId: string,
  id: string,
  owner: Owner,
): Promise<CheckoutRow | undefined> {
  return await db("checkouts")
    .where({ tenant_id: tenantId, id, ...owner })
    .first();
}

export async function lockCheckout(
  trx: Knex,
  tenantId: string,
  id: string,
  owner: Owner,
): Promise<CheckoutRow | undefined> {
  return await trx("checkouts")
    .where({ tenant_id: tenantId, id, ...owner })
    .forUpdate()
    .first();
}

/** A page of checkouts, of one customer unless `customerId` is empty. */
export async function listCheckouts(
  db: Knex,
  tenantId: string,
  { customerId }: { readonly customerId: string },
  page: Page,
): Promise<CheckoutRow[]> {
  const query = db("checkouts").where({ tenant_id: tenantId, ...(customerId !== "" && { customer_id: customerId }) });
  return await selectPage(query, "checkouts", page);
}

export async function updateCheckoutState(trx: Knex, tenantId: string, id: string, state: string, event: EventDraft) {
  const change = trx("checkouts")
    .where({ tenant_id: tenantId, id })
    .update({ state, version: trx.raw("version + 1"), update_time: event.time })
    .returning("*");
  await changeWithEvent(trx, tenantId, change, event);
}
