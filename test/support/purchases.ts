import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Checkout, CheckoutInputSchema } from "../../gen/clientele/v1/checkouts_pb.js";
import type { Order } from "../../gen/clientele/v1/orders_pb.js";
import { houston } from "./addresses.js";
import type { Clients } from "./clientele.js";
import { newToken } from "./payment-methods.js";

export const url = "https://shop.example.com/cart/1";

/** The fields that a guest's order needs. */
export function guest() {
  return { contact: { email: "guest@example.com" }, shipping: houston, paymentMethodId: newToken() };
}

/** Starts a purchase of a customer, or of a guest who gives what `guest` holds. */
export async function createCheckout(
  { checkouts }: Clients,
  input: MessageInitShape<typeof CheckoutInputSchema>,
): Promise<Checkout> {
  const { checkout } = await checkouts.createCheckout({ checkout: { url, ...input } });
  return checkout!;
}

/** Buys as a customer, everything else in the request; or as a guest. */
export async function createOrder(clients: Clients, customerId = ""): Promise<Order> {
  const checkout = await createCheckout(clients, { customerId, ...guest() });
  const { order } = await clients.orders.createOrder({ checkoutId: checkout.id });
  return order!;
}
