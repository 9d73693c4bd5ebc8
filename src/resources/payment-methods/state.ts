import { PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";

interface Chargeable {
  readonly exp_month: number;
  readonly exp_year: number;
  readonly consume_time: Date | null;
}

/** The state of a payment method at a time: a card expires with the last moment of its month, in UTC. */
export function stateAt(now: Date, { exp_month, exp_year, consume_time }: Chargeable): PaymentMethodState {
  if (consume_time !== null) return PaymentMethodState.CONSUMED;
  const expired = now.getTime() >= Date.UTC(exp_year, exp_month);
  return expired ? PaymentMethodState.EXPIRED : PaymentMethodState.CHARGEABLE;
}
