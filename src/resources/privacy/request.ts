import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import type { TransactionCall } from "../../rpc/callers/caller.js";
import { refused } from "../../rpc/errors.js";
import type { NewId } from "../../rpc/ids.js";
import type { CustomerRow } from "../customers/fields.js";
import { eraseCustomer } from "./erase.js";
import * as store from "./store.js";

/**
 * Asks for a locked customer to be erased, inside of its transaction, under the held settings; carries it out where
 * nothing delays it. Answers the request that stands already, if there is one.
 */
export async function requestErasure(
  call: TransactionCall,
  newId: NewId,
  customerId: string,
  settings: AccountSettings,
  notBefore?: Date,
): Promise<store.ErasureRow> {
  const { db, tenantId, now, event } = call;
  const standing = await store.lockStandingErasure(db, tenantId, customerId);
  if (standing !== undefined) return standing;
  const due_time = dueTimeOf(now, settings, notBefore);
  const erasure = { id: newId("era"), customer_id: customerId, guest_email: null, create_time: now, due_time };
  if (due_time > now) {
    const scheduled = { ...erasure, state: "scheduled", end_time: null, receipt: null } as const;
    return await store.insertErasure(db, tenantId, scheduled, event("erasure.requested"));
  }
  const receipt = await eraseCustomer(call, customerId, settings);
  const completed = { ...erasure, state: "completed", end_time: now, receipt } as const;
  return await store.insertErasure(db, tenantId, completed, event("erasure.completed"));
}

/** The due time of an erasure that is requested now: after the delay of the settings, and not before a given time. */
export function dueTimeOf(now: Date, settings: AccountSettings, notBefore?: Date): Date {
  const delayed = now.getTime() + Number(settings.erasureDelay?.seconds ?? 0n) * 1000;
  return new Date(Math.max(delayed, notBefore?.getTime() ?? delayed));
}

/**
 * Cancels the erasure that a locked customer waits for, or a locked erasure of a guest. Throws FAILED_PRECONDITION unless it
 * is still to come.
 */
export async function cancelErasure(
  { db, tenantId, now, event }: TransactionCall,
  row: store.ErasureRow | undefined,
): Promise<store.ErasureRow> {
  if (row?.state !== "scheduled" || row.due_time <= now) {
    throw refused("ERASURE_NOT_CANCELLABLE", "Only an erasure that is still to come can be cancelled.");
  }
  const cancelled = event("erasure.cancelled", ["state", "cancel_time"]);
  return await store.endErasure(db, tenantId, row.id, { state: "cancelled", receipt: null }, cancelled);
}

/**
 * Requests the erasure of a locked customer, or cancels it. Answers the rest of a customer that is erased at once, else
 * undefined.
 */
export async function requestOrCancelErasure(
  call: TransactionCall,
  newId: NewId,
  customerId: string,
  isWanted: boolean,
  settings: AccountSettings,
): Promise<CustomerRow | undefined> {
  const { db, tenantId } = call;
  if (!isWanted) {
    await cancelErasure(call, await store.lockStandingErasure(db, tenantId, customerId));
    return undefined;
  }
  const { state } = await requestErasure(call, newId, customerId, settings);
  return state === "completed" ? await store.lockSubject(db, tenantId, customerId) : undefined;
}
