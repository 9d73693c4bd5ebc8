import { create } from "@bufbuild/protobuf";
import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { ContactSchema, type CreateCheckoutRequest } from "../../../gen/clientele/v1/checkouts_pb.js";
import { isLocale } from "../../formats/locales.js";
import { normalPhone } from "../../formats/phones.js";
import type { Call } from "../../rpc/callers/caller.js";
import {
  conflict,
  type FieldViolation,
  invalidField,
  invalidFields,
  notFound,
  requiredMessage,
} from "../../rpc/errors.js";
import { applyMask } from "../../rpc/requests/field-mask.js";
import { withoutBlanks } from "../../rpc/requests/validate.js";
import { addressFromRow, writableFields } from "../addresses/convert.js";
import { validAddress } from "../addresses/rules.js";
import { findAddress } from "../addresses/store.js";
import { customerFromRow } from "../customers/convert.js";
import type { CustomerRow } from "../customers/fields.js";
import { paymentMethodFromCard, paymentMethodFromRow } from "../payment-methods/convert.js";
import { findToken } from "../payment-methods/store.js";
import { type DescribedToken, requireAttachedBefore, requireOwn, type UseToken } from "../payment-methods/token.js";
import type { Candidates } from "./resolve.js";
import { requestedTaxIdentifiers, taxOf } from "./tax.js";

/** What a request says of a checkout, by whichever RPC it came; empty where it says nothing. */
export type Asked = Pick<
  CreateCheckoutRequest,
  "addressId" | "creditCardToken" | "contact" | "shipping" | "displayName" | "locale" | "type" | "taxIdentifierIds"
>;

/** Who buys, and by which rules. */
export interface Buyer {
  /** Absent for a guest. */
  readonly customer: CustomerRow | undefined;
  /** The token of the request. */
  readonly described: DescribedToken | undefined;
  readonly settings: AccountSettings;
  /** What becomes of the token: it is attached, or nothing is changed. */
  readonly use: UseToken;
  /** Where telephone numbers are dialled if the request has no address. */
  readonly country?: string | undefined;
}

/** Refuses a guest without what there is no customer to take from (EP); of an update, among the fields that it names. */
export function requireGuest(asked: Asked, fields?: ReadonlySet<string>): void {
  const violations: FieldViolation[] = [];
  const requires = (field: string) => fields === undefined || fields.has(field);
  const contact = asked.contact && withoutBlanks(ContactSchema, asked.contact);
  const missing = (field: string) => violations.push({ field, description: requiredMessage });
  if (requires("contact.email") && contact?.email === undefined) missing("contact.email");
  if (requires("shipping") && asked.shipping === undefined) missing("shipping");
  if (requires("payment_method") && asked.creditCardToken === "") missing("credit_card_token");
  if (asked.addressId !== "") violations.push({ field: "address_id", description: "belongs to a customer" });
  if (violations.length > 0) throw invalidFields(violations);
}

/** Gathers what a checkout is resolved from. A customer that is given is active. */
export async function gather(call: Call, asked: Asked, buyer: Buyer): Promise<Candidates> {
  const { customer, settings } = buyer;
  const inline = asked.shipping && inlineAddress(asked.shipping, settings);
  const requestTaxIdentifiers = await requestedTaxIdentifiers(call, asked.taxIdentifierIds, customer?.id);
  if (customer === undefined) {
    const requestPaymentMethod = await guestPaymentMethod(call, buyer.described);
    const request = requestOf(asked, inline?.country ?? buyer.country);
    return { request, requestShipping: inline, requestPaymentMethod, requestTaxIdentifiers };
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
  const requestShipping = asked.addressId === "" ? inline : await savedAddress(asked.addressId);
  const { default_address_id: addressId, default_payment_method_id: methodId } = customer;
  return {
    request: requestOf(asked, requestShipping?.country ?? buyer.country ?? customer.country ?? undefined),
    requestShipping,
    requestPaymentMethod: await customerPaymentMethod(customer, buyer),
    requestTaxIdentifiers,
    // A checkout takes no custom fields.
    customer: customerFromRow(customer, { ...call, customFields: [] }),
    defaultShipping: addressId === null ? undefined : await savedAddress(addressId),
    defaultPaymentMethod: methodId === null ? undefined : await savedPaymentMethod(methodId),
    ...(await taxOf(call, customer.id)),
  };
}

async function guestPaymentMethod({ db, tenantId, now }: Call, described: DescribedToken | undefined) {
  if (described === undefined) return undefined;
  const { token, card } = described;
  const attached = await findToken(db, tenantId, token);
  if (attached !== undefined) requireOwn(attached, undefined);
  // It was detached since the vault was not asked.
  if (card === undefined) throw conflict();
  return paymentMethodFromCard(token, card, now);
}

async function customerPaymentMethod(customer: CustomerRow, { described, settings, use }: Buyer) {
  if (described === undefined) return undefined;
  requireAttachedBefore(described, settings);
  const firstBecomesDefault = settings.firstPaymentMethodBecomesDefault === true;
  return await use(customer, { ...described, firstBecomesDefault });
}

// What is output only is nobody's to write: the copy would name an address, a customer and times that it never had.
function inlineAddress(given: Address, settings: AccountSettings): Address {
  const { next } = applyMask(AddressSchema, create(AddressSchema), given, undefined, writableFields);
  return validAddress(next, settings, "shipping");
}

// What the buyer says of itself, trimmed and checked.
function requestOf(asked: Asked, country: string | undefined): Candidates["request"] {
  const contact = asked.contact && withoutBlanks(ContactSchema, asked.contact);
  if (contact?.phone !== undefined) {
    const phone = normalPhone(contact.phone, country);
    if (phone === undefined) throw invalidField("contact.phone", "Enter a valid phone number.");
    contact.phone = phone;
  }
  const { displayName, locale, type } = asked;
  if (locale && !isLocale(locale)) throw invalidField("locale", "Enter a valid locale, such as en_US.");
  return {
    ...(contact && { contact }),
    ...(displayName !== undefined && { displayName: displayName.trim() }),
    ...(locale !== undefined && { locale }),
    type,
  };
}
