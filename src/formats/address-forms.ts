import { addressData } from "./address-data.js";
import { countryCodes, countryName } from "./countries.js";
import { noControlsPattern } from "./folding.js";
import { postalCodesOf } from "./postal.js";
import { maxPostalCodeLength } from "./postal-codes.js";
import type { State } from "./state-aliases.js";

/** The rules of an address in a country, as expressions for JavaScript, with its `u` flag, and for RE2. */
export interface AddressForm {
  readonly code: string;
  readonly name: string;
  readonly states: readonly { readonly code: string; readonly name: string; readonly postalCodePattern: string }[];
  /** Empty where an address must name one of the states, as in the United States. */
  readonly statePattern: string;
  readonly postalCodePattern: string;
  readonly postalCodeExamples: readonly string[];
}

/** Every country, by its English name. */
export const addressForms: readonly AddressForm[] = countryCodes
  .map(addressForm)
  .sort((one, other) => one.name.localeCompare(other.name, "en"));

function addressForm(code: string): AddressForm {
  const data = addressData(code);
  const states = (data?.states ?? []).map((state: State) => ({
    code: state.code,
    name: state.name,
    postalCodePattern: postalCodesOf(code, state)?.source ?? "",
  }));
  return {
    code,
    name: countryName(code),
    states,
    statePattern: code === "US" ? "" : noControlsPattern,
    postalCodePattern: (code === "US" && data?.postalCode?.source) || `^[^\\p{Cc}]{1,${maxPostalCodeLength}}$`,
    postalCodeExamples: data?.postalCode === undefined ? [] : data.examples,
  };
}
