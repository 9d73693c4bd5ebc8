import type { FormConstraints } from "../../../../gen/clientele/v1/forms_pb.js";
import { button, element } from "../dom.js";
import { service } from "../service.js";
import { type Session, session } from "../session.js";
import { addresses } from "./addresses.js";
import { orders } from "./orders.js";
import { paymentMethods } from "./payment-methods.js";
import { password, profile } from "./profile.js";

/** The view of a signed-in customer: the profile and its belongings. */
export async function account(
  { customerId, tokenId }: Session,
  constraints: FormConstraints,
  show: () => Promise<void>,
): Promise<HTMLElement[]> {
  const { customer } = await service.customers.getCustomer({ id: customerId });
  const signOut = async () => {
    // Also where the token has ended already, or cannot be reached: it is forgotten here.
    await service.tokens.revokeCustomerToken({ customerId, id: tokenId }).catch(() => {});
    session.clear();
    await show();
  };
  const greeting = element("p", {}, `Signed in as ${customer!.displayName} `, button("Sign out", signOut));
  return [
    greeting,
    profile(customer!, constraints),
    await addresses(customer!, constraints, show),
    await paymentMethods(customer!, show),
    await orders(customer!),
    password(customer!, constraints, show),
  ];
}
