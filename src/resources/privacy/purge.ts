import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { workOnDue } from "../../db/due.js";
import type { Deps } from "../../deps.js";
import type { ChangeCall } from "../../rpc/callers/caller.js";
import { systemEvent } from "../../rpc/calls/event-draft.js";
import { transact } from "../../rpc/calls/transaction.js";
import { emailKeyAfterDelete, reserveEmail } from "../customers/email.js";
import type { CustomerRow } from "../customers/fields.js";
import { listDueCustomers } from "../customers/lookup-store.js";
import * as customers from "../customers/store.js";
import { removeLogin } from "../passwords/write.js";
import { detachPaymentMethodsOf } from "../payment-methods/store.js";
import { allBelongings } from "./belongings.js";
import { deleteBelongings } from "./store.js";

/**
 * Leaves nothing of a locked customer but its id. Its belongings are deleted, detached or kept: see `belongings.ts`.
 */
export async function purgeCustomer(call: ChangeCall, row: CustomerRow, settings: AccountSettings): Promise<void> {
  const { db, tenantId, event } = call;
  const { id } = row;
  const purged = event(row.delete_time === null ? "customer.deleted" : "customer.purged");
  await reserveEmail(db, tenantId, id, settings);
  await customers.purge(db, tenantId, id, emailKeyAfterDelete(settings), purged);
  await customers.replaceExternalReferences(db, tenantId, id, []);
  await removeLogin(call, id);
  for (const { table, purge, deletion } of allBelongings) {
    const deleted = deletion === undefined ? undefined : event(deletion);
    if (purge === "delete") await deleteBelongings(db, tenantId, id, table, deleted);
  }
  const detached = event("payment_method.detached");
  await detachPaymentMethodsOf(db, tenantId, id, settings.paymentMethodDetachment, detached);
}

/** Purges the soft-deleted customers whose purge_time has come. Answers how many. */
export async function purgeDueCustomers({
  db,
  clock,
  settings,
  logger,
}: Pick<Deps, "db" | "clock" | "settings" | "logger">): Promise<number> {
  return await workOnDue(clock, {
    list: (now, limit, skipped) => listDueCustomers(db, now, limit, skipped),
    work: (row, now) => purgeIfDue({ db, settings }, row, now),
    failed: (error, { tenant_id: tenantId }) => logger.error({ error, tenantId }, "a customer could not be purged"),
  });
}

async function purgeIfDue(
  { db, settings }: Pick<Deps, "db" | "settings">,
  { tenant_id: tenantId, id }: Pick<CustomerRow, "tenant_id" | "id">,
  now: Date,
): Promise<boolean> {
  return await transact({ db, tenantId, now, event: systemEvent(now) }, async (inside) => {
    const rules = await settings.read(inside.db, tenantId);
    const row = await customers.lockCustomer(inside.db, tenantId, id);
    // Another replica was faster, or the customer was brought back.
    if (row === undefined || row.purge_time === null || row.purge_time > now) return false;
    await purgeCustomer(inside, row, rules.settings);
    return true;
  });
}
