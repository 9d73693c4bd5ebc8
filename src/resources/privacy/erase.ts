import type { JsonObject } from "@bufbuild/protobuf";
import { type AccountSettings, PaymentMethodDetachment } from "../../../gen/clientele/v1/accounts_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import type { Call, ChangeCall } from "../../rpc/callers/caller.js";
import { revokeCustomerTokensOf } from "../customer-tokens/store.js";
import { holdNumbers } from "../events/log-store.js";
import { detachPaymentMethodsOf } from "../payment-methods/store.js";
import { receiptToColumn } from "./convert.js";
import { personal } from "./manifest.js";
import * as store from "./store.js";

/**
 * Leaves nothing of the person behind a locked customer, inside of its transaction, and answers the receipt. Everything
 * that writes for a customer locks it first, so what is on its way is erased too, or finds no customer any more.
 */
export async function eraseCustomer(
  { db, tenantId, event, now }: ChangeCall,
  customerId: string,
  settings: AccountSettings,
): Promise<JsonObject> {
  const counts = new Map<string, number>();
  const count = (table: string, rows: number) => counts.set(table, (counts.get(table) ?? 0) + rows);
  await store.releaseBelongings(db, tenantId, customerId);
  await revokeCustomerTokensOf(db, tenantId, customerId, event("customer_token.revoked", ["revoke_time"]));
  const { paymentMethodDetachment } = settings;
  if (paymentMethodDetachment === PaymentMethodDetachment.REMOVE) {
    // Before the events are erased: these name tokens too.
    const detached = event("payment_method.detached");
    const detach = () => detachPaymentMethodsOf(db, tenantId, customerId, paymentMethodDetachment, detached);
    count("payment_methods", await detach());
  }
  // Whoever numbers events or copies them into deliveries is done with it, or comes after.
  await holdNumbers(db, tenantId);
  await store.holdDeliveries(db, tenantId);
  for (const rows of personal) {
    const change = rows.event === undefined ? undefined : event(rows.event);
    count(rows.table, await store.eraseRows(db, tenantId, customerId, rows, change, now));
  }
  return receiptToColumn(counts);
}

const batchSize = 100;

/**
 * Carries out the erasures that are due, each in a transaction of its own; answers how many. It may run on several
 * replicas at a time. One that fails does not stop the others; it is logged, and next time is near.
 */
export async function eraseDueCustomers(deps: Pick<Deps, "db" | "clock" | "settings" | "logger">): Promise<number> {
  let [erased, failed] = [0, 0];
  for (;;) {
    const now = deps.clock();
    const due = await store.listDueErasures(deps.db, now, batchSize, failed);
    for (const erasure of due) {
      try {
        if (await eraseIfDue(deps, erasure, now)) erased += 1;
      } catch (error) {
        failed += 1;
        deps.logger.error({ error, tenantId: erasure.tenant_id }, "a customer could not be erased");
      }
    }
    if (due.length < batchSize) return erased;
  }
}

async function eraseIfDue(
  { db, settings }: Pick<Deps, "db" | "settings">,
  { tenant_id: tenantId, id, customer_id: customerId }: Pick<store.ErasureRow, "tenant_id" | "id" | "customer_id">,
  now: Date,
): Promise<boolean> {
  return await inTransaction(db, async (trx) => {
    const { settings: present } = await settings.read(trx, tenantId);
    await store.lockSubject(trx, tenantId, customerId);
    const row = await store.lockStandingErasure(trx, tenantId, customerId);
    // Another replica was faster, or it was cancelled; then perhaps asked for again.
    if (row?.id !== id || row.state !== "scheduled" || row.due_time > now) return false;
    const event: Call["event"] = (type, changedPaths = []) => ({ type, changedPaths, actor: "system", time: now });
    const receipt = await eraseCustomer({ db: trx, tenantId, event, now }, customerId, present);
    const done = event("erasure.completed", ["state", "complete_time", "receipt"]);
    await store.endErasure(trx, tenantId, id, { state: "completed", receipt }, done);
    return true;
  });
}
