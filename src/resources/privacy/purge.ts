import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import type { Call, ChangeCall } from "../../rpc/callers/caller.js";
import { deleteAddressesOf } from "../addresses/store.js";
import { emailKeyAfterDelete, reserveEmail } from "../customers/email.js";
import type { CustomerRow } from "../customers/fields.js";
import { listDueCustomers } from "../customers/lookup-store.js";
import * as customers from "../customers/store.js";

import { deleteIdentitiesOf } from "../identities/store.js";
import { removeLogin } from "../passwords/write.js";
import { detachPaymentMethodsOf } from "../payment-methods/store.js";
import { deletePhotoOf } from "../photos/store.js";
import { deleteTaxCertificatesOf } from "../tax-certificates/store.js";
import { deleteTaxIdentifiersOf } from "../tax-identifiers/store.js";

/** Leaves nothing of a locked customer but its id. What belongs to it alone goes with it; checkouts and orders stay. */
export async function purgeCustomer(call: ChangeCall, row: CustomerRow, settings: AccountSettings) {
  const { db, tenantId, event } = call;
  const { id } = row;
  const purged = event(row.delete_time === null ? "customer.deleted" : "customer.purged");
  await reserveEmail(db, tenantId, id, settings);
  await customers.purge(db, tenantId, id, emailKeyAfterDelete(settings), purged);
  await customers.replaceExternalReferences(db, tenantId, id, []);
  await removeLogin(call, id);
  await deleteIdentitiesOf(db, tenantId, id, event("customer_identity.deleted"));
  await deletePhotoOf(db, tenantId, id, event("photo.deleted"));
  await deleteAddressesOf(db, tenantId, id, event("address.deleted"));
  await deleteTaxIdentifiersOf(db, tenantId, id, event("tax_identifier.deleted"));
  await deleteTaxCertificatesOf(db, tenantId, id, event("tax_certificate.deleted"));
  const detached = event("payment_method.detached");
  await detachPaymentMethodsOf(db, tenantId, id, settings.paymentMethodDetachment, detached);
}

const batchSize = 100;

/**
 * Purges the softly deleted customers whose purge_time has come, each in a transaction of its own; answers how many.
 * It may run on several replicas at a time. One that fails does not stop the others; it is logged, and next time is near.
 */
export async function purgeDueCustomers(deps: Pick<Deps, "db" | "clock" | "settings" | "logger">): Promise<number> {
  let [purged, failed] = [0, 0];
  for (;;) {
    const now = deps.clock();
    const due = await listDueCustomers(deps.db, now, batchSize, failed);
    for (const { tenant_id: tenantId, id } of due) {
      try {
        if (await purgeIfDue(deps, tenantId, id, now)) purged += 1;
      } catch (error) {
        failed += 1;
        deps.logger.error({ error, tenantId }, "a customer could not be purged");
      }
    }
    if (due.length < batchSize) return purged;
  }
}

async function purgeIfDue({ db, settings }: Pick<Deps, "db" | "settings">, tenantId: string, id: string, now: Date) {
  return await inTransaction(db, async (trx) => {
    const { settings: present } = await settings.read(trx, tenantId);
    const row = await customers.lockCustomer(trx, tenantId, id);
    // Another replica was faster, or the customer was brought back.
    if (row === undefined || row.purge_time === null || row.purge_time > now) return false;
    const event: Call["event"] = (type, changedPaths = []) => ({ type, changedPaths, actor: "system", time: now });
    await purgeCustomer({ db: trx, tenantId, now, event }, row, present);
    return true;
  });
}
