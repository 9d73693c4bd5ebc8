import type { JsonObject } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { type Page, selectPage } from "../../rpc/lists/paging.js";
import type { CustomerRow } from "../customers/fields.js";
import type { Owner } from "../customers/owner.js";
import { changeWithEvent } from "../events/store.js";
import type { BelongingTable } from "./belongings.js";
import type { PersonalRows } from "./manifest.js";

export interface ErasureRow {
  tenant_id: string;
  id: string;
  /** Null for a guest. */
  customer_id: string | null;
  /** The address of a guest, while the erasure is scheduled. */
  guest_email: string | null;
  state: "scheduled" | "completed" | "cancelled";
  create_time: Date;
  due_time: Date;
  /** When it was completed or cancelled. */
  end_time: Date | null;
  receipt: JsonObject | null;
  version: number;
}

export type NewErasure = Omit<ErasureRow, "tenant_id" | "version">;
/** The columns that the job reads of an erasure that is due. */
export type DueErasure = Pick<ErasureRow, "tenant_id" | "id" | "customer_id">;

/** A customer that nobody else changes until the end of the transaction, even if it is only a tombstone. */
export async function lockSubject(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<CustomerRow | undefined> {
  return await trx("customers").where({ tenant_id: tenantId, id }).forUpdate().first("*");
}

/** The erasure of a locked customer that is scheduled or completed. */
export async function lockStandingErasure(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
): Promise<ErasureRow | undefined> {
  const standing = trx("erasures")
    .where({ tenant_id: tenantId, customer_id: customerId })
    .whereNot("state", "cancelled");
  return await standing.forUpdate().first();
}

export async function insertErasure(trx: Knex.Transaction, tenantId: string, columns: NewErasure, event: EventDraft) {
  const change = trx("erasures")
    .insert({ tenant_id: tenantId, ...columns })
    .returning("*");
  const [row] = await changeWithEvent<ErasureRow>(trx, tenantId, change, event);
  return row!;
}

/** Ends a scheduled erasure, whose customer is locked, or which is locked itself for a guest, at the time of the event. */
export async function endErasure(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  columns: Pick<ErasureRow, "state" | "receipt">,
  event: EventDraft,
): Promise<ErasureRow> {
  const change = trx("erasures")
    .where({ tenant_id: tenantId, id })
    .update({ ...columns, guest_email: null, end_time: event.time, version: trx.raw("version + 1") })
    .returning("*");
  const [row] = await changeWithEvent<ErasureRow>(trx, tenantId, change, event);
  return row!;
}

export async function findErasure(
  db: Knex,
  tenantId: string,
  id: string,
  owner: Owner,
): Promise<ErasureRow | undefined> {
  return await db("erasures")
    .where({ tenant_id: tenantId, id, ...owner })
    .first();
}

/** An erasure that nobody else changes until the end of the transaction. */
export async function lockErasure(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<ErasureRow | undefined> {
  return await trx("erasures").where({ tenant_id: tenantId, id }).forUpdate().first();
}

/** A page of erasures, of one customer unless `customerId` is empty. */
export async function listErasures(
  db: Knex,
  tenantId: string,
  { customerId }: { readonly customerId: string },
  page: Page,
): Promise<ErasureRow[]> {
  const query = db("erasures").where({ tenant_id: tenantId, ...(customerId !== "" && { customer_id: customerId }) });
  return await selectPage(query, "erasures", page);
}

/** The erasures that are due, the longest first, without the first `skipped`. Looks across tenants: for the job alone. */
export async function listDueErasures(db: Knex, now: Date, limit: number, skipped: number): Promise<DueErasure[]> {
  const due = db("erasures").where({ state: "scheduled" }).where("due_time", "<=", now).offset(skipped);
  return await due.orderBy(["due_time", "tenant_id", "id"]).limit(limit).select("tenant_id", "id", "customer_id");
}

/** Lets a locked customer name nothing that belongs to it, so that this can go in any order. A part of its erasure. */
export async function releaseBelongings(trx: Knex.Transaction, tenantId: string, customerId: string): Promise<void> {
  const defaults = { default_address_id: null, default_billing_address_id: null, default_payment_method_id: null };
  const named = { ...defaults, photo_token: null, password_id: null };
  await trx("customers").where({ tenant_id: tenantId, id: customerId }).update(named);
}

/** Deletes the rows of a locked customer in one table, with an event for each if there is one. */
export async function deleteBelongings(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  table: BelongingTable,
  event: EventDraft | undefined,
): Promise<void> {
  const change = trx(table).where({ tenant_id: tenantId, customer_id: customerId }).delete();
  if (event === undefined) await change;
  else await changeWithEvent(trx, tenantId, change.returning(["id", "customer_id"]), event);
}

/** Lets nobody make deliveries of events until the end of the transaction. */
export async function lockDeliveries(trx: Knex.Transaction, tenantId: string): Promise<void> {
  await trx("webhook_endpoints").where({ tenant_id: tenantId }).orderBy("id").forUpdate().select("id");
}

/** Does to one table what the manifest says, with an event for each row; answers how many there were. One statement. */
export async function eraseRows(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  rows: PersonalRows,
  event: EventDraft | undefined,
  now: Date,
): Promise<number> {
  const whose = rows.customer.map((column) => `${column} = :customerId`).join(" or ");
  return await runErasure(trx, tenantId, rows, { whose, values: { customerId, now } }, event, customerId);
}

/** The rows of one table to erase: a condition in SQL, and its values. */
interface Choice {
  readonly whose: string;
  readonly values: Readonly<Record<string, string | Date | readonly string[]>>;
}

/** Does to some rows of one table what the manifest says; answers how many there were. `customerId` is absent for a guest. */
export async function runErasure(
  trx: Knex.Transaction,
  tenantId: string,
  rows: PersonalRows,
  { whose, values }: Choice,
  event: EventDraft | undefined,
  customerId?: string,
): Promise<number> {
  const change = trx.raw(statementFor(rows, whose), { tenantId, ...values } as Knex.ValueDict);
  if (event === undefined) return (await change).rowCount;
  return (await changeWithEvent(trx, tenantId, change, event, customerId)).length;
}

function statementFor({ table, only, event, cleared, also }: PersonalRows, whose: string): string {
  const written = Object.entries({ ...cleared, ...also }).map(([column, value]) => `${column} = ${value}`);
  return [
    cleared === undefined ? `delete from ${table}` : `update ${table} set ${written.join(", ")}`,
    `where tenant_id = :tenantId and (${whose})`,
    only === undefined ? "" : `and (${only})`,
    event === undefined ? "" : "returning id, null as customer_id",
  ].join(" ");
}
