import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AddressService } from "../../../gen/clientele/v1/addresses_pb.js";
import { CustomerTokenService } from "../../../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { FormService } from "../../../gen/clientele/v1/forms_pb.js";
import { OrderService } from "../../../gen/clientele/v1/orders_pb.js";
import { PasswordService } from "../../../gen/clientele/v1/passwords_pb.js";
import { PaymentMethodService } from "../../../gen/clientele/v1/payment_methods_pb.js";
import { type Session, session } from "./session.js";

/** The clients of the page. They need a publishable key and, after sign-in, a customer token. */
export interface Service {
  readonly forms: Client<typeof FormService>;
  readonly tokens: Client<typeof CustomerTokenService>;
  readonly customers: Client<typeof CustomerService>;
  readonly passwords: Client<typeof PasswordService>;
  readonly addresses: Client<typeof AddressService>;
  readonly paymentMethods: Client<typeof PaymentMethodService>;
  readonly orders: Client<typeof OrderService>;
}

const withCredentials: Interceptor = (next) => async (request) => {
  request.header.set("x-api-key", import.meta.env.VITE_CLIENTELE_KEY);
  const present: Session | undefined = session.read();
  if (present !== undefined) request.header.set("x-customer-token", present.secret);
  return await next(request);
};

const transport = createConnectTransport({
  baseUrl: import.meta.env.VITE_CLIENTELE_URL,
  interceptors: [withCredentials],
  defaultTimeoutMs: 10_000,
});

export const service: Service = {
  forms: createClient(FormService, transport),
  tokens: createClient(CustomerTokenService, transport),
  customers: createClient(CustomerService, transport),
  passwords: createClient(PasswordService, transport),
  addresses: createClient(AddressService, transport),
  paymentMethods: createClient(PaymentMethodService, transport),
  orders: createClient(OrderService, transport),
};
