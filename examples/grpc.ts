// A customer with an address and a card, and two checkouts that need no more than the customer's id: over gRPC, with
// @grpc/grpc-js, on the internal port.
//
//   npx tsx examples/grpc.ts 127.0.0.1:50051 $CLIENTELE_KEY

import { randomUUID } from "node:crypto";
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { AddressService } from "../gen/clientele/v1/addresses_pb.js";
import { CheckoutService } from "../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { PaymentMethodService } from "../gen/clientele/v1/payment_methods_pb.js";

const [target = "127.0.0.1:50051", key = ""] = process.argv.slice(2);
const client = new Client(target, credentials.createInsecure());
// Makes the e-mail address and the token this run's own.
const run = randomUUID().slice(0, 8);

const { customer } = await call(CustomerService.method.createCustomer, {
  customer: { email: `john.${run}@example.com`, name: "John Doe", phone: "+1234567890" },
});
const customerId = customer!.id;
console.log(`Created customer: ${customerId}`);

const { address } = await call(AddressService.method.createAddress, {
  customerId,
  address: { line1: "123 Main St", city: "Austin", state: "TX", postalCode: "78701", country: "US" },
});
console.log(`Created address: ${address!.id}`);

await call(AddressService.method.setDefaultAddress, { customerId, id: address!.id });
console.log("Set as default address");

// Your page gets the token from the card vault. In the test tenant every cct_sandbox_… stands for a card.
await call(PaymentMethodService.method.setDefaultPaymentMethod, { customerId, id: `cct_sandbox_${run}` });
console.log("Set default payment method");

const { checkout } = await call(CheckoutService.method.createCheckout, {
  // The default address and the default payment method are used.
  checkout: { url: "https://buy.stripe.com/test_example", customerId },
});
console.log(`Created checkout: ${checkout!.id}`);
console.log(`Customer: ${checkout!.displayName}`);

const next = await call(CheckoutService.method.createCheckout, {
  checkout: { url: "https://buy.stripe.com/test_another_product", customerId },
});
console.log(`Next checkout: ${next.checkout!.id}`);

client.close();

/** Makes a call. One that fails rejects with grpc-js' ServiceError: `code`, `details` and, in `metadata`, the reason. */
function call<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
): Promise<MessageShape<O>> {
  const metadata = new Metadata();
  metadata.set("api-key", key);
  // Sent again with the same key, a call has its effect once.
  metadata.set("idempotency-key", randomUUID());
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      create(method.input, request),
      metadata,
      { deadline: Date.now() + 5_000 },
      (error, response) => (error === null ? resolve(response!) : reject(error)),
    );
  });
}
