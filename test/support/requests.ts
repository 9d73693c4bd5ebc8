import type { JsonObject } from "@bufbuild/protobuf";
import { address, canary, canaryPhone, customerOf, tinyPhoto, url, type World } from "./world.js";

const purchaseOf = (world: World): JsonObject => ({
  url,
  customerId: world.customer,
  creditCardToken: world.freshToken,
  contact: { email: `${canary}@example.com`, name: `${canary} name`, phone: canaryPhone },
  shipping: address,
  displayName: `${canary} display`,
  locale: "en_US",
  type: "CUSTOMER_TYPE_BUSINESS",
});

/** A request for each RPC that succeeds in a fresh world and fills every field that a client may fill. */
export const requests: Readonly<Record<string, (world: World) => JsonObject>> = {
  "AccountService.GetAccount": () => ({}),
  "AccountService.GetAccountSettings": () => ({}),
  "AccountService.UpdateAccountSettings": () => ({
    settings: { etag: "v1", maxAddressesPerCustomer: 7, allowedCountries: ["US", "CA"], erasureDelay: "86400s" },
    updateMask: "maxAddressesPerCustomer,allowedCountries,erasureDelay",
  }),
  "ApiKeyService.CreateApiKey": () => ({ apiKey: { label: `${canary} key`, kind: "API_KEY_KIND_PUBLISHABLE" } }),
  "ApiKeyService.GetApiKey": ({ apiKey }) => ({ id: apiKey }),
  "ApiKeyService.ListApiKeys": () => ({ pageSize: 1 }),
  "ApiKeyService.RevokeApiKey": ({ apiKey }) => ({ id: apiKey }),
  "CustomerService.CreateCustomer": (world) => ({ customer: { id: `own-${world.unique}`, ...customerOf(world) } }),
  "CustomerService.GetCustomer": ({ customer }) => ({ id: customer }),
  "CustomerService.GetCustomerOverview": ({ customer }) => ({ id: customer }),
  "CustomerService.BatchGetCustomers": ({ customer }) => ({ ids: [customer] }),
  "CustomerService.GetOrCreateCustomer": (world) => ({ customer: { id: `own-${world.unique}`, ...customerOf(world) } }),
  "CustomerService.SearchCustomers": () => ({ query: canary, pageSize: 1 }),
  "CustomerService.ListCustomers": () => ({ pageSize: 1, showDeleted: true }),
  "CustomerService.UpdateCustomer": (world) => ({
    customer: {
      id: world.customer,
      ...customerOf(world),
      defaultAddressId: world.spareAddress,
      defaultPaymentMethodId: world.sparePaymentMethod,
    },
    updateMask: "email,name,firstName,lastName,displayName,phone,country,locale,type,metadata,defaultAddressId",
  }),
  "CustomerService.DeleteCustomer": ({ customer }) => ({ id: customer }),
  "CustomerService.UndeleteCustomer": ({ deletedCustomer }) => ({ id: deletedCustomer }),
  "AddressService.CreateAddress": ({ customer }) => ({ customerId: customer, address }),
  "AddressService.GetAddress": (world) => ({ customerId: world.customer, id: world.address }),
  "AddressService.ListAddresses": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
  "AddressService.UpdateAddress": (world) => ({
    customerId: world.customer,
    address: { id: world.address, ...address, line1: `2 ${canary} St`, city: `${canary} Town` },
    updateMask: "line1,city",
  }),
  "AddressService.DeleteAddress": (world) => ({ customerId: world.customer, id: world.address }),
  "AddressService.SetDefaultAddress": (world) => ({ customerId: world.customer, id: world.spareAddress }),
  "PaymentMethodService.AttachPaymentMethod": (world) => ({
    customerId: world.customer,
    paymentMethod: { id: world.freshToken, label: `${canary} card` },
  }),
  "PaymentMethodService.GetPaymentMethod": (world) => ({ customerId: world.customer, id: world.paymentMethod }),
  "PaymentMethodService.ListPaymentMethods": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
  "PaymentMethodService.UpdatePaymentMethod": (world) => ({
    customerId: world.customer,
    paymentMethod: { id: world.paymentMethod, label: `${canary} card` },
    updateMask: "label",
  }),
  "PaymentMethodService.SetDefaultPaymentMethod": (world) => ({ customerId: world.customer, id: world.freshToken }),
  "PaymentMethodService.DetachPaymentMethod": (world) => ({ customerId: world.customer, id: world.paymentMethod }),
  "PhotoService.UploadPhoto": (world) => ({ customerId: world.customer, content: tinyPhoto }),
  "PhotoService.DeletePhoto": (world) => ({ customerId: world.customer }),
  "CheckoutService.CreateCheckout": (world) => purchaseOf(world),
  "CheckoutService.PreviewCheckout": (world) => purchaseOf(world),
  "CheckoutService.UpdateCheckout": (world) => {
    const { customerId: _, ...purchase } = purchaseOf(world);
    return { id: world.checkout, ...purchase };
  },
  "CheckoutService.CancelCheckout": ({ checkout }) => ({ id: checkout }),
  "CheckoutService.GetCheckout": ({ checkout }) => ({ id: checkout }),
  "CheckoutService.ListCheckouts": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
  "OrderService.CreateOrder": ({ checkout }) => ({ checkoutId: checkout }),
  "OrderService.GetOrder": ({ order }) => ({ id: order }),
  "EventService.ListEvents": ({ customer }) => ({
    types: ["customer.*", "address.created"],
    customerId: customer,
    startTime: "2020-01-01T00:00:00Z",
    endTime: "9000-01-01T00:00:00Z",
    orderBy: "create_time",
    pageSize: 1,
  }),
  "CustomFieldService.CreateCustomField": ({ unique }) => ({
    customField: {
      slug: `tier_${unique}`,
      name: `${canary} tier`,
      description: `${canary} description`,
      type: "CUSTOM_FIELD_TYPE_STRING",
      rules: [{ stringEnum: { values: ["gold", "silver"] } }],
      required: false,
      defaultValue: "silver",
      enabled: true,
      position: 1,
      writableByCustomer: true,
    },
  }),
  "CustomFieldService.GetCustomField": ({ customField }) => ({ id: customField }),
  "CustomFieldService.ListCustomFields": () => ({ pageSize: 1 }),
  "CustomFieldService.UpdateCustomField": ({ customField }) => ({
    customField: { id: customField, name: `${canary} field`, position: 2 },
    updateMask: "name,position",
  }),
  "CustomFieldService.DeleteCustomField": ({ customField }) => ({ id: customField }),
  "OrderService.ListOrders": ({ customer }) => ({ customerId: customer, pageSize: 1 }),
};
