import type { DescMethod, JsonObject } from "@bufbuild/protobuf";
import { nameOf, requestFor } from "./scenario.js";
import { canary, customerOf, type World } from "./world.js";

/** The RPCs that a page may call with a publishable key. Every other one is closed to it. */
export const pageMethods: readonly string[] = [
  "CustomerService.CreateCustomer",
  "CustomerTokenService.CreateCustomerToken",
  "CheckoutService.CreateCheckout",
  "CheckoutService.PreviewCheckout",
  "CheckoutService.UpdateCheckout",
  "CheckoutService.CancelCheckout",
  "CheckoutService.GetCheckout",
  "OrderService.CreateOrder",
  "FormService.GetFormConstraints",
];

/** The RPCs that a customer token may call, on its own customer. Every other one is closed to it. */
export const shopperMethods: readonly string[] = [
  "CustomerService.GetCustomer",
  "CustomerService.UpdateCustomer",
  "CustomerService.DeleteCustomer",
  "CustomerTokenService.GetCustomerToken",
  "CustomerTokenService.ListCustomerTokens",
  "CustomerTokenService.RevokeCustomerToken",
  "CustomerTokenService.RevokeAllCustomerTokens",
  "PasswordService.ChangePassword",
  "AddressService.CreateAddress",
  "AddressService.GetAddress",
  "AddressService.ListAddresses",
  "AddressService.UpdateAddress",
  "AddressService.DeleteAddress",
  "AddressService.SetDefaultAddress",
  "PaymentMethodService.AttachPaymentMethod",
  "PaymentMethodService.GetPaymentMethod",
  "PaymentMethodService.ListPaymentMethods",
  "PaymentMethodService.UpdatePaymentMethod",
  "PaymentMethodService.SetDefaultPaymentMethod",
  "PaymentMethodService.DetachPaymentMethod",
  "PhotoService.UploadPhoto",
  "PhotoService.DeletePhoto",
  "CheckoutService.CreateCheckout",
  "CheckoutService.PreviewCheckout",
  "CheckoutService.UpdateCheckout",
  "CheckoutService.CancelCheckout",
  "CheckoutService.GetCheckout",
  "CheckoutService.ListCheckouts",
  "OrderService.CreateOrder",
  "OrderService.GetOrder",
  "OrderService.ListOrders",
  "TaxIdentifierService.CreateTaxIdentifier",
  "TaxIdentifierService.GetTaxIdentifier",
  "TaxIdentifierService.ListTaxIdentifiers",
  "TaxIdentifierService.DeleteTaxIdentifier",
  "FormService.GetFormConstraints",
  "PrivacyService.RequestErasure",
  "PrivacyService.GetErasure",
  "PrivacyService.ListErasures",
  "PrivacyService.CancelErasure",
];

/** Fields that only the merchant writes, each with a value. */
export const merchantFields: Readonly<JsonObject> = {
  enabled: true,
  taxExempt: false,
  metadata: { note: "said by the shopper" },
  externalReferences: [{ name: "stripe", id: "cus_of_the_shopper" }],
};

/** The profile that a shopper gives at sign-up. */
export const personalOf = (world: World): JsonObject => {
  const { requestToBeForgotten: _, ...rest } = customerOf(world);
  return Object.fromEntries(Object.entries(rest).filter(([name]) => !Object.hasOwn(merchantFields, name)));
};

/** A request for a method that succeeds with a publishable key, where there is one. */
export function requestOfPage(method: DescMethod, world: World): JsonObject {
  const request = requestFor(method, world);
  const { guestCheckout: id, checkoutSecret } = world;
  const { customerId: _, ...checkout } = Object(request.checkout);
  switch (method.name) {
    case "CreateCustomer":
      return { customer: personalOf(world) };
    case "CreateCheckout":
    case "PreviewCheckout":
      return { checkout };
    case "UpdateCheckout":
      return { id, checkoutSecret, checkout };
    case "CancelCheckout":
    case "GetCheckout":
      return { id, checkoutSecret };
    case "CreateOrder":
      return { checkoutId: id, checkoutSecret };
    default:
      return request;
  }
}

/** A request for a method that succeeds with a token of the world's customer, where there is one. */
export function requestOfShopper(method: DescMethod, world: World): JsonObject {
  if (nameOf(method) === "PrivacyService.RequestErasure") return { customerId: world.customer };
  if (nameOf(method) !== "CustomerService.UpdateCustomer") return requestFor(method, world);
  const { password: _, ...personal } = personalOf(world);
  return { customer: { id: world.customer, ...personal, name: `${canary} anew` } };
}
