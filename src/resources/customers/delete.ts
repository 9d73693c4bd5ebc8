import { type AccountSettings, DeletionMode } from "../../../gen/clientele/v1/accounts_pb.js";
import type { TransactionCall } from "../../rpc/callers/caller.js";
import { refused } from "../../rpc/errors.js";
import { passwordPath } from "../passwords/rules.js";
import { removeLogin } from "../passwords/write.js";
import { purgeCustomer } from "../privacy/purge.js";
import { explainConflict } from "./conflicts.js";
import { emailKeyAfterDelete, emailKeyFor, requireFreeEmail, reserveEmail } from "./email.js";
import type { CustomerRow } from "./fields.js";
import * as store from "./store.js";

/** Deletes a locked customer as the settings say. Answers the row after it; undefined if it is purged at once. */
export async function deleteLocked(
  call: TransactionCall,
  row: CustomerRow,
  settings: AccountSettings,
): Promise<CustomerRow | undefined> {
  if (settings.deletion?.mode === DeletionMode.PERMANENT) {
    await purgeCustomer(call, row, settings);
    return undefined;
  }
  if (row.delete_time !== null) throw refused("CUSTOMER_DELETED", "The customer is deleted.");
  const { db, tenantId, event } = call;
  await reserveEmail(db, tenantId, row.id, settings);
  const paths = ["state", "delete_time", "purge_time", ...(row.password_id === null ? [] : [passwordPath])];
  const changed = event("customer.deleted", paths);
  await removeLogin(call, row.id);
  const emailKey = emailKeyAfterDelete(settings);
  const deletion = { purgeTime: purgeTimeAfter(call.now, settings), emailKey };
  const deleted = await store.softDelete(db, tenantId, row.id, deletion, changed);
  if (emailKey === "release") await store.replaceExternalReferences(db, tenantId, row.id, []);
  return deleted;
}

/** Brings back a locked customer. Throws ALREADY_EXISTS if its address or a reference was taken in the meantime. */
export async function undeleteLocked(
  { db, tenantId, event }: TransactionCall,
  row: CustomerRow,
  settings: AccountSettings,
): Promise<CustomerRow> {
  if (row.delete_time === null) throw refused("CUSTOMER_NOT_DELETED", "The customer is not deleted.");
  const changed = event("customer.undeleted", ["state", "delete_time", "purge_time"]);
  await requireFreeEmail(db, tenantId, row.id, row.email, settings);
  const active = await store.undelete(db, tenantId, row, emailKeyFor(settings), changed).catch(explainConflict);
  await store.replaceExternalReferences(db, tenantId, row.id, row.external_references).catch(explainConflict);
  return active;
}

function purgeTimeAfter(now: Date, { deletion }: AccountSettings): Date | null {
  const purgeAfter = deletion?.purgeAfter;
  return purgeAfter === undefined ? null : new Date(now.getTime() + Number(purgeAfter.seconds) * 1000);
}
