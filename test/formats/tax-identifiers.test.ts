import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { countryCode } from "../../src/formats/countries.js";
import { compactTaxIdentifier, countryOfTaxType, taxIdentifierTypes } from "../../src/formats/tax-identifiers.js";

// A number of each kind that its country would issue, as people write it, and as it is kept.
const numbers: [type: string, written: string, kept: string][] = [
  ["ar_cuit", "20-05536168-2", "20055361682"],
  ["at_vat", "AT U13585627", "U13585627"],
  ["au_abn", "83 914 571 673", "83914571673"],
  ["br_cnpj", "16.727.230/0001-97", "16727230000197"],
  ["br_cpf", "216.957.050-09", "21695705009"],
  ["ca_bn", "12302 6635 RC 0001", "123026635RC0001"],
  ["ch_vat", "CHE-107.787.577 IVA", "CHE107787577IVA"],
  ["cr_cpj", "4-000-042138", "4000042138"],
  ["de_vat", "de 136,695 976", "136695976"],
  ["fr_vat", "Fr 40 303 265045", "40303265045"],
  ["gb_vat", "GB 980 7806 84", "980780684"],
  ["in_gst", "27AAPFU0939F1ZV", "27AAPFU0939F1ZV"],
  ["jp_cn", "5-8356-7825-6246", "5835678256246"],
  ["mx_rfc", "GODE 561231 GR8", "GODE561231GR8"],
  ["no_vat", "NO 995 525 828 MVA", "995525828MVA"],
  ["nz_gst", "49-091-850", "49091850"],
  ["sg_uen", "T01FC6132D", "T01FC6132D"],
  ["us_ein", "53-6904399", "536904399"],
  ["za_vat", "499 9999 999", "4999999999"],
];

test.for(numbers)("of the type %s, %s is kept as %s, and so it stays", ([type, written, kept]) => {
  expect(compactTaxIdentifier(type, written)).toBe(kept);
  expect(compactTaxIdentifier(type, `\t${written.split("").join(" ")}\n`)).toBe(kept);
  expect(compactTaxIdentifier(type, kept)).toBe(kept);
});

test("every type is one of a country, and stands in the contract, which names no other", () => {
  expect(taxIdentifierTypes.length).toBeGreaterThan(65);
  for (const type of taxIdentifierTypes) {
    expect(countryOfTaxType(type)).toBe(type.slice(0, 2).toUpperCase());
    expect(countryCode(countryOfTaxType(type)!)).toBe(countryOfTaxType(type));
  }
  const contract = readFileSync("proto/clientele/v1/tax_identifiers.proto", "utf8");
  const [, listed = ""] = /required\. One of ([\s\S]*?)\. Numbers/.exec(contract) ?? [];
  expect([...listed.matchAll(/\b[a-z]{2}_[a-z]+\b/g)].map(([type]) => type).sort()).toEqual(
    [...taxIdentifierTypes].sort(),
  );
});

test("no text makes a check throw, and what is kept is short and without white space", () => {
  const text = fc.oneof(fc.string({ maxLength: 40, unit: "binary" }), fc.stringMatching(/^[A-Z0-9 ./-]{0,40}$/));
  fc.assert(
    fc.property(fc.constantFrom(...taxIdentifierTypes), text, (type, value) => {
      const kept = compactTaxIdentifier(type, value);
      if (kept !== undefined) expect(kept).toMatch(/^[A-Z0-9+&Ñ]{2,40}$/);
    }),
    { numRuns: 20_000 },
  );
});
