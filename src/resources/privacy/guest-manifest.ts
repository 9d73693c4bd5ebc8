import { type PersonalRows, personal } from "./manifest.js";

/** The rows of one table that tell of a guest: those of `whose`, a condition in SQL on `:ids`. */
export interface GuestRows {
  readonly rows: PersonalRows;
  readonly whose: string;
}

const ended = "case state when 'pending' then 'cancelled' else state end";

/**
 * Every table that tells of a guest, in the order in which an erasure goes through them. `:ids` are the guest's checkouts
 * and orders. Events and deliveries name them by these ids alone.
 */
export const personalOfGuests: readonly GuestRows[] = [
  ofGuest("checkouts", "customer_id is null and id = any(:ids)", { state: ended }),
  ofGuest("orders", "customer_id is null and id = any(:ids)"),
  ofGuest("idempotency_keys", "customer_id is null and resource_id = any(:ids)"),
];

// The columns are those that the erasure of a customer clears.
function ofGuest(table: string, whose: string, also: PersonalRows["also"] = {}): GuestRows {
  const rows = personal.find((one) => one.table === table);
  if (rows === undefined) throw new Error(`the manifest has no table ${table}`);
  return { rows: { ...rows, also: { ...rows.also, ...also } }, whose };
}
