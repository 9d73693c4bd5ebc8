import type { TaxIdentifier } from "../../gen/clientele/v1/tax_identifiers_pb.js";
import type { Clients } from "./clientele.js";

/** Numbers of the sandbox of tax authorities, each of the type us_ein. */
export const sandboxNumbers = {
  verified: "10-0000001",
  notValid: "10-0000404",
  shortOutage: "10-0000503",
  endlessOutage: "10-0000504",
} as const;

/** Makes a tax identifier, for a customer or for nobody. */
export async function createTaxIdentifier(
  { taxIdentifiers }: Clients,
  customerId = "",
  given: { readonly type: string; readonly value: string } = { type: "us_ein", value: sandboxNumbers.verified },
): Promise<TaxIdentifier> {
  const { taxIdentifier } = await taxIdentifiers.createTaxIdentifier({ customerId, taxIdentifier: given });
  return taxIdentifier!;
}

export async function getTaxIdentifier({ taxIdentifiers }: Clients, id: string): Promise<TaxIdentifier> {
  const { taxIdentifier } = await taxIdentifiers.getTaxIdentifier({ id });
  return taxIdentifier!;
}
