import { create } from "@bufbuild/protobuf";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import {
  type Checkout,
  type CheckoutInput,
  type Contact,
  ContactSchema,
  type Resolution,
  ResolutionSchema,
  ResolutionSource,
  SkippedDefault,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { type Customer, CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { type PaymentMethod, PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";
import { type TaxCertificate, TaxCertificateState } from "../../../gen/clientele/v1/tax_certificates_pb.js";
import { type TaxIdentifier, TaxIdentifierState } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { namesPlace } from "../addresses/rules.js";

/** The values to choose from; one that does not apply is absent. */
export interface Candidates {
  readonly request: Pick<CheckoutInput, "contact" | "displayName" | "locale" | "customerType">;
  /** From the request: the inline address, or the saved one that it names. */
  readonly requestShipping?: Address | undefined;
  /** From the request: the inline address to bill, or the saved one that it names. */
  readonly requestBilling?: Address | undefined;
  /** From the request: the token. */
  readonly requestPaymentMethod?: PaymentMethod | undefined;
  /** From the request: the tax identifiers that it names, all verified. */
  readonly requestTaxIdentifiers?: readonly TaxIdentifier[] | undefined;
  readonly customer?: Customer | undefined;
  readonly defaultShipping?: Address | undefined;
  readonly defaultBilling?: Address | undefined;
  readonly defaultPaymentMethod?: PaymentMethod | undefined;
  /** All of the customer's tax identifiers, in any state. */
  readonly taxIdentifiers?: readonly TaxIdentifier[];
  readonly taxCertificates?: readonly TaxCertificate[];
}

/** The start of an update: the checkout, and the fields to resolve again. */
export interface Revision {
  readonly before: Checkout;
  readonly fields: ReadonlySet<string>;
}

/** The values that a checkout copies. */
export interface Resolved {
  readonly displayName: string;
  readonly contact: Contact;
  readonly shipping: Address | undefined;
  readonly billing: Address | undefined;
  readonly paymentMethod: PaymentMethod | undefined;
  readonly locale: string | undefined;
  readonly customerType: CustomerType;
  readonly taxExempt: boolean;
  readonly taxIdentifiers: readonly TaxIdentifier[];
  readonly taxCertificates: readonly TaxCertificate[];
  readonly resolutions: Resolution[];
}

/**
 * Chooses what a checkout copies, request before default before profile, and says where each came from. Of a
 * revised checkout, the other fields stay as they were copied.
 */
export function resolve(candidates: Candidates, revision?: Revision): Resolved {
  const { request, customer, requestShipping, requestPaymentMethod, defaultShipping, defaultPaymentMethod } =
    candidates;
  const resolutions: Resolution[] = [];

  const contact = create(ContactSchema);
  for (const part of ["email", "name", "phone"] as const) {
    const field = `contact.${part}`;
    const fresh = () => fromProfile(field, request.contact?.[part] || undefined, customer?.[part]);
    const value = unlessKept(field, ({ contact }) => contact?.[part], fresh);
    if (value !== undefined) contact[part] = value;
  }
  const shipping = unlessKept(
    "shipping",
    (before) => before.shipping,
    () => fromDefault("shipping", requestShipping, defaultShipping, skipOfAddress),
  );
  const paymentMethod = unlessKept(
    "payment_method",
    (before) => before.paymentMethod,
    () => fromDefault("payment_method", requestPaymentMethod, defaultPaymentMethod, skipOfPaymentMethod),
  );
  const billing = resolveBilling();
  const locale = unlessKept(
    "locale",
    (before) => before.locale,
    () => fromProfile("locale", request.locale || undefined, customer?.locale),
  );
  const customerType = unlessKept(
    "customer_type",
    (before) => before.customerType,
    () => fromProfile("customer_type", request.customerType || undefined, customer?.type || undefined),
  );
  const taxIdentifiers = unlessKept(
    "tax_identifiers",
    (before) => before.taxIdentifiers,
    () =>
      chooseList("tax_identifiers", candidates.requestTaxIdentifiers, candidates.taxIdentifiers, skipOfTaxIdentifier),
  );
  const taxCertificates = unlessKept(
    "tax_certificates",
    (before) => before.taxCertificates,
    () =>
      chooseList(
        "tax_certificates",
        undefined,
        certificatesFor(shipping, candidates.taxCertificates),
        skipOfTaxCertificate,
      ),
  );
  const displayName = resolveName(
    isKept("display_name") ? nameGivenTo(revision?.before) : request.displayName || undefined,
  );
  return {
    displayName,
    contact,
    shipping,
    billing,
    paymentMethod,
    locale,
    customerType: customerType ?? CustomerType.UNSPECIFIED,
    taxExempt: (revision?.before ?? customer)?.taxExempt ?? false,
    taxIdentifiers,
    taxCertificates,
    resolutions,
  };

  function isKept(field: string): boolean {
    return revision !== undefined && !revision.fields.has(field);
  }

  function unlessKept<T>(field: string, kept: (before: Checkout) => T, fresh: () => T): T {
    if (revision === undefined || !isKept(field)) return fresh();
    resolutions.push(...revision.before.resolutions.filter((one) => one.field === field));
    return kept(revision.before);
  }

  function note(field: string, source: ResolutionSource, skippedDefault = SkippedDefault.UNSPECIFIED): void {
    resolutions.push(create(ResolutionSchema, { field, source, skippedDefault }));
  }

  function fromProfile<T>(field: string, requested: T | undefined, profile: T | undefined): T | undefined {
    if (requested !== undefined) note(field, ResolutionSource.REQUEST);
    else note(field, profile === undefined ? ResolutionSource.NONE : ResolutionSource.CUSTOMER_PROFILE);
    return requested ?? profile;
  }

  function fromDefault<T>(
    field: string,
    requested: T | undefined,
    fallback: T | undefined,
    skip: (fallback: T) => SkippedDefault,
  ): T | undefined {
    if (requested !== undefined) {
      note(field, ResolutionSource.REQUEST);
      return requested;
    }
    const reason = fallback === undefined ? SkippedDefault.NOT_SET : skip(fallback);
    const applies = reason === SkippedDefault.UNSPECIFIED;
    note(field, applies ? ResolutionSource.CUSTOMER_DEFAULT : ResolutionSource.NONE, reason);
    return applies ? fallback : undefined;
  }

  // A billing address that no input gave follows the payment method and the shipping address, and no later default.
  function resolveBilling(): Address | undefined {
    const before = revision?.before;
    const source = before?.resolutions.find(({ field }) => field === "billing")?.source;
    const { defaultBilling } = candidates;
    if (!isKept("billing")) return chooseBilling(candidates.requestBilling, defaultBilling);
    if (source === ResolutionSource.REQUEST)
      return unlessKept(
        "billing",
        (kept) => kept.billing,
        () => undefined,
      );
    if (!isKept("payment_method")) return chooseBilling(undefined, defaultBilling);
    return chooseBilling(undefined, source === ResolutionSource.CUSTOMER_DEFAULT ? before?.billing : undefined);
  }

  function chooseBilling(requested: Address | undefined, defaultBilling: Address | undefined): Address | undefined {
    const choices: [ResolutionSource, Address | undefined][] = [
      [ResolutionSource.REQUEST, requested],
      [ResolutionSource.PAYMENT_METHOD, paymentMethod && ownerAddress(paymentMethod)],
      [ResolutionSource.CUSTOMER_DEFAULT, defaultBilling && namesPlace(defaultBilling) ? defaultBilling : undefined],
      [ResolutionSource.SHIPPING, shipping],
    ];
    const [source, address] = choices.find(([, one]) => one !== undefined) ?? [ResolutionSource.NONE, undefined];
    note("billing", source);
    return address;
  }

  // The ones in the request, else the usable ones of the customer.
  function chooseList<T>(
    field: string,
    requested: readonly T[] | undefined,
    own: readonly T[] = [],
    skip: (one: T) => SkippedDefault,
  ): readonly T[] {
    const list = requested ?? own.filter((one) => skip(one) === SkippedDefault.UNSPECIFIED);
    const reason =
      requested === undefined ? own.map(skip).find((one) => one !== SkippedDefault.UNSPECIFIED) : undefined;
    const otherwise = list.length === 0 ? ResolutionSource.NONE : ResolutionSource.CUSTOMER_PROFILE;
    note(field, requested === undefined ? otherwise : ResolutionSource.REQUEST, reason);
    return list;
  }

  // The given name, else the e-mail address or the name with their source, else the customer's id.
  function resolveName(given: string | undefined): string {
    const part = (["email", "name"] as const).find((one) => contact[one] !== undefined);
    const contactSource = resolutions.find(({ field }) => field === `contact.${part}`)?.source;
    const otherwise = customer === undefined ? ResolutionSource.NONE : ResolutionSource.CUSTOMER_PROFILE;
    note("display_name", given === undefined ? (contactSource ?? otherwise) : ResolutionSource.REQUEST);
    return given ?? (part && contact[part]) ?? customer?.id ?? "";
  }
}

// The name that a request gave to a checkout; undefined if it follows the contact.
function nameGivenTo(before: Checkout | undefined): string | undefined {
  if (before === undefined) return undefined;
  const { displayName, contact, customerId } = before;
  return displayName === (contact?.email ?? contact?.name ?? customerId) ? undefined : displayName;
}

// The billing address that the vault knows; undefined if it names no place.
function ownerAddress({ billing }: PaymentMethod): Address | undefined {
  if (billing === undefined) return undefined;
  const { $typeName: _, $unknown: __, ...details } = billing;
  const address = create(AddressSchema, details);
  return namesPlace(address) ? address : undefined;
}

// A certificate exempts from the sales tax of one state of the United States.
function certificatesFor(
  shipping: Address | undefined,
  all: readonly TaxCertificate[] = [],
): readonly TaxCertificate[] {
  if (shipping?.country !== "US") return [];
  return all.filter(({ taxAuthority }) => taxAuthority === shipping.state);
}

// An address that names no place is no address.
function skipOfAddress(address: Address): SkippedDefault {
  return namesPlace(address) ? SkippedDefault.UNSPECIFIED : SkippedDefault.NOT_SET;
}

// A default cannot be consumed: detaching it clears it.
function skipOfPaymentMethod({ state }: PaymentMethod): SkippedDefault {
  return state === PaymentMethodState.EXPIRED ? SkippedDefault.EXPIRED : SkippedDefault.UNSPECIFIED;
}

function skipOfTaxIdentifier({ state }: TaxIdentifier): SkippedDefault {
  return state === TaxIdentifierState.VERIFIED ? SkippedDefault.UNSPECIFIED : SkippedDefault.NOT_VERIFIED;
}

function skipOfTaxCertificate({ state }: TaxCertificate): SkippedDefault {
  if (state === TaxCertificateState.PENDING) return SkippedDefault.NOT_STARTED;
  return state === TaxCertificateState.LAPSED ? SkippedDefault.EXPIRED : SkippedDefault.UNSPECIFIED;
}
