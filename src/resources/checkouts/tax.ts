import { type TaxIdentifier, TaxIdentifierState } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import type { Call } from "../../rpc/callers/caller.js";
import { invalidField, notFound, refused } from "../../rpc/errors.js";
import { taxCertificateFromRow } from "../tax-certificates/convert.js";
import { listTaxCertificatesOf } from "../tax-certificates/store.js";
import { taxIdentifierFromRow } from "../tax-identifiers/convert.js";
import { listTaxIdentifiersById, listTaxIdentifiersOf } from "../tax-identifiers/store.js";
import { inputPath } from "./input.js";
import type { Candidates } from "./resolve.js";

/**
 * The tax identifiers that a request names, in its order; undefined if it names none. The buyer is a guest without a
 * customer id. Throws NOT_FOUND for another customer's, FAILED_PRECONDITION for one that is not verified, INVALID_ARGUMENT
 * for two of one type.
 */
export async function requestedTaxIdentifiers(
  { db, tenantId, kind }: Call,
  ids: readonly string[],
  customerId: string | undefined,
): Promise<TaxIdentifier[] | undefined> {
  if (ids.length === 0) return undefined;
  const rows = await listTaxIdentifiersById(db, tenantId, ids);
  const identifiers = ids.map((id) => {
    const row = rows.find((one) => one.id === id);
    // A tax identifier without a customer belongs to the merchant.
    const isUsable = row?.customer_id === null ? kind === "secret_key" : row?.customer_id === customerId;
    if (row === undefined || !isUsable) throw notFound("tax identifier");
    return taxIdentifierFromRow(row);
  });
  if (identifiers.some(({ state }) => state !== TaxIdentifierState.VERIFIED)) {
    throw refused("TAX_IDENTIFIER_NOT_VERIFIED", "The tax identifier is not verified.");
  }
  if (new Set(identifiers.map(({ type }) => type)).size < identifiers.length) {
    throw invalidField(`${inputPath}.tax_identifier_ids`, "must name one tax identifier of a type");
  }
  return identifiers;
}

/** The tax identifiers and certificates of a customer. */
export async function taxOf(
  { db, tenantId, now }: Call,
  customerId: string,
): Promise<Pick<Candidates, "taxIdentifiers" | "taxCertificates">> {
  const identifiers = await listTaxIdentifiersOf(db, tenantId, customerId);
  const certificates = await listTaxCertificatesOf(db, tenantId, customerId);
  return {
    taxIdentifiers: identifiers.map(taxIdentifierFromRow),
    taxCertificates: certificates.map((row) => taxCertificateFromRow(row, now)),
  };
}
