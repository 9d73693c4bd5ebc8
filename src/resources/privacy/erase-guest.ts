import type { JsonObject } from "@bufbuild/protobuf";
import type { ChangeCall } from "../../rpc/callers/caller.js";
import { receiptToColumn } from "./convert.js";
import { personalOfGuests } from "./guest-manifest.js";
import * as guests from "./guest-store.js";
import { retainedOfGuests } from "./retained.js";

/**
 * Leaves nothing of the guests with an e-mail address, and answers the receipt. An order holds its checkout locked, so
 * that one on its way is erased too, or finds the checkout cancelled. A checkout that is created meanwhile is a new one.
 */
export async function eraseGuest({ db, tenantId, event, now }: ChangeCall, email: string): Promise<JsonObject> {
  const checkouts = await guests.lockGuestCheckouts(db, tenantId, email);
  const ids = [...checkouts, ...(await guests.listOrdersOf(db, tenantId, checkouts))];
  const counts = new Map<string, number>();
  for (const one of personalOfGuests) {
    const { table, event: type } = one.rows;
    const change = type === undefined ? undefined : event(type);
    counts.set(table, await guests.eraseGuestRows(db, tenantId, ids, one, change, now));
  }
  return receiptToColumn(
    counts,
    personalOfGuests.map(({ rows }) => rows),
    retainedOfGuests,
  );
}
