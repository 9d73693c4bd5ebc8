import type { Deps } from "../../deps.js";
import * as store from "./store.js";

const batchSize = 500;

/**
 * Erases the values of the definitions that were deleted 30 days ago, and then those; answers how many. A customer's
 * version stays, for nobody saw the value. It may run on several replicas at a time, and goes on where one was killed.
 */
export async function purgeDueCustomFields({ db, clock }: Pick<Deps, "db" | "clock">): Promise<number> {
  const due = await store.beginPurges(db, clock());
  for (const { tenant_id: tenantId, id } of due) {
    let after: string | undefined = "";
    while (after !== undefined) after = await store.eraseValues(db, tenantId, id, { after, limit: batchSize });
    await store.purgeCustomField(db, tenantId, id);
  }
  return due.length;
}
