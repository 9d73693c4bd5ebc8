// A customer with an address and a card, and two checkouts that need no more than the customer's id: over Connect, on
// the public port, with the transport that browsers use. On connect-node only the transport differs.
//
//   npx tsx examples/connect-web.ts 127.0.0.1:8080 $CLIENTELE_KEY

import { randomUUID } from "node:crypto";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AddressService } from "../gen/clientele/v1/addresses_pb.js";
import { CheckoutService } from "../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { PaymentMethodService } from "../gen/clientele/v1/payment_methods_pb.js";

const [target = "127.0.0.1:8080", key = ""] = process.argv.slice(2);
// Makes the e-mail address and the token this run's own.
const run = randomUUID().slice(0, 8);

const withKey: Interceptor = (next) => async (request) => {
  request.header.set("api-key", key);
  // Sent again with the same key, a call has its effect once.
  request.header.set("idempotency-key", randomUUID());
  return await next(request);
};
const transport = createConnectTransport({
  baseUrl: `http://${target}`,
  interceptors: [withKey],
  defaultTimeoutMs: 5_000,
});
const customers = createClient(CustomerService, transport);
const addresses = createClient(AddressService, transport);
const paymentMethods = createClient(PaymentMethodService, transport);
const checkouts = createClient(CheckoutService, transport);

const { customer } = await customers.createCustomer({
  customer: { email: `jane.${run}@example.com`, name: "Jane Doe", phone: "+1234567890" },
});
const customerId = customer!.id;
console.log(`Created customer: ${customerId}`);

const { address } = await addresses.createAddress({
  customerId,
  address: { line1: "123 Main St", city: "Austin", state: "TX", postalCode: "78701", country: "US" },
});
console.log(`Created address: ${address!.id}`);

await addresses.setDefaultAddress({ customerId, id: address!.id });
console.log("Set as default address");

// Your page gets the token from the card vault. In the test tenant every cct_sandbox_… stands for a card.
await paymentMethods.setDefaultPaymentMethod({ customerId, id: `cct_sandbox_${run}` });
console.log("Set default payment method");

// The default address and the default payment method are used.
const { checkout } = await checkouts.createCheckout({
  checkout: { url: "https://buy.stripe.com/test_example", customerId },
});
console.log(`Created checkout: ${checkout!.id}`);
console.log(`Customer: ${checkout!.displayName}`);

const next = await checkouts.createCheckout({
  checkout: { url: "https://buy.stripe.com/test_another_product", customerId },
});
console.log(`Next checkout: ${next.checkout!.id}`);
