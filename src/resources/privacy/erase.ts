import type { JsonObject } from "@bufbuild/protobuf";
import { type AccountSettings, PaymentMethodDetachment } from "../../../gen/clientele/v1/accounts_pb.js";
import { workOnDue } from "../../db/due.js";
import type { Deps } from "../../deps.js";
import type { ChangeCall } from "../../rpc/callers/caller.js";
import { systemEvent } from "../../rpc/calls/event-draft.js";
import { transact } from "../../rpc/calls/transaction.js";
import { revokeCustomerTokensOf } from "../customer-tokens/store.js";
import { lockNumbers } from "../events/log-store.js";
import { detachPaymentMethodsOf } from "../payment-methods/store.js";
import { receiptToColumn } from "./convert.js";
import { eraseGuest } from "./erase-guest.js";
import { personal } from "./manifest.js";
import { retainedColumns } from "./retained.js";
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
  // A caller that numbers events or copies them into deliveries ends before this lock, or waits for it.
  await lockNumbers(db, tenantId);
  await store.lockDeliveries(db, tenantId);
  for (const rows of personal) {
    const change = rows.event === undefined ? undefined : event(rows.event);
    count(rows.table, await store.eraseRows(db, tenantId, customerId, rows, change, now));
  }
  return receiptToColumn(counts, personal, retainedColumns);
}

/** Carries out the erasures that are due. Answers how many. */
export async function eraseDuePeople({
  db,
  clock,
  settings,
  logger,
}: Pick<Deps, "db" | "clock" | "settings" | "logger">): Promise<number> {
  return await workOnDue(clock, {
    list: (now, limit, skipped) => store.listDueErasures(db, now, limit, skipped),
    work: (erasure, now) => eraseIfDue({ db, settings }, erasure, now),
    failed: (error, { tenant_id: tenantId }) => logger.error({ error, tenantId }, "a person could not be erased"),
  });
}

async function eraseIfDue(
  { db, settings }: Pick<Deps, "db" | "settings">,
  { tenant_id: tenantId, id, customer_id: customerId }: store.DueErasure,
  now: Date,
): Promise<boolean> {
  return await transact({ db, tenantId, now, event: systemEvent(now) }, async (inside) => {
    const rules = await settings.read(inside.db, tenantId);
    if (customerId !== null) await store.lockSubject(inside.db, tenantId, customerId);
    const row = await store.lockErasure(inside.db, tenantId, id);
    // Another replica was faster, or it was cancelled.
    if (row?.state !== "scheduled" || row.due_time > now) return false;
    const receipt =
      customerId === null
        ? await eraseGuest(inside, row.guest_email!)
        : await eraseCustomer(inside, customerId, rules.settings);
    const done = inside.event("erasure.completed", ["state", "complete_time", "receipt"]);
    await store.endErasure(inside.db, tenantId, id, { state: "completed", receipt }, done);
    return true;
  });
}
