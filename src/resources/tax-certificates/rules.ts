import { type TaxCertificate, TaxCertificateSchema } from "../../../gen/clientele/v1/tax_certificates_pb.js";
import { isDay } from "../../formats/days.js";
import { normalState } from "../../formats/states.js";
import { type FieldViolation, invalidFields, requiredMessage } from "../../rpc/errors.js";
import { violationsIn, withoutBlanks } from "../../rpc/requests/validate.js";

const dateMessage = "Enter a valid date, such as 2026-01-31.";
// Post offices of the armed forces, which levy no tax.
const military = ["AA", "AE", "AP"];

/** The certificate as it will be stored. Throws INVALID_ARGUMENT unless it is whole, and its dates are in order. */
export function validTaxCertificate(given: TaxCertificate): TaxCertificate {
  const certificate = withoutBlanks(TaxCertificateSchema, given);
  const violations = violationsIn(TaxCertificateSchema, certificate, "tax_certificate").map(withDateMessage);
  const wrong = (field: string, description: string) =>
    violations.push({ field: `tax_certificate.${field}`, description });
  const { taxAuthority, startDate, endDate } = certificate;
  const authority = normalState("US", taxAuthority);
  if (taxAuthority !== "" && (authority === undefined || military.includes(authority))) {
    wrong("tax_authority", "Enter a valid state of the United States.");
  }
  const dates = { start_date: startDate, end_date: endDate };
  for (const [field, date] of Object.entries(dates)) {
    const isReported = violations.some((violation) => violation.field === `tax_certificate.${field}`);
    if (!isReported && !isDay(date)) wrong(field, dateMessage);
  }
  if (isDay(startDate) && isDay(endDate) && endDate < startDate) {
    wrong("end_date", "must not be before the start date");
  }
  if (violations.length > 0 || authority === undefined) throw invalidFields(violations);
  return { ...certificate, taxAuthority: authority };
}

// A date that does not match the pattern gets the message of a day that does not exist.
function withDateMessage(violation: FieldViolation): FieldViolation {
  const isDate = violation.field.endsWith("_date") && violation.description !== requiredMessage;
  return isDate ? { ...violation, description: dateMessage } : violation;
}
