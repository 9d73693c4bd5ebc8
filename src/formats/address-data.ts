import source from "./address-source.json" with { type: "json" };
import { additionalStates, type State } from "./state-aliases.js";

/** How addresses look in one country. */
export interface AddressData {
  readonly hasPostalCodes: boolean;
  /** Matches a whole postal code, in upper case; absent where the form is not known. */
  readonly postalCode?: RegExp;
  /** Postal codes as the country writes them, such as `K1A 0B1`. */
  readonly examples: readonly string[];
  /** Stands before a postal code abroad without being part of it, such as `SE` in `SE-114 55`. */
  readonly prefix: string;
  /** Whether an address in the country names a state. */
  readonly hasStates: boolean;
  readonly states: readonly State[];
}

// `scripts/address-data.mjs` writes the file, which names its source, date and licence.
interface CountrySource {
  /** The form of a postal code; empty if it is not known, absent where there are none. */
  readonly zip?: string;
  readonly zipex?: string;
  readonly postprefix?: string;
  readonly hasStates?: boolean;
  readonly states?: readonly { readonly code: string; readonly names: readonly string[]; readonly zip?: string }[];
}

const countries: Readonly<Record<string, CountrySource>> = source.countries;
const all = new Map(Object.entries(countries).map(([code, country]) => [code, fromSource(code, country)]));

/** The addresses of a country by its ISO 3166-1 alpha-2 code; undefined if nothing is known. */
export function addressData(country: string): AddressData | undefined {
  return all.get(country);
}

function fromSource(
  country: string,
  { zip, zipex, postprefix, hasStates = false, states = [] }: CountrySource,
): AddressData {
  const stateList = states.map(({ code, names, zip: zips }) => ({
    code,
    name: names[0] ?? code,
    names,
    ...(zips !== undefined && { postalCodes: new RegExp(`^(?:${zips})`) }),
  }));
  return {
    hasPostalCodes: zip !== undefined,
    ...(zip && { postalCode: new RegExp(`^(?:${zip})$`) }),
    examples: zipex?.split(",") ?? [],
    prefix: postprefix?.replace(/[ -]/g, "") ?? country,
    hasStates,
    states: [...stateList, ...(additionalStates[country] ?? [])],
  };
}
