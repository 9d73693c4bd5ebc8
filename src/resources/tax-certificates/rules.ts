import { type TaxCertificate, TaxCertificateSchema } from "../../../gen/clientele/v1/tax_certificates_pb.js";
import { isDay } from "../../formats/days.js";
import { normalState } from "../../formats/states.js";
import { invalidFields, requiredMessage } from "../../rpc/errors.js";
import { violationsIn, withoutBlanks } from "../../rpc/requests/validate.js";

// Post offices of the armed forces, which levy no tax.
const military = ["AA", "AE", "AP"];

/** The certificate as it will be stored. Throws INVALID_ARGUMENT unless it is whole, and its dates are in order. */
export function validTaxCertificate(given: TaxCertificate): TaxCertificate {
  const certificate = withoutBlanks(TaxCertificateSchema, given);
  const violations = violationsIn(TaxCertificateSchema, certificate, "tax_certificate");
  const wrong = (field: string, description: string) =>
    violations.push({ field: `tax_certificate.${field}`, description });
  const { taxAuthority, startDate, endDate } = certificate;
  const authority = normalState("US", taxAuthority);
  if (taxAuthority !== "" && (authority === undefined || military.includes(authority))) {
    wrong("tax_authority", "Enter a valid state of the United States.");
  }
  const dates = { start_date: startDate, end_date: endDate };
  for (const [field, date] of Object.entries(dates)) {
    if (date === "") wrong(field, requiredMessage);
    else if (!isDay(date)) wrong(field, "Enter a valid date, such as 2026-01-31.");
  }
  if (isDay(startDate) && isDay(endDate) && endDate < startDate) {
    wrong("end_date", "must not be before the start date");
  }
  if (violations.length > 0 || authority === undefined) throw invalidFields(violations);
  return { ...certificate, taxAuthority: authority };
}
