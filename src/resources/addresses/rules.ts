import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { countryCode, countryName } from "../../formats/countries.js";
import { invalidFields } from "../../rpc/errors.js";
import { missingFields, requireValid, withoutBlanks } from "../../rpc/validate.js";

/**
 * The address as it will be stored: trimmed, without blanks, its country as a code. `prefix` is its path in the
 * request. Throws INVALID_ARGUMENT unless it keeps the contract and the settings.
 */
export function validAddress(given: Address, settings: AccountSettings, prefix: string): Address {
  const address = withoutBlanks(AddressSchema, given);
  requireValid(AddressSchema, address, prefix);
  const violations = missingFields(AddressSchema, address, settings.requiredAddressFields, prefix);
  if (address.country !== undefined) {
    const code = countryCode(address.country);
    const allowed = settings.allowedCountries;
    const field = `${prefix}.country`;
    if (code === undefined) violations.push({ field, description: "Enter a valid country." });
    else if (allowed.length > 0 && !allowed.includes(code)) {
      violations.push({ field, description: `Addresses in ${countryName(code)} are not accepted.` });
    } else address.country = code;
  }
  if (violations.length > 0) throw invalidFields(violations);
  return address;
}
