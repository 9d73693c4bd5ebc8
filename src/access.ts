import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { AccountService } from "../gen/clientele/v1/accounts_pb.js";
import { AddressService } from "../gen/clientele/v1/addresses_pb.js";
import { ApiKeyService } from "../gen/clientele/v1/api_keys_pb.js";
import { CheckoutService } from "../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { OrderService } from "../gen/clientele/v1/orders_pb.js";
import { PaymentMethodService } from "../gen/clientele/v1/payment_methods_pb.js";
import { PhotoService } from "../gen/clientele/v1/photos_pb.js";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import { ServerReflection as ReflectionV1 } from "../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ReflectionV1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
import type { CallerKind } from "./rpc/caller.js";

type MethodsOf<Service extends DescService> = { readonly [Method in keyof Service["method"]]: readonly CallerKind[] };

const secretKey = ["secret_key"] as const;
const anybody = ["public"] as const;

// A line for each RPC, checked by the compiler: a service with an RPC that stands in no line does not compile.
const table = new Map<string, Readonly<Record<string, readonly CallerKind[]>>>([
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
    createCustomer: secretKey,
    getCustomer: secretKey,
    batchGetCustomers: secretKey,
    getOrCreateCustomer: secretKey,
    searchCustomers: secretKey,
    listCustomers: secretKey,
    updateCustomer: secretKey,
    deleteCustomer: secretKey,
    undeleteCustomer: secretKey,
  }),
  allow(AddressService, {
    createAddress: secretKey,
    getAddress: secretKey,
    listAddresses: secretKey,
    updateAddress: secretKey,
    deleteAddress: secretKey,
    setDefaultAddress: secretKey,
  }),
  allow(PaymentMethodService, {
    attachPaymentMethod: secretKey,
    getPaymentMethod: secretKey,
    listPaymentMethods: secretKey,
    updatePaymentMethod: secretKey,
    setDefaultPaymentMethod: secretKey,
    detachPaymentMethod: secretKey,
  }),
  allow(PhotoService, { uploadPhoto: secretKey, deletePhoto: secretKey }),
  allow(CheckoutService, { createCheckout: secretKey, getCheckout: secretKey, listCheckouts: secretKey }),
  allow(OrderService, { createOrder: secretKey, getOrder: secretKey, listOrders: secretKey }),
  allow(Health, { check: anybody, list: anybody, watch: anybody }),
  allow(ReflectionV1, { serverReflectionInfo: anybody }),
  allow(ReflectionV1Alpha, { serverReflectionInfo: anybody }),
]);

/** Who may call a method; nobody if the table does not name it. */
export function allowedCallers(method: DescMethod): readonly CallerKind[] {
  const allowed = table.get(method.parent.typeName) ?? {};
  return (Object.hasOwn(allowed, method.localName) && allowed[method.localName]) || [];
}

function allow<Service extends DescService>(
  service: Service,
  methods: MethodsOf<Service>,
): [string, Readonly<Record<string, readonly CallerKind[]>>] {
  return [service.typeName, methods];
}
