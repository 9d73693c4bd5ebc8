import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { AccountService } from "../gen/clientele/v1/accounts_pb.js";
import { AddressService } from "../gen/clientele/v1/addresses_pb.js";
import { ApiKeyService } from "../gen/clientele/v1/api_keys_pb.js";
import { CheckoutService } from "../gen/clientele/v1/checkouts_pb.js";
import { CustomFieldService } from "../gen/clientele/v1/custom_fields_pb.js";
import { CustomerTokenService } from "../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { EventService } from "../gen/clientele/v1/events_pb.js";
import { FormService } from "../gen/clientele/v1/forms_pb.js";
import { OrderService } from "../gen/clientele/v1/orders_pb.js";
import { PasswordService } from "../gen/clientele/v1/passwords_pb.js";
import { PaymentMethodService } from "../gen/clientele/v1/payment_methods_pb.js";
import { PhotoService } from "../gen/clientele/v1/photos_pb.js";
import { PrivacyService } from "../gen/clientele/v1/privacy_pb.js";
import { TaxCertificateService } from "../gen/clientele/v1/tax_certificates_pb.js";
import { TaxIdentifierService } from "../gen/clientele/v1/tax_identifiers_pb.js";
import { WebhookService } from "../gen/clientele/v1/webhooks_pb.js";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import { ServerReflection as ReflectionV1 } from "../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ReflectionV1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { signUpFields, writableFields } from "./resources/customers/fields.js";
import { type AccessRule, hasField } from "./rpc/callers/access.js";

type MethodsOf<Service extends DescService> = { readonly [Method in keyof Service["method"]]: AccessRule };

const anybody: AccessRule = { callers: ["public"] };
const secretKey: AccessRule = { callers: ["secret_key"] };

// Methods that a customer token may call too, with the field that names the customer.
const own = (field: string): AccessRule => ({
  callers: ["secret_key", "customer_token"],
  subject: { field, isOptional: false },
});
const ownByDefault = (field: string): AccessRule => ({
  callers: ["secret_key", "customer_token"],
  subject: { field, isOptional: true },
});
const aboutNobody: AccessRule = { callers: ["secret_key", "customer_token"], subject: "nobody" };
const ownByRow: AccessRule = { callers: ["secret_key", "customer_token"], subject: "by row" };
const forGuests = (rule: AccessRule): AccessRule => ({ ...rule, callers: [...rule.callers, "publishable_key"] });

// A line for each RPC, checked by the compiler: a service with an RPC that stands in no line does not compile.
const table = new Map<string, Readonly<Record<string, AccessRule>>>([
  allow(AccountService, {
    getAccount: secretKey,
    getAccountSettings: secretKey,
    updateAccountSettings: secretKey,
  }),
  allow(ApiKeyService, {
    createApiKey: secretKey,
    getApiKey: secretKey,
    listApiKeys: secretKey,
    revokeApiKey: secretKey,
  }),
  allow(CustomerService, {
    createCustomer: {
      callers: ["secret_key", "publishable_key"],
      writes: { message: "customer", fields: signUpFields },
    },
    getCustomer: own("id"),
    getCustomerOverview: secretKey,
    batchGetCustomers: secretKey,
    getOrCreateCustomer: secretKey,
    searchCustomers: secretKey,
    listCustomers: secretKey,
    updateCustomer: {
      ...own("customer.id"),
      // The update itself refuses a field of the merchant, once it can tell that the value changes.
      writes: { message: "customer", fields: writableFields },
    },
    deleteCustomer: own("id"),
    undeleteCustomer: secretKey,
  }),
  allow(CustomerTokenService, {
    createCustomerToken: {
      callers: ["secret_key", "publishable_key"],
      subject: { field: "customer_id", isOptional: true },
    },
    getCustomerToken: own("customer_id"),
    listCustomerTokens: own("customer_id"),
    revokeCustomerToken: own("customer_id"),
    revokeAllCustomerTokens: own("customer_id"),
  }),
  allow(PasswordService, {
    setPassword: secretKey,
    changePassword: own("customer_id"),
    removePassword: secretKey,
  }),
  allow(AddressService, {
    createAddress: own("customer_id"),
    getAddress: own("customer_id"),
    listAddresses: own("customer_id"),
    updateAddress: own("customer_id"),
    deleteAddress: own("customer_id"),
    setDefaultAddress: own("customer_id"),
  }),
  allow(PaymentMethodService, {
    attachPaymentMethod: own("customer_id"),
    getPaymentMethod: own("customer_id"),
    listPaymentMethods: own("customer_id"),
    updatePaymentMethod: own("customer_id"),
    setDefaultPaymentMethod: own("customer_id"),
    detachPaymentMethod: own("customer_id"),
  }),
  allow(PhotoService, { uploadPhoto: own("customer_id"), deletePhoto: own("customer_id") }),
  allow(CheckoutService, {
    // A guest's with a publishable key; with a customer token always its customer's.
    createCheckout: forGuests(ownByDefault("checkout.customer_id")),
    previewCheckout: forGuests(ownByDefault("checkout.customer_id")),
    // A guest's with a publishable key and the checkout's secret, which the handler demands.
    updateCheckout: forGuests(ownByDefault("checkout.customer_id")),
    cancelCheckout: forGuests(ownByRow),
    getCheckout: forGuests(ownByRow),
    listCheckouts: ownByDefault("customer_id"),
  }),
  allow(FormService, { getFormConstraints: forGuests(aboutNobody) }),
  allow(OrderService, {
    // A guest's checkout with its secret, as above.
    createOrder: forGuests(ownByRow),
    getOrder: ownByRow,
    listOrders: ownByDefault("customer_id"),
  }),
  allow(EventService, { getEvent: secretKey, listEvents: secretKey, watchEvents: secretKey }),
  allow(CustomFieldService, {
    createCustomField: secretKey,
    getCustomField: secretKey,
    listCustomFields: secretKey,
    updateCustomField: secretKey,
    deleteCustomField: secretKey,
  }),
  allow(WebhookService, {
    createWebhookEndpoint: secretKey,
    getWebhookEndpoint: secretKey,
    listWebhookEndpoints: secretKey,
    updateWebhookEndpoint: secretKey,
    deleteWebhookEndpoint: secretKey,
    rotateWebhookEndpointSecret: secretKey,
    pingWebhookEndpoint: secretKey,
    listWebhookDeliveries: secretKey,
    redeliverWebhookDelivery: secretKey,
  }),
  allow(TaxIdentifierService, {
    createTaxIdentifier: ownByDefault("customer_id"),
    getTaxIdentifier: ownByRow,
    listTaxIdentifiers: ownByDefault("customer_id"),
    // Only the merchant may give away an identifier that belongs to nobody.
    attachTaxIdentifier: secretKey,
    detachTaxIdentifier: secretKey,
    deleteTaxIdentifier: ownByRow,
  }),
  allow(TaxCertificateService, {
    createTaxCertificate: secretKey,
    getTaxCertificate: secretKey,
    getTaxCertificateFile: secretKey,
    listTaxCertificates: secretKey,
    deleteTaxCertificate: secretKey,
  }),
  allow(PrivacyService, {
    requestErasure: own("customer_id"),
    getErasure: ownByRow,
    listErasures: ownByDefault("customer_id"),
    cancelErasure: ownByRow,
    exportCustomerData: own("customer_id"),
  }),
  allow(Health, { check: anybody, list: anybody, watch: anybody }),
  allow(ReflectionV1, { serverReflectionInfo: anybody }),
  allow(ReflectionV1Alpha, { serverReflectionInfo: anybody }),
]);

/** The word for the subject of a customer token in errors. */
export const subjectName = "customer";

const nobody: AccessRule = { callers: [] };

/** The access rule of a method; without callers if the table does not name it. */
export function accessOf(method: DescMethod): AccessRule {
  const rules = table.get(method.parent.typeName) ?? {};
  return (Object.hasOwn(rules, method.localName) && rules[method.localName]) || nobody;
}

// Fails at the start for a rule that names no field of the request, or lets a customer token call without a bound.
function allow<Service extends DescService>(
  service: Service,
  rules: MethodsOf<Service>,
): [string, Readonly<Record<string, AccessRule>>] {
  for (const { localName, input } of service.methods) {
    const { callers, subject, writes } = rules[localName as keyof MethodsOf<Service>];
    const paths = [typeof subject === "object" && subject.field, writes?.message].filter(
      (path) => typeof path === "string",
    );
    if (!paths.every((path) => hasField(input, path))) throw new Error(`${input.typeName} lacks one of ${paths}`);
    if (callers.includes("customer_token") && subject === undefined) throw new Error(`${localName} has no owner`);
  }
  return [service.typeName, rules];
}
