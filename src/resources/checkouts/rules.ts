import type { Knex } from "knex";
import { CheckoutState } from "../../../gen/clientele/v1/checkouts_pb.js";
import { notFound, refused, rpcError } from "../../rpc/errors.js";
import type { CustomerRow } from "../customers/fields.js";
import { lockCustomer } from "../customers/store.js";
import { stateOf, stateToColumn } from "./convert.js";
import type { Reach } from "./reach.js";
import { type Happening, nextState } from "./state.js";
import { type CheckoutRow, findCheckout, lockCheckout } from "./store.js";

/** A locked checkout, and its customer, locked too; undefined for a guest, and once the customer is purged. */
export interface LockedCheckout {
  readonly row: CheckoutRow;
  readonly customer: CustomerRow | undefined;
}

/** Locks a checkout within reach, its customer before it: the order of all locks. Throws NOT_FOUND. */
export async function lockWithCustomer(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  reach: Reach,
): Promise<LockedCheckout> {
  const checkout = await findCheckout(trx, tenantId, id, reach);
  const customerId = checkout?.customer_id ?? null;
  const customer = customerId === null ? undefined : await lockCustomer(trx, tenantId, customerId);
  const row = await lockCheckout(trx, tenantId, id, reach);
  if (row === undefined) throw notFound("checkout");
  return { row, customer };
}

/** The next state of a locked checkout, as its column holds it. Throws FAILED_PRECONDITION unless it is PENDING. */
export function requirePending(row: CheckoutRow, now: Date, happening: Happening): string {
  const state = stateOf(row, now);
  const next = nextState(state, happening);
  if (next !== undefined) return stateToColumn(next);
  if (state === CheckoutState.FAILED) throw refused("CHECKOUT_EXPIRED", "The checkout has expired.");
  const name = stateToColumn(state);
  throw rpcError("CHECKOUT_NOT_PENDING", `The checkout is ${name} already.`, { metadata: { state: name } });
}

/** The customer of a locked checkout; undefined for a guest. Throws FAILED_PRECONDITION if it is deleted. */
export function requireBuyer({ row, customer }: LockedCheckout): CustomerRow | undefined {
  const isGone = customer === undefined ? row.customer_id !== null : customer.delete_time !== null;
  if (isGone) throw refused("CUSTOMER_DELETED", "The customer is deleted.");
  return customer;
}
