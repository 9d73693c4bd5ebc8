import countries from "i18n-iso-countries/index.js";
import english from "i18n-iso-countries/langs/en.json" with { type: "json" };
import { foldedName } from "./folding.js";

/** The ISO 3166-1 alpha-2 codes, and `XK` for Kosovo, which ISO leaves to users and source systems export. Sorted. */
export const countryCodes: readonly string[] = Object.keys(countries.getAlpha2Codes()).sort();
const codeSet = new Set(countryCodes);

// Names by Unicode's CLDR, which Node carries. Computed once: a look-up by Intl costs as much as a query.
const displayNames = new Map(namesByCldr("long"));

// Names in use that neither source has, and codes of value added tax.
const otherNames: Readonly<Record<string, string>> = {
  Bolivia: "BO",
  "Bolivia, Plurinational State of": "BO",
  Congo: "CG",
  Britain: "GB",
  "Brunei Darussalam": "BN",
  Burma: "MM",
  "Cabo Verde": "CV",
  "Cape Verde": "CV",
  "Congo, Republic of the": "CG",
  "Congo-Brazzaville": "CG",
  "Congo-Kinshasa": "CD",
  "DR Congo": "CD",
  DRC: "CD",
  "East Timor": "TL",
  England: "GB",
  "Falkland Islands (Malvinas)": "FK",
  Holland: "NL",
  "Holy See": "VA",
  "Hong Kong SAR": "HK",
  "Ivory Coast": "CI",
  "Korea, Democratic People's Republic of": "KP",
  Macau: "MO",
  "Macau SAR": "MO",
  Macedonia: "MK",
  Micronesia: "FM",
  Moldova: "MD",
  Hongkong: "HK",
  "Kyrgyz Republic": "KG",
  "Northern Ireland": "GB",
  Palestine: "PS",
  "Palestinian Territory, Occupied": "PS",
  "Saint Helena, Ascension and Tristan da Cunha": "SH",
  "Republic of Ireland": "IE",
  Scotland: "GB",
  "Slovak Republic": "SK",
  Swaziland: "SZ",
  Tanzania: "TZ",
  "United Kingdom of Great Britain and Northern Ireland": "GB",
  "United States Virgin Islands": "VI",
  Vatican: "VA",
  "Vatican City": "VA",
  "Venezuela, Bolivarian Republic of": "VE",
  "Viet Nam": "VN",
  "Virgin Islands (British)": "VG",
  "Virgin Islands (U.S.)": "VI",
  Wales: "GB",
  EL: "GR",
  XI: "GB",
  XKX: "XK",
};

const codeOfName = new Map<string, string>([
  ...Object.entries(english.countries).flatMap(([code, names]) =>
    [names].flat().map((it) => [nameKey(it), code] as const),
  ),
  ...[...namesByCldr("short"), ...displayNames].map(([code, name]) => [nameKey(name), code] as const),
  ...Object.entries(otherNames).map(([name, code]) => [nameKey(name), code] as const),
]);

const maxNameLength = 100;

/**
 * The ISO 3166-1 alpha-2 code of a country given by its alpha-2 or alpha-3 code or an English name, in any case;
 * undefined if there is none. `XK` is Kosovo.
 */
export function countryCode(codeOrName: string): string | undefined {
  if (codeOrName.length > maxNameLength) return undefined;
  const text = codeOrName.trim();
  const code = text.toUpperCase();
  return codeSet.has(code) ? code : (countries.alpha3ToAlpha2(code) ?? codeOfName.get(nameKey(text)));
}

/** The English name of a country, such as "Costa Rica" for `CR`. */
export function countryName(code: string): string {
  return displayNames.get(code) ?? code;
}

function namesByCldr(style: "long" | "short"): [code: string, name: string][] {
  const names = new Intl.DisplayNames("en", { type: "region", style });
  return countryCodes.map((code) => [code, names.of(code) ?? code]);
}

// The order of the words does not count: "Korea, Republic of" is the "Republic of Korea".
function nameKey(name: string): string {
  const words = name
    .replace(/[.'’]/g, "")
    .split(/[^\p{L}\p{N}&]+/u)
    .map(foldedName);
  const bare = words.filter((word) => !["", "the", "of", "and"].includes(word));
  return bare.sort().join(" ");
}
