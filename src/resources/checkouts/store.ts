import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import { type Keys, shareRead } from "../../db/shared-reads.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";
import { isWithin, type Reach } from "./reach.js";

/** The columns that a checkout and its order share: copies of the resolved values, as proto JSON. */
export interface SnapshotRow {
  customer_id: string | null;
  url: string;
  display_name: string;
  contact: JsonObject;
  shipping: JsonObject | null;
  billing: JsonObject | null;
  payment_method: JsonObject | null;
  locale: string | null;
  customer_type: string | null;
  tax_exempt: boolean;
  tax_identifiers: JsonObject[];
  tax_certificates: JsonObject[];
}

export interface CheckoutRow extends SnapshotRow {
  tenant_id: string;
  id: string;
  state: string;
  resolutions: JsonObject[];
  version: number;
  create_time: Date;
  update_time: Date;
  expire_time: Date;
  /** Of a guest's checkout alone. */
  secret_hash: Buffer | null;
}

/** The columns that are resolved when a checkout is made or updated. */
export type ResolvedColumns = Omit<SnapshotRow, "customer_id" | "url"> & Pick<CheckoutRow, "resolutions">;

export type CheckoutColumns = SnapshotRow &
  Pick<CheckoutRow, "id" | "state" | "resolutions" | "expire_time" | "secret_hash">;

export async function insertCheckout(
  trx: Knex.Transaction,
  tenantId: string,
  columns: CheckoutColumns,
  event: EventDraft,
) {
  const times = { create_time: event.time, update_time: event.time };
  const change = trx("checkouts")
    .insert({ tenant_id: tenantId, ...columns, ...listsAsJson(columns), ...times })
    .returning("*");
  const [row] = await changeWithEvent<CheckoutRow>(trx, tenantId, change, event);
  return row!;
}

const readCheckout = shareRead(
  defineStatement<CheckoutRow, Keys>((db, { tenantId, keys }) =>
    db("checkouts").where({ tenant_id: tenantId }).whereRaw("id = any(?)", [keys]),
  ),
  ({ id }) => id,
);

export async function findCheckout(
  db: Knex,
  tenantId: string,
  id: string,
  reach: Reach,
): Promise<CheckoutRow | undefined> {
  const row = await readCheckout(db, tenantId, id);
  return row !== undefined && isWithin(reach, row) ? row : undefined;
}

/** Locks a checkout within reach. It waits for no lock on another one, so that waiting tells nothing. */
export async function lockCheckout(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  { owner, secret }: Reach,
): Promise<CheckoutRow | undefined> {
  const query = trx("checkouts").where({ tenant_id: tenantId, id, ...owner });
  if (secret !== undefined) {
    query.where({ customer_id: null, secret_hash: secret.hash }).where("expire_time", ">", secret.now);
  }
  return await query.forUpdate().first();
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

/** Changes a locked checkout. */
export async function updateCheckout(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  columns: Partial<CheckoutColumns>,
  event: EventDraft,
): Promise<CheckoutRow> {
  const change = trx("checkouts")
    .where({ tenant_id: tenantId, id })
    .update({ ...columns, ...listsAsJson(columns), version: trx.raw("version + 1"), update_time: event.time })
    .returning("*");
  const [row] = await changeWithEvent<CheckoutRow>(trx, tenantId, change, event);
  return row!;
}

/** The tenants that have PENDING checkouts whose expire_time has come. Looks across tenants: for the job alone. */
export async function listTenantsWithDueCheckouts(db: Knex, now: Date): Promise<string[]> {
  const due = db("checkouts").where({ state: "pending" }).where("expire_time", "<=", now);
  return await due.distinct("tenant_id").orderBy("tenant_id").pluck("tenant_id");
}

/**
 * Lets up to `limit` PENDING checkouts fail whose expire_time has come by the time of the event; answers how many. One
 * that somebody has locked is left for the next time, so that this waits for nobody.
 */
export async function expireCheckouts(
  trx: Knex.Transaction,
  tenantId: string,
  limit: number,
  event: EventDraft,
): Promise<number> {
  const due = trx("checkouts")
    .where({ tenant_id: tenantId, state: "pending" })
    .where("expire_time", "<=", event.time)
    .orderBy(["expire_time", "id"])
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .select("id");
  const change = trx("checkouts")
    .with("due", due)
    .where({ tenant_id: tenantId })
    .whereIn("id", trx("due").select("id"))
    .update({ state: "failed", version: trx.raw("version + 1"), update_time: event.time })
    .returning("*");
  return (await changeWithEvent<CheckoutRow>(trx, tenantId, change, event)).length;
}

/** The lists among the columns, as JSON text: the driver would send them as Postgres arrays. */
export function listsAsJson(columns: Partial<CheckoutColumns>): Record<string, string> {
  const lists = Object.entries(columns).filter(([, value]) => Array.isArray(value));
  return Object.fromEntries(lists.map(([name, list]) => [name, JSON.stringify(list)]));
}
