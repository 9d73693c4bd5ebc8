import { normalPostalCode } from "./postal-codes.js";
import type { State } from "./state-aliases.js";
import { normalState, stateOf } from "./states.js";
import { zipCodesAcross } from "./zip-codes-across.js";

/** The parts of an address that depend on its country, an ISO 3166-1 alpha-2 code. */
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

const acrossPatterns = new Map<string, RegExp>();

/**
 * Why the state and the postal code of an address are refused. In the United States a state must be known, and a ZIP code
 * must be of its form and belong to the state. Elsewhere nothing is refused but control characters and excess length,
 * because names, borders and forms change.
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

/** The beginnings of a state's postal codes; undefined if they are unknown. */
export function postalCodesOf(country: string, { code, postalCodes }: State): RegExp | undefined {
  const across = (country === "US" && zipCodesAcross.get(code)) || [];
  if (postalCodes === undefined || across.length === 0) return postalCodes;
  const both = acrossPatterns.get(code) ?? new RegExp(`^(?:${[postalCodes.source.slice(1), ...across].join("|")})`);
  acrossPatterns.set(code, both);
  return both;
}

function postalCodeFault(country: string, state: string, postalCode: string | undefined): string | undefined {
  if (postalCode === undefined) return "Enter a valid postal code.";
  const stateEntry = stateOf(country, state);
  if (stateEntry === undefined || postalCodesOf(country, stateEntry)?.test(postalCode) !== false) return undefined;
  return `The postal code does not belong to ${stateEntry.name}.`;
}
