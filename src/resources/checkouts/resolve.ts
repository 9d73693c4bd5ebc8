import { create } from "@bufbuild/protobuf";
import type { Address } from "../../../gen/clientele/v1/addresses_pb.js";
import {
  type Contact,
  ContactSchema,
  type CreateCheckoutRequest,
  type Resolution,
  ResolutionSchema,
  ResolutionSource,
  SkippedDefault,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { type Customer, CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { type PaymentMethod, PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";

/** What there is to choose from; what does not apply is absent. */
export interface Candidates {
  readonly request: Pick<CreateCheckoutRequest, "contact" | "displayName" | "locale" | "type">;
  /** From the request: the inline address, or the saved one that it names. */
  readonly requestShipping?: Address | undefined;
  /** From the request: the token. */
  readonly requestPaymentMethod?: PaymentMethod | undefined;
  readonly customer?: Customer | undefined;
  readonly defaultShipping?: Address | undefined;
  readonly defaultPaymentMethod?: PaymentMethod | undefined;
}

/** What a checkout copies. */
export interface Resolved {
  readonly displayName: string;
  readonly contact: Contact;
  readonly shipping: Address | undefined;
  readonly paymentMethod: PaymentMethod | undefined;
  readonly locale: string | undefined;
  readonly type: CustomerType;
  readonly resolutions: Resolution[];
}

/** Chooses what a checkout copies, request before default before profile, and says where each came from (§6). */
export function resolve(candidates: Candidates): Resolved {
  const { request, customer, requestShipping, requestPaymentMethod, defaultShipping, defaultPaymentMethod } =
    candidates;
  const resolutions: Resolution[] = [];
  const note = (field: string, source: ResolutionSource, skippedDefault = SkippedDefault.UNSPECIFIED) => {
    resolutions.push(create(ResolutionSchema, { field, source, skippedDefault }));
  };

  const contact = create(ContactSchema);
  for (const field of ["email", "name", "phone"] as const) {
    const value = profiled(`contact.${field}`, request.contact?.[field] || undefined, customer?.[field]);
    if (value !== undefined) contact[field] = value;
  }
  const shipping = defaulted("shipping", requestShipping, defaultShipping, usable);
  const paymentMethod = defaulted("payment_method", requestPaymentMethod, defaultPaymentMethod, chargeable);
  const locale = profiled("locale", request.locale || undefined, customer?.locale);
  const type = profiled("type", request.type || undefined, customer?.type || undefined) ?? CustomerType.UNSPECIFIED;
  const displayName = request.displayName || contact.email || contact.name || customer?.id || "";
  return { displayName, contact, shipping, paymentMethod, locale, type, resolutions };

  function profiled<T>(field: string, requested: T | undefined, profile: T | undefined): T | undefined {
    if (requested !== undefined) note(field, ResolutionSource.REQUEST);
    else note(field, profile === undefined ? ResolutionSource.NONE : ResolutionSource.CUSTOMER_PROFILE);
    return requested ?? profile;
  }

  function defaulted<T>(
    field: string,
    requested: T | undefined,
    fallback: T | undefined,
    skip: (fallback: T) => SkippedDefault,
  ): T | undefined {
    if (requested !== undefined) {
      note(field, ResolutionSource.REQUEST);
      return requested;
    }
    const skipped = fallback === undefined ? SkippedDefault.NOT_SET : skip(fallback);
    const applies = skipped === SkippedDefault.UNSPECIFIED;
    note(field, applies ? ResolutionSource.CUSTOMER_DEFAULT : ResolutionSource.NONE, skipped);
    return applies ? fallback : undefined;
  }
}

function usable(): SkippedDefault {
  return SkippedDefault.UNSPECIFIED;
}

// A default cannot be consumed: detaching it clears it.
function chargeable({ state }: PaymentMethod): SkippedDefault {
  return state === PaymentMethodState.EXPIRED ? SkippedDefault.EXPIRED : SkippedDefault.UNSPECIFIED;
}
