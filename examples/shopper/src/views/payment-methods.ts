import type { Customer } from "../../../../gen/clientele/v1/customers_pb.js";
import { type PaymentMethod, PaymentMethodState } from "../../../../gen/clientele/v1/payment_methods_pb.js";
import { button, element, section } from "../dom.js";
import { service } from "../service.js";

/** The cards that the customer has; their numbers are the card vault's, and never come here. */
export async function paymentMethods({ id: customerId }: Customer, show: () => Promise<void>): Promise<HTMLElement> {
  const { paymentMethods: kept } = await service.paymentMethods.listPaymentMethods({ customerId, pageSize: 100 });
  const items = kept.map((method) => element("li", {}, lineOf(method), ...actions(method)));
  return section("Payment methods", items.length > 0 ? element("ul", {}, ...items) : "None yet.");

  function actions({ id, isDefault }: PaymentMethod): HTMLElement[] {
    const makeDefault = button("Make default", async () => {
      await service.paymentMethods.setDefaultPaymentMethod({ customerId, id });
      await show();
    });
    const remove = button("Remove", async () => {
      await service.paymentMethods.detachPaymentMethod({ customerId, id });
      await show();
    });
    return [...(isDefault ? [element("strong", {}, "Default")] : [makeDefault]), remove];
  }
}

function lineOf({ card, state }: PaymentMethod): string {
  if (card === undefined) return "";
  const { brand, last4, expMonth, expYear } = card;
  const expired = state === PaymentMethodState.EXPIRED ? ", expired" : "";
  return `${brand} …${last4}, ${String(expMonth).padStart(2, "0")}/${expYear}${expired}`;
}
