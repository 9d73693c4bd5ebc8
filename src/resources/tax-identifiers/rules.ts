import { type TaxIdentifier, TaxIdentifierSchema } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { countryCode } from "../../formats/countries.js";
import { compactTaxIdentifier, countryOfTaxType } from "../../formats/tax-identifiers.js";
import { invalidFields, rpcError } from "../../rpc/errors.js";
import { violationsIn, withoutBlanks } from "../../rpc/requests/validate.js";

/**
 * The tax identifier as it will be stored: its value in compact form, its country that of the type. Throws
 * INVALID_ARGUMENT unless format and check digits are those of the type. `path` is its path in the request.
 */
export function validTaxIdentifier(given: TaxIdentifier, path = "tax_identifier"): TaxIdentifier {
  const identifier = withoutBlanks(TaxIdentifierSchema, given);
  const violations = violationsIn(TaxIdentifierSchema, identifier, path);
  if (violations.length > 0) throw invalidFields(violations);
  const wrong = (field: string, description: string) => violations.push({ field: `${path}.${field}`, description });
  const { type, value } = identifier;
  const country = countryOfTaxType(type);
  const compact = compactTaxIdentifier(type, value);
  if (compact === undefined) wrong("value", `must be a valid number of the type ${type}`);
  if (country !== undefined && identifier.country !== "" && countryCode(identifier.country) !== country) {
    wrong("country", `must be ${country}, the country of the type`);
  }
  if (country === undefined || compact === undefined || violations.length > 0) throw invalidFields(violations);
  return { ...identifier, value: compact, country };
}

/** The customer has another one of the type. */
export function taxTypeTaken() {
  return rpcError("TAX_IDENTIFIER_TYPE_TAKEN", "The customer has a tax identifier of this type already.");
}
