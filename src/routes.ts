import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import type { UniversalHandlerOptions } from "@connectrpc/connect/protocol";
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
import type { Deps } from "./deps.js";
import { accountService } from "./resources/accounts/service.js";
import { addressService } from "./resources/addresses/service.js";
import { apiKeyService } from "./resources/api-keys/service.js";
import { checkoutService } from "./resources/checkouts/service.js";
import { customFieldService } from "./resources/custom-fields/service.js";
import { customerTokenService } from "./resources/customer-tokens/service.js";
import { customerService } from "./resources/customers/service.js";
import { eventService } from "./resources/events/service.js";
import { formService } from "./resources/forms/service.js";
import { orderService } from "./resources/orders/service.js";
import { passwordService } from "./resources/passwords/service.js";
import { paymentMethodService } from "./resources/payment-methods/service.js";
import { photoService } from "./resources/photos/service.js";
import { maxUploadMessage, photoUpload } from "./resources/photos/upload.js";
import { privacyService } from "./resources/privacy/service.js";
import { taxCertificateService } from "./resources/tax-certificates/service.js";
import {
  maxUploadMessage as maxCertificateMessage,
  taxCertificateUpload,
} from "./resources/tax-certificates/upload.js";
import { taxIdentifierService } from "./resources/tax-identifiers/service.js";
import { webhookService } from "./resources/webhooks/service.js";
import { withIdempotency } from "./rpc/calls/call.js";
import type { Upload } from "./server/http/uploads.js";

/** Every service of Clientele, for routes, reflection and health checks. */
export const services = [
  AccountService,
  ApiKeyService,
  CustomerService,
  CustomerTokenService,
  PasswordService,
  AddressService,
  PaymentMethodService,
  PhotoService,
  CheckoutService,
  OrderService,
  EventService,
  CustomFieldService,
  WebhookService,
  TaxIdentifierService,
  TaxCertificateService,
  FormService,
  PrivacyService,
];

/** The methods that also accept a form. */
export const uploads: readonly Upload[] = [photoUpload, taxCertificateUpload];

/** Registers every service. */
export function createRoutes(deps: Deps) {
  return (router: ConnectRouter): void => {
    const serve = <Service extends DescService>(
      service: Service,
      implementation: ServiceImpl<Service>,
      options: Partial<UniversalHandlerOptions> = {},
    ) => router.service(service, withIdempotency(service, implementation), options);
    serve(AccountService, accountService(deps));
    serve(ApiKeyService, apiKeyService(deps));
    serve(CustomerService, customerService(deps));
    serve(CustomerTokenService, customerTokenService(deps));
    serve(PasswordService, passwordService(deps));
    serve(AddressService, addressService(deps));
    serve(PaymentMethodService, paymentMethodService(deps));
    serve(PhotoService, photoService(deps), { readMaxBytes: maxUploadMessage });
    serve(CheckoutService, checkoutService(deps));
    serve(OrderService, orderService(deps));
    serve(EventService, eventService(deps));
    serve(CustomFieldService, customFieldService(deps));
    serve(WebhookService, webhookService(deps));
    serve(TaxIdentifierService, taxIdentifierService(deps));
    serve(TaxCertificateService, taxCertificateService(deps), { readMaxBytes: maxCertificateMessage });
    serve(FormService, formService(deps));
    serve(PrivacyService, privacyService(deps));
  };
}
