import { randomUUID } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { CheckoutService } from "../../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { OrderService } from "../../gen/clientele/v1/orders_pb.js";
import { PaymentMethodService } from "../../gen/clientele/v1/payment_methods_pb.js";
import { houston } from "../support/addresses.js";
import { useClientele } from "../support/clientele.js";
import { forgottenStepsAfter, forgottenStepsBefore } from "../support/forgotten-steps.js";
import { createWorker, type Worker } from "../support/jobs.js";
import { idOf, type Step, walk } from "../support/journey.js";
import { taxStepsAfter, taxStepsBefore } from "../support/tax-steps.js";
import { ways } from "../support/ways.js";

const { createCustomer, getCustomer, listCustomers, updateCustomer, deleteCustomer } = CustomerService.method;
const { attachPaymentMethod, detachPaymentMethod, listPaymentMethods } = PaymentMethodService.method;
const { createCheckout, getCheckout, updateCheckout } = CheckoutService.method;
const { createOrder, getOrder, listOrders } = OrderService.method;

interface Kept {
  /** Sources are UUIDs. */
  readonly source: string;
  readonly otherSource: string;
  readonly thirdSource: string;
  readonly customer: string;
  readonly taxIdentifier: string;
  readonly checkout: string;
  readonly order: JsonObject;
  readonly forgotten: string;
  readonly forgottenOrder: string;
}

type Steps = readonly Step<Kept>[];

const url = "https://shop.example/cart/5823594808";
const email = "jo@example.com";
const longest = `5823594808-${"r".repeat(29)}`;
const keys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${at}`, `${at}`]));
const absent = { code: "NotFound", message: "The customer could not be found, please check the id." };

// A merchant's life under the preset DIGITAL_RIVER.
const customers: Steps = [
  {
    name: "a customer is created with no field at all",
    method: createCustomer,
    ask: () => ({ customer: {} }),
    want: () => ({ customer: { enabled: true, state: "CUSTOMER_STATE_ACTIVE" } }),
    without: () => ({ customer: { liveMode: true } }),
  },
  {
    name: "an id of 40 characters is accepted",
    method: createCustomer,
    ask: () => ({ customer: { id: longest, email, locale: "en_US", type: "CUSTOMER_TYPE_INDIVIDUAL" } }),
    want: () => ({ customer: { id: longest, email, locale: "en_US", type: "CUSTOMER_TYPE_INDIVIDUAL" } }),
    keep: ({ customer }) => ({ customer: idOf(customer) }),
  },
  {
    name: "one of 41 is refused",
    method: createCustomer,
    ask: () => ({ customer: { id: `${longest}r` } }),
    refused: { code: "InvalidArgument", reason: "ID_TOO_LONG" },
  },
  {
    name: "a second customer has the same e-mail",
    method: createCustomer,
    ask: () => ({ customer: { email } }),
    want: () => ({ customer: { email } }),
  },
];

const sources: Steps = [
  {
    name: "a source that is not attached is refused in a checkout",
    method: createCheckout,
    ask: ({ customer, source }) => ({ checkout: { url, customerId: customer, paymentMethodId: source } }),
    refused: { code: "FailedPrecondition", reason: "ATTACHMENT_EXPLICIT_ONLY" },
  },
  {
    name: "a source is attached, and is the default",
    method: attachPaymentMethod,
    ask: ({ customer, source }) => ({ customerId: customer, paymentMethod: { id: source } }),
    want: ({ customer, source }) => ({
      paymentMethod: { id: source, customerId: customer, isDefault: true, state: "PAYMENT_METHOD_STATE_CHARGEABLE" },
    }),
  },
  {
    name: "it stands in the customer",
    method: getCustomer,
    ask: ({ customer }) => ({ id: customer }),
    want: ({ source }) => ({ customer: { defaultPaymentMethodId: source } }),
  },
  {
    name: "it is detached",
    method: detachPaymentMethod,
    ask: ({ customer, source }) => ({ customerId: customer, id: source }),
  },
  {
    name: "it is the default no more",
    method: getCustomer,
    ask: ({ customer }) => ({ id: customer }),
    without: ({ source }) => ({ customer: { defaultPaymentMethodId: source } }),
  },
  {
    name: "it is listed no more",
    method: listPaymentMethods,
    ask: ({ customer }) => ({ customerId: customer }),
    without: ({ source }) => ({ paymentMethods: [{ id: source }] }),
  },
  {
    name: "it is consumed: attaching it again is refused",
    method: attachPaymentMethod,
    ask: ({ customer, source }) => ({ customerId: customer, paymentMethod: { id: source } }),
    refused: { code: "FailedPrecondition", reason: "PAYMENT_METHOD_CONSUMED" },
  },
  {
    name: "another source is attached, and is the default",
    method: attachPaymentMethod,
    ask: ({ customer, otherSource }) => ({ customerId: customer, paymentMethod: { id: otherSource } }),
    want: ({ otherSource }) => ({ paymentMethod: { id: otherSource, isDefault: true } }),
  },
];

const purchases: Steps = [
  {
    name: "the customer is disabled",
    method: updateCustomer,
    ask: ({ customer }) => ({ customer: { id: customer, enabled: false } }),
    want: () => ({ customer: { enabled: false } }),
  },
  {
    name: "a checkout works",
    method: createCheckout,
    ask: ({ customer }) => ({ checkout: { url, customerId: customer } }),
    want: ({ customer, otherSource }) => ({
      checkout: { customerId: customer, paymentMethod: { id: otherSource }, state: "CHECKOUT_STATE_PENDING" },
    }),
    keep: ({ checkout }) => ({ checkout: idOf(checkout) }),
  },
  {
    name: "an order is refused",
    method: createOrder,
    ask: ({ checkout }) => ({ checkoutId: checkout }),
    refused: { code: "FailedPrecondition", reason: "CUSTOMER_DISABLED" },
  },
  {
    name: "the customer is enabled",
    method: updateCustomer,
    ask: ({ customer }) => ({ customer: { id: customer, enabled: true } }),
    want: () => ({ customer: { enabled: true } }),
  },
  {
    name: "an order without an address is refused",
    method: createOrder,
    ask: ({ checkout }) => ({ checkoutId: checkout }),
    refused: { code: "FailedPrecondition", reason: "SHIPPING_MISSING" },
  },
  {
    name: "the refused checkout is updated",
    method: updateCheckout,
    ask: ({ checkout }) => ({ id: checkout, checkout: { shipping: houston } }),
    want: ({ otherSource }) => ({
      checkout: { shipping: houston, paymentMethod: { id: otherSource }, state: "CHECKOUT_STATE_PENDING" },
    }),
  },
  {
    name: "and the order works",
    method: createOrder,
    ask: ({ checkout }) => ({ checkoutId: checkout }),
    want: ({ customer, checkout, otherSource }) => ({
      order: {
        customerId: customer,
        checkoutId: checkout,
        paymentMethod: { id: otherSource },
        shipping: houston,
        taxIdentifiers: [{ type: "de_vat", value: "136695976", state: "TAX_IDENTIFIER_STATE_VERIFIED" }],
      },
    }),
    keep: ({ order }) => ({ order: order as JsonObject }),
  },
  {
    name: "the checkout is completed",
    method: getCheckout,
    ask: ({ checkout }) => ({ id: checkout }),
    want: () => ({ checkout: { state: "CHECKOUT_STATE_COMPLETED" } }),
  },
  {
    name: "a second order is refused",
    method: createOrder,
    ask: ({ checkout }) => ({ checkoutId: checkout }),
    refused: { code: "FailedPrecondition", reason: "CHECKOUT_NOT_PENDING" },
  },
];

const metadata: Steps = [
  {
    name: "metadata is written",
    method: updateCustomer,
    ask: ({ customer }) => ({ customer: { id: customer, metadata: { tier: "gold", since: "2018" } } }),
    want: () => ({ customer: { metadata: { tier: "gold", since: "2018" } } }),
  },
  {
    name: "metadata merges, and an empty text deletes a key",
    method: updateCustomer,
    ask: ({ customer }) => ({ customer: { id: customer, metadata: { since: "", source: "web" } } }),
    want: () => ({ customer: { metadata: { tier: "gold", source: "web" } } }),
    without: () => ({ customer: { metadata: { since: "2018" } } }),
  },
  {
    name: "20 keys are accepted",
    method: updateCustomer,
    ask: ({ customer }) => ({ customer: { id: customer, metadata: { tier: "", source: "", ...keys(20) } } }),
    want: () => ({ customer: { metadata: keys(20) } }),
  },
  {
    name: "the 21st is refused",
    method: updateCustomer,
    ask: ({ customer }) => ({ customer: { id: customer, metadata: { oneMore: "1" } } }),
    refused: {
      code: "InvalidArgument",
      reason: "FIELDS_INVALID",
      fields: { "customer.metadata": "must be at most 20 keys" },
    },
  },
];

const deletion: Steps = [
  { name: "the customer is deleted", method: deleteCustomer, ask: ({ customer }) => ({ id: customer }) },
  {
    name: "it is not found any more",
    method: getCustomer,
    ask: ({ customer }) => ({ id: customer }),
    refused: absent,
  },
  {
    name: "nor listed, not even with the deleted ones",
    method: listCustomers,
    ask: () => ({ showDeleted: true, pageSize: 100 }),
    want: () => ({ customers: [{ email }, { enabled: true }] }),
  },
  {
    name: "nor is its id given to another customer",
    method: createCustomer,
    ask: ({ customer }) => ({ customer: { id: customer } }),
    refused: { code: "AlreadyExists", reason: "CUSTOMER_ID_TAKEN" },
  },
  {
    name: "its order is as it was",
    method: getOrder,
    ask: ({ order }) => ({ id: idOf(order) }),
    want: ({ order }) => ({ order }),
  },
  {
    name: "and still listed",
    method: listOrders,
    ask: ({ customer }) => ({ customerId: customer }),
    want: ({ order }) => ({ orders: [order] }),
  },
];

let passed = 0;
const clock = () => new Date(Date.now() + passed);
let worker: Worker;
const clientele = useClientele({ clock });
beforeAll(async () => {
  worker = await createWorker(clientele, { clock });
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
});

test.for(ways)("a merchant lives through DIGITAL_RIVER over $name", { timeout: 180_000 }, async ({ open }) => {
  const account = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const call = open(clientele, account.testKey);
  const start = {
    source: randomUUID(),
    otherSource: randomUUID(),
    thirdSource: randomUUID(),
    customer: "",
    taxIdentifier: "",
    checkout: "",
    order: {},
    forgotten: "",
    forgottenOrder: "",
  };
  const pending = await walk<Kept>(call, [...customers, ...sources, ...taxStepsBefore], start);
  await worker.run("verify_tax_identifiers");
  const verified = [...taxStepsAfter, ...purchases, ...metadata];
  const waiting = await walk<Kept>(call, [...verified, ...forgottenStepsBefore], pending);
  passed += 30 * 24 * 60 * 60 * 1000;
  await worker.run("erase_customers");
  await walk<Kept>(call, [...forgottenStepsAfter, ...deletion], waiting);
});
