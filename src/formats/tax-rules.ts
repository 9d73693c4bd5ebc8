import { passesLuhn } from "./luhn.js";

/** Decides about a value in upper case, without punctuation and without the country in front. */
type TaxRule = (value: string) => boolean;

/** Rules that stand in for those of `stdnum`, whose check digits are wrong or older than the authority's. */
export const correctedRules: Readonly<Record<string, TaxRule>> = {
  bg_vat: isBulgarianCompany,
  cn_uscc: isUnifiedSocialCreditCode,
  id_npwp: isIndonesianTaxNumber,
  // The authority gave out homoclaves by hand, and the generic XAXX010101000 and XEXX010101000.
  mx_rfc: (value) =>
    /^(?:[A-Z&Ñ]{3,4}\d{6}[A-Z0-9]{3}|[A-Z&Ñ]{4}\d{6})$/.test(value) &&
    /^\D+\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])/.test(value),
  py_ruc: isParaguayanTaxNumber,
  sv_nit: isSalvadoranTaxNumber,
  tw_ubn: isUnifiedBusinessNumber,
  uy_rut: isUruguayanTaxNumber,
};

/**
 * Forms that count beside the check digits of `stdnum`: numbers of these forms are in use with other check digits, or
 * without any. The verification that follows has the last word about them.
 */
export const uncertainForms: Readonly<Record<string, RegExp>> = {
  // Of people, foreigners and others.
  bg_vat: /^\d{10}$/,
  // Birth numbers, and a series of nine digits.
  cz_vat: /^\d{9,10}$/,
  // The authority's register holds numbers that fail the check digit.
  do_rnc: /^(?:\d{8,9}|\d{11})$/,
  // Companies founded since 2020 have no check digit.
  ec_ruc: /^(?:0[1-9]|1\d|2[0-4]|30|50)[69]\d{7}\d{3}$/,
  kr_brn: /^(?!0|100)\d{3}(?!00)\d{2}(?!0000)\d{5}$/,
  // Personal codes.
  lv_vat: /^[0-3]\d{10}$/,
  // Birth numbers.
  sk_vat: /^\d{10}$/,
};

// Nine digits; if the first sum gives no digit, the weights grow by two.
function isBulgarianCompany(value: string): boolean {
  if (!/^\d{9}$/.test(value)) return false;
  const first = weighted(value, [1, 2, 3, 4, 5, 6, 7, 8]) % 11;
  const digit = first < 10 ? first : (weighted(value, [3, 4, 5, 6, 7, 8, 9, 10]) % 11) % 10;
  return value.endsWith(String(digit));
}

// GB 32100-2015: the powers of 3 modulo 31, over digits and letters without I, O, S, V and Z.
function isUnifiedSocialCreditCode(value: string): boolean {
  if (!/^[0-9A-HJ-NP-RTUW-Y]{18}$/.test(value)) return false;
  const signs = "0123456789ABCDEFGHJKLMNPQRTUWXY";
  let [sum, weight] = [0, 1];
  for (const sign of value.slice(0, 17)) {
    sum += signs.indexOf(sign) * weight;
    weight = (weight * 3) % 31;
  }
  return signs.indexOf(value.charAt(17)) === (31 - (sum % 31)) % 31;
}

// Since 2024 sixteen digits: the fifteen of before behind a zero, or the number of an identity card.
function isIndonesianTaxNumber(value: string): boolean {
  if (/^[1-9]\d{15}$/.test(value)) return true;
  return /^0?\d{15}$/.test(value) && passesLuhn(value.slice(0, -6));
}

function isParaguayanTaxNumber(value: string): boolean {
  if (!/^\d{5,9}$/.test(value)) return false;
  const reversed = [...value.slice(0, -1)].reverse().join("");
  return value.endsWith(complement(weighted(reversed, [2, 3, 4, 5, 6, 7, 8, 9])));
}

// Numbers whose serial is 100 or less are older, and have other weights.
function isSalvadoranTaxNumber(value: string): boolean {
  if (!/^[019]\d{13}$/.test(value)) return false;
  if (Number(value.slice(10, 13)) > 100) {
    return value.endsWith(complement(weighted(value, [2, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2])));
  }
  return value.endsWith(String((weighted(value, [14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10));
}

// Since 2023 it is enough that five divides the sum. A 7 in the seventh place counts 1 or 0.
function isUnifiedBusinessNumber(value: string): boolean {
  if (!/^\d{8}$/.test(value)) return false;
  const products = [1, 2, 1, 2, 1, 2, 4, 1].map((weight, at) => Number(value[at]) * weight);
  const sum = products.reduce((total, product) => total + Math.trunc(product / 10) + (product % 10), 0);
  return sum % 5 === 0 || (value[6] === "7" && sum % 5 === 4);
}

function isUruguayanTaxNumber(value: string): boolean {
  if (!/^(?:0[1-9]|1\d|2[0-2])(?!000000)\d{6}001\d$/.test(value)) return false;
  const rest = weighted(value, [4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
  return rest !== 1 && value.endsWith(complement(rest));
}

// The complement of a sum to a multiple of 11, with ten written as zero.
function complement(sum: number): string {
  return String(((11 - (sum % 11)) % 11) % 10);
}

function weighted(digits: string, weights: readonly number[]): number {
  return weights.reduce((total, weight, at) => total + Number(digits[at] ?? 0) * weight, 0);
}
