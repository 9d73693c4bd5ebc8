import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Customer, CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { countryCode } from "../../formats/countries.js";
import { normalEmail } from "../../formats/emails.js";
import { isLocale } from "../../formats/locales.js";
import { canonicalToken } from "../../formats/payment-tokens.js";
import { normalPhone } from "../../formats/phones.js";
import type { CallerKind } from "../../rpc/callers/caller.js";
import { type FieldViolation, invalidField, invalidFields, refused } from "../../rpc/errors.js";
import { mergeObject } from "../../rpc/requests/field-mask.js";
import { missingFields, violationsIn, withoutBlanks } from "../../rpc/requests/validate.js";
import { metadataViolations } from "../accounts/metadata.js";
import type { TenantSettings } from "../accounts/settings.js";
import { validValues } from "../custom-fields/values.js";

const maxIdLength = 40;
// The id by which a customer token may name its own customer.
const ownId = "me";
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._~-]*$/;

/** Whether a text may be the id of a customer. */
export function isCustomerId(text: string): boolean {
  return text.length <= maxIdLength && text !== ownId && idPattern.test(text);
}
/** The rules for a customer that is written: those of the tenant, and the kind of the caller. */
export interface CustomerRules extends Pick<TenantSettings, "settings" | "customFields"> {
  readonly kind: CallerKind;
}

/**
 * The customer as it will be stored: trimmed, without blanks, its country as a code. Throws INVALID_ARGUMENT unless it
 * keeps the contract, the settings and the custom fields. The stored customer, `before`, may break a setting already;
 * then the new one may go on to break it.
 */
export function validCustomer(given: Customer, rules: CustomerRules, before?: Customer): Customer {
  const { settings, customFields, kind } = rules;
  // The password is neither trimmed nor stored here: it has a step of its own.
  const customer = { ...withoutBlanks(CustomerSchema, given), password: "" };
  if (customer.metadata !== undefined) customer.metadata = mergeObject({}, customer.metadata);
  const violations = violationsIn(CustomerSchema, customer, "customer");
  violations.push(...missingFields(CustomerSchema, customer, settings.requiredCustomerFields, "customer", before));
  violations.push(...referenceViolations(customer));
  violations.push(...metadataViolations(customer.metadata ?? {}, settings.metadataLimits, before?.metadata));
  const custom = validValues(customer.customFields ?? {}, customFields, { before: before?.customFields, kind });
  violations.push(...custom.violations);
  if (customer.customFields !== undefined || Object.keys(custom.values).length > 0)
    customer.customFields = custom.values;
  if (customer.email !== undefined && customer.email !== before?.email) {
    const email = normalEmail(customer.email);
    const isReported = violations.some(({ field }) => field === "customer.email");
    if (email !== undefined) customer.email = email;
    else if (!isReported) violations.push({ field: "customer.email", description: "Enter a valid email address." });
  }
  if (customer.country !== undefined) {
    const code = countryCode(customer.country);
    if (code === undefined) violations.push({ field: "customer.country", description: "Enter a valid country." });
    else customer.country = code;
  }
  if (customer.phone !== undefined) {
    const phone = normalPhone(customer.phone, customer.country);
    if (phone === undefined) violations.push({ field: "customer.phone", description: "Enter a valid phone number." });
    else customer.phone = phone;
  }
  if (customer.defaultPaymentMethodId !== undefined) {
    customer.defaultPaymentMethodId = canonicalToken(customer.defaultPaymentMethodId);
  }
  if (customer.locale !== undefined && !isLocale(customer.locale)) {
    violations.push({ field: "customer.locale", description: "Enter a valid locale, such as en_US." });
  }
  if (violations.length > 0) throw invalidFields(violations);
  return customer;
}

/** Refuses an id that the caller may not choose. Throws INVALID_ARGUMENT, reason ID_TOO_LONG, or FAILED_PRECONDITION. */
export function requireAssignableId(id: string, settings: AccountSettings): void {
  if (id.length > maxIdLength) {
    throw invalidField("customer.id", `must be at most ${maxIdLength} characters`, "ID_TOO_LONG");
  }
  if (id === ownId) throw invalidField("customer.id", "is reserved for the customer of a customer token");
  if (!settings.clientAssignedIds) {
    throw refused("CLIENT_ASSIGNED_IDS_OFF", "The account settings do not let the caller choose the id of a customer.");
  }
}

function referenceViolations({ externalReferences }: Customer): FieldViolation[] {
  const names = new Set(externalReferences.map(({ name }) => name));
  if (names.size === externalReferences.length) return [];
  return [{ field: "customer.external_references", description: "has a name more than once" }];
}
