import type { JsonObject } from "@bufbuild/protobuf";
import { test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { AddressService } from "../../gen/clientele/v1/addresses_pb.js";
import { CheckoutService } from "../../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { PaymentMethodService } from "../../gen/clientele/v1/payment_methods_pb.js";
import { useClientele } from "../support/clientele.js";
import { idOf, type Step, walk } from "../support/journey.js";
import { ways } from "../support/ways.js";

const { createCustomer, getCustomer, listCustomers, updateCustomer, deleteCustomer } = CustomerService.method;
const { createAddress, setDefaultAddress } = AddressService.method;
const { setDefaultPaymentMethod, updatePaymentMethod, detachPaymentMethod, listPaymentMethods } =
  PaymentMethodService.method;
const { createCheckout, getCheckout } = CheckoutService.method;

interface Kept {
  readonly customer: string;
  readonly home: string;
  readonly work: string;
  readonly token: string;
  readonly checkout: JsonObject;
}

const url = "https://shop.example/products/tea";
const email = "Jo.March@example.com";
const texas = {
  label: "Home",
  line1: "1 Congress Ave",
  city: "Austin",
  state: "TX",
  postalCode: "78701",
  country: "US",
};
const ohio = { label: "Work", line1: "2 High St", city: "Columbus", state: "OH", postalCode: "43215", country: "US" };
const canada = { ...texas, city: "Toronto", state: "ON", postalCode: "M5H 2N2", country: "CA" };

// A merchant's life under the preset SIMPLE_CHECKOUT.
const steps: readonly Step<Kept>[] = [
  {
    name: "a customer is created",
    method: createCustomer,
    ask: () => ({ customer: { email, name: "Jo March" } }),
    want: () => ({ customer: { email, displayName: email, state: "CUSTOMER_STATE_ACTIVE" } }),
    keep: ({ customer }) => ({ customer: idOf(customer) }),
  },
  {
    name: "the same e-mail again is refused",
    method: createCustomer,
    ask: () => ({ customer: { email: ` ${email.toUpperCase()} ` } }),
    refused: { code: "AlreadyExists", reason: "EMAIL_TAKEN" },
  },
  {
    name: "an e-mail change is refused",
    method: updateCustomer,
    ask: ({ customer }) => ({ customer: { id: customer, email: "other@example.com" }, updateMask: "email" }),
    refused: { code: "FailedPrecondition", reason: "EMAIL_IMMUTABLE" },
  },
  {
    name: "an address in Texas is added, and is no default by itself",
    method: createAddress,
    ask: ({ customer }) => ({ customerId: customer, address: texas }),
    want: ({ customer }) => ({ address: { ...texas, customerId: customer } }),
    without: () => ({ address: { isDefault: true } }),
    keep: ({ address }) => ({ home: idOf(address) }),
  },
  {
    name: "a Canadian address is refused",
    method: createAddress,
    ask: ({ customer }) => ({ customerId: customer, address: canada }),
    refused: {
      code: "InvalidArgument",
      reason: "FIELDS_INVALID",
      fields: { "address.country": "Addresses in Canada are not accepted." },
    },
  },
  {
    name: "a second address is added",
    method: createAddress,
    ask: ({ customer }) => ({ customerId: customer, address: ohio }),
    keep: ({ address }) => ({ work: idOf(address) }),
  },
  {
    name: "the first one becomes the default",
    method: setDefaultAddress,
    ask: ({ customer, home }) => ({ customerId: customer, id: home }),
    want: ({ home }) => ({ address: { id: home, isDefault: true } }),
  },
  {
    name: "a token that was never used becomes the default payment method",
    method: setDefaultPaymentMethod,
    ask: ({ customer, token }) => ({ customerId: customer, id: token }),
    want: ({ customer, token }) => ({ paymentMethod: { id: token, customerId: customer, isDefault: true } }),
  },
  {
    name: "both defaults stand in the customer",
    method: getCustomer,
    ask: ({ customer }) => ({ id: customer }),
    want: ({ home, token }) => ({ customer: { defaultAddressId: home, defaultPaymentMethodId: token } }),
  },
  {
    name: "a checkout with only a URL and a customer shows both defaults, and the e-mail as display name",
    method: createCheckout,
    ask: ({ customer }) => ({ checkout: { url, customerId: customer } }),
    want: ({ home, token, customer }) => ({
      checkout: {
        url,
        customerId: customer,
        displayName: email,
        contact: { email, name: "Jo March" },
        shipping: { id: home, city: "Austin" },
        paymentMethod: { id: token },
        state: "CHECKOUT_STATE_PENDING",
      },
    }),
    keep: ({ checkout }) => ({ checkout: checkout as JsonObject }),
  },
  {
    name: "another address_id overrides only the address",
    method: createCheckout,
    ask: ({ customer, work }) => ({ checkout: { url, customerId: customer, addressId: work } }),
    want: ({ work, token }) => ({
      checkout: { displayName: email, shipping: { id: work, city: "Columbus" }, paymentMethod: { id: token } },
    }),
  },
  {
    name: "the payment method is labelled",
    method: updatePaymentMethod,
    ask: ({ customer, token }) => ({ customerId: customer, paymentMethod: { id: token, label: "Personal Visa" } }),
    want: ({ token }) => ({ paymentMethod: { id: token, label: "Personal Visa", isDefault: true } }),
  },
  {
    name: "the payment method is removed",
    method: detachPaymentMethod,
    ask: ({ customer, token }) => ({ customerId: customer, id: token }),
  },
  {
    name: "it is listed no more",
    method: listPaymentMethods,
    ask: ({ customer }) => ({ customerId: customer }),
    without: ({ token }) => ({ paymentMethods: [{ id: token }] }),
  },
  {
    name: "the default is cleared",
    method: getCustomer,
    ask: ({ customer }) => ({ id: customer }),
    want: ({ home }) => ({ customer: { defaultAddressId: home } }),
    without: ({ token }) => ({ customer: { defaultPaymentMethodId: token } }),
  },
  {
    name: "the customer is deleted",
    method: deleteCustomer,
    ask: ({ customer }) => ({ id: customer }),
    want: ({ customer }) => ({ customer: { id: customer, state: "CUSTOMER_STATE_DELETED" } }),
  },
  {
    name: "it is hidden",
    method: listCustomers,
    ask: () => ({}),
    without: ({ customer }) => ({ customers: [{ id: customer }] }),
  },
  {
    name: "it is visible with show_deleted",
    method: listCustomers,
    ask: () => ({ showDeleted: true }),
    want: ({ customer }) => ({ customers: [{ id: customer, state: "CUSTOMER_STATE_DELETED" }] }),
  },
  {
    name: "the old checkout is unchanged",
    method: getCheckout,
    ask: ({ checkout }) => ({ id: idOf(checkout) }),
    want: ({ checkout }) => ({ checkout }),
  },
  {
    name: "the e-mail is free again",
    method: createCustomer,
    ask: () => ({ customer: { email } }),
    want: () => ({ customer: { email } }),
  },
];

const clientele = useClientele();

test.for(ways)("a merchant lives through SIMPLE_CHECKOUT over $name", { timeout: 60_000 }, async ({ open }) => {
  const account = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
  const call = open(clientele, account.testKey);
  const token = `cct_sandbox_${account.accountId}`;
  await walk(call, steps, { token, customer: "", home: "", work: "", checkout: {} });
});
