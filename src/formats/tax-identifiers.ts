import { stdnum, type Validator } from "stdnum";
import { plainText } from "./folding.js";
import { correctedRules, uncertainForms } from "./tax-rules.js";

// By country, the names of its identifiers and what stdnum calls them. They identify businesses, or whoever is billed;
// numbers that only identify a person, such as a social security number, are none.
const validators: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  AR: { cuit: "cuit" },
  AT: { vat: "uid" },
  AU: { abn: "abn" },
  BE: { vat: "vat" },
  BG: { vat: "vat" },
  BR: { cnpj: "cnpj", cpf: "cpf" },
  BY: { unp: "unp" },
  CA: { bn: "bn", gst: "gst", qst: "qst" },
  CH: { vat: "vat" },
  CL: { rut: "rut" },
  CN: { uscc: "uscc" },
  CO: { nit: "nit" },
  CR: { cpj: "cpj", cpf: "cpf" },
  CY: { vat: "vat" },
  CZ: { vat: "dic" },
  DE: { vat: "vat" },
  DK: { vat: "cvr" },
  DO: { rnc: "rnc" },
  EC: { ruc: "ruc" },
  EE: { vat: "kmkr" },
  ES: { vat: "nif" },
  FI: { vat: "alv" },
  FR: { vat: "tva" },
  GB: { vat: "vat" },
  GR: { vat: "vat" },
  GT: { nit: "nit" },
  HR: { vat: "oib" },
  HU: { vat: "anum" },
  ID: { npwp: "npwp" },
  IE: { vat: "vat" },
  IL: { hp: "hp" },
  IN: { gst: "gstin", pan: "pan" },
  IS: { vat: "vsk" },
  IT: { vat: "iva" },
  JP: { cn: "cn" },
  KR: { brn: "brn" },
  LT: { vat: "pvm" },
  LU: { vat: "tva" },
  LV: { vat: "pvn" },
  MC: { vat: "tva" },
  MT: { vat: "vat" },
  MX: { rfc: "rfc" },
  NL: { vat: "btw" },
  NO: { vat: "mva" },
  NZ: { gst: "ird" },
  PE: { ruc: "ruc" },
  PL: { vat: "nip" },
  PT: { vat: "nif" },
  PY: { ruc: "ruc" },
  RO: { vat: "cif" },
  RS: { pib: "pib" },
  RU: { inn: "inn" },
  SE: { vat: "vat" },
  SG: { uen: "uen" },
  SI: { vat: "ddv" },
  SK: { vat: "dph" },
  SV: { nit: "nit" },
  TH: { tin: "tin" },
  TR: { vkn: "vkn" },
  TW: { ubn: "ubn" },
  UA: { edrpou: "edrpou" },
  US: { ein: "ein" },
  UY: { rut: "rut" },
  VE: { rif: "rif" },
  VN: { mst: "mst" },
  ZA: { vat: "vat" },
};

interface TaxIdentifierType {
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
  /** May stand in front of a number: the country, or what its authority writes instead. */
  readonly prefixes: readonly string[];
  readonly validator: Validator;
}

const otherPrefixes: Readonly<Record<string, readonly string[]>> = {
  // The Belarusian name of the number, its H already a Latin letter.
  BY: ["УHП", "UNP"],
  GB: ["XI"],
  GR: ["EL"],
  MC: ["FR"],
};

const types: ReadonlyMap<string, TaxIdentifierType> = new Map(
  Object.entries(validators).flatMap(([country, names]) =>
    Object.entries(names).flatMap(([name, key]) => {
      const validator = stdnum[country]?.[key];
      if (validator === undefined) return [];
      const prefixes = [country, ...(otherPrefixes[country] ?? [])];
      const type = { country, prefixes, validator };
      const own = [[`${country.toLowerCase()}_${name}`, type] as const];
      // Businesses of Northern Ireland trade goods with the European Union under their British number.
      return country === "GB" ? [...own, ["xi_vat", type] as const] : own;
    }),
  ),
);

/** The types of tax identifiers that are known, such as `de_vat`, in the order of their countries. */
export const taxIdentifierTypes: readonly string[] = [...types.keys()];

/** The country of a type, as an ISO 3166-1 alpha-2 code; undefined if there is no such type. */
export function countryOfTaxType(type: string): string | undefined {
  return types.get(type)?.country;
}

// Letters of Belarus that look like Latin ones.
const cyrillic = "АВЕКМНОРСТХ";
const latin = "ABEKMHOPCTX";

/**
 * A tax identifier in the one form in which it is kept, without white space and punctuation, and mostly without the
 * country in front; undefined if the type is not known, or the format or a check digit is wrong. Where a check digit is
 * not certain, the format alone counts.
 */
export function compactTaxIdentifier(type: string, value: string): string | undefined {
  const definition = types.get(type);
  if (definition === undefined) return undefined;
  const typed = plainText(value)
    .toUpperCase()
    .replace(/[АВЕКМНОРСТХ]/g, (letter) => latin.charAt(cyrillic.indexOf(letter)))
    .replace(/\s/gu, "");
  const compact = typed.replace(/\p{P}/gu, (sign) => (/[&*]/.test(sign) ? sign : ""));
  const bare = definition.prefixes.filter((prefix) => compact.startsWith(prefix)).map((it) => compact.slice(it.length));
  // First as it stands, because the letters in front may belong to the number. Last with the punctuation that says, in
  // Costa Rica, where zeros are missing.
  return [compact, ...bare, typed]
    .map((text) => checked(type, text, definition))
    .find((result) => result !== undefined);
}

function checked(type: string, text: string, { validator }: TaxIdentifierType): string | undefined {
  const corrected = correctedRules[type];
  if (corrected?.(text) || uncertainForms[type]?.test(text)) return text;
  if (corrected !== undefined) return undefined;
  try {
    const result = validator.validate(text);
    return result.isValid && /^[A-Z0-9+&*Ñ]+$/.test(result.compact) ? result.compact : undefined;
  } catch {
    // Some of its validators trip over what is nearly nothing.
    return undefined;
  }
}
