import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { changeWithEvent } from "../events/store.js";
import type { GuestRows } from "./guest-manifest.js";
import { type ErasureRow, type NewErasure, runErasure } from "./store.js";

/** Locks the checkouts of the guests with an e-mail address, in any case; answers their ids. */
export async function lockGuestCheckouts(trx: Knex.Transaction, tenantId: string, email: string): Promise<string[]> {
  const ofGuests = trx("checkouts").where({ tenant_id: tenantId, customer_id: null });
  const ofGuest = ofGuests.whereRaw("lower(contact->>'email') = lower(?)", [email]);
  return (await ofGuest.orderBy("id").forUpdate().select("id")).map(({ id }) => id);
}

/** The orders of locked checkouts: no order of them is made meanwhile. */
export async function listOrdersOf(db: Knex, tenantId: string, checkoutIds: readonly string[]): Promise<string[]> {
  return await db("orders")
    .where({ tenant_id: tenantId })
    .whereRaw("checkout_id = any(?)", [checkoutIds as string[]])
    .pluck("id");
}

/** The scheduled erasure of a guest, locked. */
export async function lockGuestErasure(
  trx: Knex.Transaction,
  tenantId: string,
  email: string,
): Promise<ErasureRow | undefined> {
  const ofGuest = trx("erasures").where({ tenant_id: tenantId }).whereRaw("lower(guest_email) = lower(?)", [email]);
  return await ofGuest.forUpdate().first();
}

/** Schedules the erasure of a guest; undefined if one is scheduled already. */
export async function scheduleGuestErasure(
  trx: Knex.Transaction,
  tenantId: string,
  columns: NewErasure,
  event: EventDraft,
): Promise<ErasureRow | undefined> {
  const change = trx("erasures")
    .insert({ tenant_id: tenantId, ...columns })
    .onConflict(trx.raw("(tenant_id, lower(guest_email)) where guest_email is not null"))
    .ignore()
    .returning("*");
  return (await changeWithEvent<ErasureRow>(trx, tenantId, change, event))[0];
}

/** Does to the rows of a guest in one table what the manifest says; answers how many there were. */
export async function eraseGuestRows(
  trx: Knex.Transaction,
  tenantId: string,
  ids: readonly string[],
  { rows, whose }: GuestRows,
  event: EventDraft | undefined,
  now: Date,
): Promise<number> {
  return await runErasure(trx, tenantId, rows, { whose, values: { ids, now } }, event);
}
