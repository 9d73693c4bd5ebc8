import { foldedName } from "./folding.js";

const english = new Intl.DisplayNames("en", { type: "region", fallback: "none" });

// Regions that Unicode names although ISO 3166-1 does not assign them.
const unassigned = new Set("AC CP CQ DG EA EU EZ IC QO TA UN XA XB XK ZZ".split(" "));

/** The ISO 3166-1 alpha-2 codes. */
export const countryCodes: readonly string[] = allCodes();
const codeOfName = new Map(countryCodes.map((code) => [foldedName(english.of(code) ?? ""), code]));

// Names that are in use beside the one that Unicode prefers.
for (const [name, code] of Object.entries({
  usa: "US",
  "united states of america": "US",
  "great britain": "GB",
  "czech republic": "CZ",
  turkey: "TR",
  burma: "MM",
  swaziland: "SZ",
  "ivory coast": "CI",
  "cape verde": "CV",
  "hong kong": "HK",
  macau: "MO",
  macao: "MO",
  palestine: "PS",
  russia: "RU",
  "viet nam": "VN",
  "korea, republic of": "KR",
  "republic of korea": "KR",
})) {
  codeOfName.set(foldedName(name), code);
}

const maxNameLength = 100;

/** The ISO 3166-1 alpha-2 code of a country given by code or English name, in any case; undefined if there is none. */
export function countryCode(codeOrName: string): string | undefined {
  if (codeOrName.length > maxNameLength) return undefined;
  const text = codeOrName.trim();
  const code = text.toUpperCase();
  return countryCodes.includes(code) ? code : codeOfName.get(foldedName(text));
}

/** The English name of a country, such as "Costa Rica" for `CR`. */
export function countryName(code: string): string {
  return english.of(code) ?? code;
}

// A deprecated code is one that Unicode replaces by another.
function allCodes(): string[] {
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(65 + index));
  return letters
    .flatMap((first) => letters.map((second) => first + second))
    .filter((code) => english.of(code) !== undefined && !unassigned.has(code))
    .filter((code) => new Intl.Locale(`und-${code}`).region === code);
}
