import { type TaxIdentifier, TaxIdentifierState } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import type { Call } from "../../rpc/callers/caller.js";
import { invalidField, notFound, refused } from "../../rpc/errors.js";
import { taxCertificateFromRow } from "../tax-certificates/convert.js";
import { listTaxCertificatesOf } from "../tax-certificates/store.js";
import { taxIdentifierFromRow } from "../tax-identifiers/convert.js";
import { findTaxIdentifiers, listTaxIdentifiersOf } from "../tax-identifiers/store.js";
import type { Candidates } from "./resolve.js";

/**
 * The tax identifiers that a request names, in its order; undefined if it names none. Throws NOT_FOUND for one that is
 * neither the customer's nor nobody's, FAILED_PRECONDITION for one that is not verified, INVALID_ARGUMENT for two of a
 * type. Without a customer a guest asks.
 */
export async function requestedTaxIdentifiers(
  { db, tenantId, kind }: Call,
  ids: readonly string[],
  customerId: string | undefined,
): Promise<TaxIdentifier[] | undefined> {
  if (ids.length === 0) return undefined;
  const rows = await findTaxIdentifiers(db, tenantId, ids);
  const found = ids.map((id) => {
    const row = rows.find((one) => one.id === id);
    // One that is nobody's is the merchant's to use.
    const isUsable = row?.customer_id === null ? kind === "secret_key" : row?.customer_id === customerId;
    if (row === undefined || !isUsable) throw notFound("tax identifier");
    return taxIdentifierFromRow(row);
  });
  if (found.some(({ state }) => state !== TaxIdentifierState.VERIFIED)) {
    throw refused("TAX_IDENTIFIER_NOT_VERIFIED", "The tax identifier is not verified.");
  }
  if (new Set(found.map(({ type }) => type)).size < found.length) {
    throw invalidField("tax_identifier_ids", "must name one tax identifier of a type");
  }
  return found;
}

/** What a customer has for tax authorities. */
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
