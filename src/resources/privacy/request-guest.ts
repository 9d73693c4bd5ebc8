import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import type { TransactionCall } from "../../rpc/callers/caller.js";
import type { NewId } from "../../rpc/ids.js";
import { eraseGuest } from "./erase-guest.js";
import * as guests from "./guest-store.js";
import { dueTimeOf } from "./request.js";
import * as store from "./store.js";

/**
 * Asks for the guests with an e-mail address to be erased; carries it out where nothing delays it. Answers the request that
 * is scheduled already, if there is one.
 */
export async function requestGuestErasure(
  call: TransactionCall,
  newId: NewId,
  email: string,
  settings: AccountSettings,
  notBefore?: Date,
): Promise<store.ErasureRow> {
  const { db, tenantId, now, event } = call;
  const standing = await guests.lockGuestErasure(db, tenantId, email);
  if (standing !== undefined) return standing;
  const due_time = dueTimeOf(now, settings, notBefore);
  const erasure = { id: newId("era"), customer_id: null, create_time: now, due_time };
  if (due_time > now) {
    const columns = { ...erasure, guest_email: email, state: "scheduled", end_time: null, receipt: null } as const;
    const scheduled = await guests.scheduleGuestErasure(db, tenantId, columns, event("erasure.requested"));
    // Another call scheduled it in this instant. It is read anew, because it may have ended again.
    return scheduled ?? (await requestGuestErasure(call, newId, email, settings, notBefore));
  }
  const receipt = await eraseGuest(call, email);
  const completed = { ...erasure, guest_email: null, state: "completed", end_time: now, receipt } as const;
  return await store.insertErasure(db, tenantId, completed, event("erasure.completed"));
}
