import { create } from "@bufbuild/protobuf";
import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { type CheckoutInput, ContactSchema } from "../../../gen/clientele/v1/checkouts_pb.js";
import { normalEmail } from "../../formats/emails.js";
import { isLocale } from "../../formats/locales.js";
import { normalPhone } from "../../formats/phones.js";
import { cleanText } from "../../formats/text.js";
import type { Call } from "../../rpc/callers/caller.js";
import { conflict, invalidField, notFound } from "../../rpc/errors.js";
import { applyMask } from "../../rpc/requests/field-mask.js";
import { withoutBlanks } from "../../rpc/requests/validate.js";
import { addressFromRow, writableFields } from "../addresses/convert.js";
import { validAddress } from "../addresses/rules.js";
import { findAddress } from "../addresses/store.js";
import { customerFromRow } from "../customers/convert.js";
import type { CustomerRow } from "../customers/fields.js";
import { paymentMethodFromCard, paymentMethodFromRow } from "../payment-methods/convert.js";
import { findToken } from "../payment-methods/store.js";
import {
  type DescribedToken,
  requireAttachedBefore,
  requireOwn,
  type UseToken,
  useReclaims,
} from "../payment-methods/token.js";
import { inputPath } from "./input.js";
import type { Candidates } from "./resolve.js";
import { requestedTaxIdentifiers, taxOf } from "./tax.js";

/** The buyer, and the rules of the tenant. */
export interface Buyer {
  /** Absent for a guest. */
  readonly customer: CustomerRow | undefined;
  /** The token of the input. */
  readonly description: DescribedToken | undefined;
  readonly settings: AccountSettings;
  /** How the token is used: attached to the customer, or only previewed. */
  readonly use: UseToken;
  /** The country of telephone numbers if the input has no address. */
  readonly country?: string | undefined;
}

/** Reads the values that a checkout chooses from. The customer, if there is one, must be active. */
export async function gather(call: Call, input: CheckoutInput, buyer: Buyer): Promise<Candidates> {
  const { customer, settings } = buyer;
  const inline = input.shipping && inlineAddress(input.shipping, settings, "shipping");
  const inlineBilling = input.billing && inlineAddress(input.billing, settings, "billing");
  const requestTaxIdentifiers = await requestedTaxIdentifiers(call, input.taxIdentifierIds, customer?.id);
  if (customer === undefined) {
    const requestPaymentMethod = await guestPaymentMethod(call, buyer.description);
    const request = requestOf(input, inline?.country ?? buyer.country);
    return {
      request,
      requestShipping: inline,
      requestBilling: inlineBilling,
      requestPaymentMethod,
      requestTaxIdentifiers,
    };
  }
  const { db, tenantId, now } = call;
  const savedAddress = async (id: string) => {
    const address = await findAddress(db, tenantId, customer.id, id);
    if (address === undefined) throw notFound("address");
    return addressFromRow(address, customer.default_address_id);
  };
  const savedPaymentMethod = async (id: string) => {
    const method = await findToken(db, tenantId, id);
    return method && paymentMethodFromRow(method, id, now);
  };
  const requestShipping = input.addressId ? await savedAddress(input.addressId) : inline;
  const { default_address_id: addressId, default_payment_method_id: methodId } = customer;
  const billingId = customer.default_billing_address_id;
  return {
    request: requestOf(input, requestShipping?.country ?? buyer.country ?? customer.country ?? undefined),
    requestShipping,
    requestBilling: input.billingAddressId ? await savedAddress(input.billingAddressId) : inlineBilling,
    requestPaymentMethod: await customerPaymentMethod(customer, buyer),
    requestTaxIdentifiers,
    // A checkout takes no custom fields.
    customer: customerFromRow(customer, { ...call, customFields: [], settings }),
    defaultShipping: addressId === null ? undefined : await savedAddress(addressId),
    defaultBilling: billingId === null ? undefined : await savedAddress(billingId),
    defaultPaymentMethod: methodId === null ? undefined : await savedPaymentMethod(methodId),
    ...(await taxOf(call, customer.id)),
  };
}

async function guestPaymentMethod({ db, tenantId, now }: Call, description: DescribedToken | undefined) {
  if (description === undefined) return undefined;
  const { token, card } = description;
  const owner = await findToken(db, tenantId, token);
  if (owner !== undefined) requireOwn(owner, undefined);
  // Another call detached the token after it was looked up, and the vault was not asked.
  if (card === undefined) throw conflict();
  return paymentMethodFromCard(token, card, now);
}

async function customerPaymentMethod(customer: CustomerRow, { description, settings, use }: Buyer) {
  if (description === undefined) return undefined;
  requireAttachedBefore(description, settings);
  const firstBecomesDefault = settings.firstPaymentMethodBecomesDefault === true;
  return await use(customer, { ...description, firstBecomesDefault, reclaims: useReclaims(settings) });
}

// The output-only fields are dropped: the copy would name an address, a customer and times that it never had.
function inlineAddress(given: Address, settings: AccountSettings, field: "shipping" | "billing"): Address {
  const { next } = applyMask(AddressSchema, create(AddressSchema), given, undefined, writableFields);
  return validAddress(next, settings, `${inputPath}.${field}`);
}

// The buyer's own words, trimmed and checked.
function requestOf(input: CheckoutInput, country: string | undefined): Candidates["request"] {
  const contact = input.contact && withoutBlanks(ContactSchema, input.contact);
  if (contact?.email !== undefined) {
    const email = normalEmail(contact.email);
    if (email === undefined) throw invalidField(`${inputPath}.contact.email`, "Enter a valid email address.");
    contact.email = email;
  }
  if (contact?.phone !== undefined) {
    const phone = normalPhone(contact.phone, country);
    if (phone === undefined) throw invalidField(`${inputPath}.contact.phone`, "Enter a valid phone number.");
    contact.phone = phone;
  }
  const { displayName, locale, customerType } = input;
  if (locale && !isLocale(locale)) throw invalidField(`${inputPath}.locale`, "Enter a valid locale, such as en_US.");
  return {
    ...(contact && { contact }),
    ...(displayName !== undefined && { displayName: cleanText(displayName) }),
    ...(locale !== undefined && { locale }),
    customerType,
  };
}
