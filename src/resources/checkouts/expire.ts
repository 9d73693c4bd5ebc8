import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { systemEvent } from "../../rpc/calls/event-draft.js";
import { expireCheckouts, listTenantsWithDueCheckouts } from "./store.js";

const batchSize = 500;

/**
 * Lets the PENDING checkouts fail whose expire_time has come; answers how many. It may run on several replicas at a time.
 * A failure in one tenant does not stop the others: it is logged, and the job runs again within a minute.
 */
export async function expireDueCheckouts({ db, clock, logger }: Pick<Deps, "db" | "clock" | "logger">) {
  const now = clock();
  const expiry = systemEvent(now)("checkout.expired", ["state"]);
  let total = 0;
  for (const tenantId of await listTenantsWithDueCheckouts(db, now)) {
    try {
      for (let count = batchSize; count === batchSize; total += count) {
        count = await inTransaction(db, (trx) => expireCheckouts(trx, tenantId, batchSize, expiry));
      }
    } catch (error) {
      logger.error({ error, tenantId }, "checkouts could not expire");
    }
  }
  return total;
}
