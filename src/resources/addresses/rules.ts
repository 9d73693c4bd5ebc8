import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { AdditionalAddressInfoSchema, type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { addressData } from "../../formats/address-data.js";
import { countryCode, countryName } from "../../formats/countries.js";
import { normalEmail } from "../../formats/emails.js";
import { normalPhone } from "../../formats/phones.js";
import { postalViolations } from "../../formats/postal.js";
import { normalPostalCode } from "../../formats/postal-codes.js";
import { normalState } from "../../formats/states.js";
import { type FieldViolation, invalidFields } from "../../rpc/errors.js";
import { missingFields, violationsIn, withoutBlanks } from "../../rpc/requests/validate.js";

/**
 * The address as it will be stored: trimmed, without blanks, its country as a code. `prefix` is its path in the
 * request. Throws INVALID_ARGUMENT unless it names a place and keeps the contract and the settings. A rule that the stored
 * address, `before`, breaks already may stay broken.
 */
export function validAddress(given: Address, settings: AccountSettings, prefix: string, before?: Address): Address {
  const address = withoutBlanks(AddressSchema, given);
  const info = address.additionalAddressInfo;
  if (info !== undefined) address.additionalAddressInfo = withoutBlanks(AdditionalAddressInfoSchema, info);
  const violations = violationsIn(AddressSchema, address, prefix);
  const countryOf = address.country === undefined ? undefined : countryCode(address.country);
  const required = settings.requiredAddressFields.filter((field) => isUsed(field, countryOf));
  const missing = missingFields(AddressSchema, address, required, prefix, before);
  violations.push(...missing);
  if (missing.length === 0 && !namesPlace(address) && (before === undefined || namesPlace(before))) {
    violations.push({ field: prefix, description: "Enter a place: a street, a city, a postal code or a country." });
  }
  violations.push(...countryViolations(address, settings.allowedCountries, prefix, before?.country));
  const { country } = address;
  if (country !== undefined) {
    violations.push(...postalViolations(address).map((it) => ({ ...it, field: `${prefix}.${it.field}` })));
    if (address.state !== undefined) address.state = normalState(country, address.state) ?? address.state;
    if (address.postalCode !== undefined) {
      address.postalCode = normalPostalCode(country, address.postalCode) ?? address.postalCode;
    }
  }
  if (address.email !== undefined && address.email !== before?.email) {
    const email = normalEmail(address.email);
    if (email === undefined) violations.push({ field: `${prefix}.email`, description: "Enter a valid email address." });
    else address.email = email;
  }
  if (address.phone !== undefined) {
    const phone = normalPhone(address.phone, country);
    if (phone === undefined) violations.push({ field: `${prefix}.phone`, description: "Enter a valid phone number." });
    else address.phone = phone;
  }
  if (violations.length > 0) throw invalidFields(violations);
  return address;
}

/** Whether an address names a place, beside a recipient. */
export function namesPlace({ line1, line2, city, county, state, postalCode, country }: Address): boolean {
  return [line1, line2, city, county, state, postalCode, country].some((part) => part !== undefined);
}

// Panama, Hong Kong and the United Arab Emirates have no postal codes, Germany and France no states.
function isUsed(field: string, country: string | undefined): boolean {
  const data = country === undefined ? undefined : addressData(country);
  if (field === "state") return data?.hasStates !== false;
  return field !== "postal_code" || data?.hasPostalCodes !== false;
}

// The country as a code, in place; what is wrong with it.
function countryViolations(
  address: Address,
  allowed: readonly string[],
  prefix: string,
  before: string | undefined,
): FieldViolation[] {
  if (address.country === undefined) return [];
  const code = countryCode(address.country);
  const field = `${prefix}.country`;
  if (code === undefined) return [{ field, description: "Enter a valid country." }];
  address.country = code;
  if (allowed.length === 0 || allowed.includes(code) || code === before) return [];
  return [{ field, description: `Addresses in ${countryName(code)} are not accepted.` }];
}
