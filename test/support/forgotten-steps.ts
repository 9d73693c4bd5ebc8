import { CheckoutService } from "../../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { OrderService } from "../../gen/clientele/v1/orders_pb.js";
import { PaymentMethodService } from "../../gen/clientele/v1/payment_methods_pb.js";
import { PrivacyService } from "../../gen/clientele/v1/privacy_pb.js";
import { houston } from "./addresses.js";
import { idOf, type Step } from "./journey.js";

interface Kept {
  readonly forgotten: string;
  readonly forgottenOrder: string;
  readonly thirdSource: string;
}

const { createCustomer, getCustomer, updateCustomer } = CustomerService.method;
const { createOrder, getOrder, listOrders } = OrderService.method;

/** A customer buys something, and asks to be forgotten; nothing happens for 30 days. */
export const forgottenStepsBefore: readonly Step<Kept & { checkout: string }>[] = [
  {
    name: "a customer who will be forgotten is created",
    method: createCustomer,
    ask: () => ({ customer: { email: "forgotten@example.com", name: "Ada Lovelace" } }),
    keep: ({ customer }) => ({ forgotten: idOf(customer) }),
  },
  {
    name: "it has a source",
    method: PaymentMethodService.method.attachPaymentMethod,
    ask: ({ forgotten, thirdSource }) => ({ customerId: forgotten, paymentMethod: { id: thirdSource } }),
  },
  {
    name: "it starts to buy",
    method: CheckoutService.method.createCheckout,
    ask: ({ forgotten }) => ({
      checkout: { customerId: forgotten, url: "https://shop.example/cart/2", shipping: houston },
    }),
    keep: ({ checkout }) => ({ checkout: idOf(checkout) }),
  },
  {
    name: "and buys",
    method: createOrder,
    ask: ({ checkout }) => ({ checkoutId: checkout }),
    keep: ({ order }) => ({ forgottenOrder: idOf(order) }),
  },
  {
    name: "it asks to be forgotten",
    method: updateCustomer,
    ask: ({ forgotten }) => ({ customer: { id: forgotten, requestToBeForgotten: true } }),
    want: () => ({ customer: { requestToBeForgotten: true, email: "forgotten@example.com" } }),
  },
  {
    name: "the erasure is scheduled",
    method: PrivacyService.method.listErasures,
    ask: ({ forgotten }) => ({ customerId: forgotten }),
    want: ({ forgotten }) => ({ erasures: [{ customerId: forgotten, state: "ERASURE_STATE_SCHEDULED" }] }),
  },
];

/** The steps after the delay. */
export const forgottenStepsAfter: readonly Step<Kept>[] = [
  {
    name: "after the delay the customer is gone",
    method: getCustomer,
    ask: ({ forgotten }) => ({ id: forgotten }),
    refused: { code: "NotFound", message: "The customer could not be found, please check the id." },
  },
  {
    name: "its order is kept",
    method: getOrder,
    ask: ({ forgottenOrder }) => ({ id: forgottenOrder }),
    want: ({ forgotten, forgottenOrder }) => ({ order: { id: forgottenOrder, customerId: forgotten } }),
    without: () => ({ order: { contact: { email: "forgotten@example.com" } } }),
  },
  {
    name: "and still listed",
    method: listOrders,
    ask: ({ forgotten }) => ({ customerId: forgotten }),
    want: ({ forgottenOrder }) => ({ orders: [{ id: forgottenOrder, shipping: {} }] }),
  },
  {
    name: "a receipt says what was erased, and what was kept",
    method: PrivacyService.method.listErasures,
    ask: ({ forgotten }) => ({ customerId: forgotten }),
    want: () => ({ erasures: [{ state: "ERASURE_STATE_COMPLETED", receipt: {} }] }),
  },
];
