import { CheckoutState } from "../../../gen/clientele/v1/checkouts_pb.js";

/** The transitions of a checkout. */
export type Happening = "update" | "complete" | "cancel" | "expire";

const { PENDING, COMPLETED, CANCELLED, FAILED } = CheckoutState;

// All ends are for good. An order that is refused is nothing that happened: the checkout stays PENDING.
const transitions: Partial<Record<CheckoutState, Readonly<Record<Happening, CheckoutState>>>> = {
  [PENDING]: { update: PENDING, complete: COMPLETED, cancel: CANCELLED, expire: FAILED },
};

/** The state of a checkout after that; undefined if it cannot happen to one in this state. */
export function nextState(state: CheckoutState, happening: Happening): CheckoutState | undefined {
  return transitions[state]?.[happening];
}

/** The state of a checkout at a time: one that is stored as PENDING has failed from its expire_time on. */
export function stateAt(now: Date, stored: CheckoutState, expireTime: Date): CheckoutState {
  return (now >= expireTime && nextState(stored, "expire")) || stored;
}
