import { normalPostalCode } from "./postal-codes.js";
import type { State } from "./state-aliases.js";
import { normalState, stateOf } from "./states.js";

/** What of an address is checked for its country, an ISO 3166-1 alpha-2 code. */
export interface PostalFields {
  readonly country?: string | undefined;
  readonly state?: string | undefined;
  readonly postalCode?: string | undefined;
}

/** A violation of one field, in the words that a client sees. */
export interface PostalViolation {
  readonly field: "state" | "postal_code";
  readonly description: string;
}

// The ZIP codes whose area lies in a second state too, by the 2010 ZCTA relationship file of the US Census Bureau.
const zipCodesAcross: Readonly<Record<string, string>> = {
  "02861": "MA",
  42223: "TN",
  59221: "ND",
  63673: "IL",
  71749: "LA",
  73949: "TX",
  81137: "NM",
  84536: "AZ",
  86044: "UT",
  86515: "NM",
  88063: "TX",
  89439: "CA",
  97635: "CA",
};

const acrossPatterns = new Map<string, RegExp>();

/**
 * What is wrong with the state and the postal code of an address: not one of the country's, or, where Google's address
 * data says which postal codes a state has (USPS ZIP codes, Canada's, Australia's …), not one of the state's. An absent
 * field is never wrong, nor is anything in a country without such data.
 */
export function postalViolations(address: PostalFields): PostalViolation[] {
  const { country, state = "", postalCode = "" } = address;
  if (country === undefined) return [];
  const violations: PostalViolation[] = [];
  if (state !== "" && normalState(country, state) === undefined) {
    violations.push({ field: "state", description: "Enter a valid state." });
  }
  if (postalCode !== "") {
    const description = postalCodeFault(country, state, normalPostalCode(country, postalCode));
    if (description !== undefined) violations.push({ field: "postal_code", description });
  }
  return violations;
}

/** What the postal codes of a state begin with; undefined if that is not known. */
export function postalCodesOf(country: string, { code, postalCodes }: State): RegExp | undefined {
  const all = country === "US" ? Object.entries(zipCodesAcross) : [];
  const across = all.flatMap(([zip, state]) => (state === code ? [zip] : []));
  if (postalCodes === undefined || across.length === 0) return postalCodes;
  const both = acrossPatterns.get(code) ?? new RegExp(`^(?:${[postalCodes.source.slice(1), ...across].join("|")})`);
  acrossPatterns.set(code, both);
  return both;
}

function postalCodeFault(country: string, state: string, postalCode: string | undefined): string | undefined {
  if (postalCode === undefined) return "Enter a valid postal code.";
  const known = stateOf(country, state);
  if (known === undefined || postalCodesOf(country, known)?.test(postalCode) !== false) return undefined;
  return `The postal code does not belong to ${known.name}.`;
}
