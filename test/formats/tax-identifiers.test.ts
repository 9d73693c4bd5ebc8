import { getOption } from "@bufbuild/protobuf";
import { field } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { TaxIdentifierSchema } from "../../gen/clientele/v1/tax_identifiers_pb.js";
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

// Numbers in use that earlier check digits refused, and forms that have none.
const inUse: Record<string, readonly string[]> = {
  bg_vat: ["831919536", "835014925", "7111042925", "7153849522", "BG 7523169263"],
  by_unp: ["200988541", "МА1953684", "УНП 591705582"],
  cl_rut: ["12.531.909-2", "12531909-2"],
  cn_uscc: ["91340600MA2PBP2120", "91620105L015101280", "92340603MA2UK1TD00", "911522010783762860"],
  cr_cpf: ["1-200-589", "4-0160-182"],
  cz_vat: ["25123891", "640903926", "CZ 640229/4448", "CZ 736028/5163"],
  do_rnc: ["1-01-85004-3", "501658167", "501676936", "10233317"],
  ec_ruc: ["1792060346-001", "1793221293001"],
  fi_vat: ["FI 2229124-0", "FI- 22291259", "FI-214 95 540"],
  gr_vat: ["EL-082857563", "el-082857563", "GR 082857563", "082857563"],
  id_npwp: ["01.312.166.0-091.000", "03.026.787.6-805.000", "0831326657201000", "3171011708450001"],
  ie_vat: ["IE-9696131F", "IE 6433435F"],
  kr_brn: ["116-82-00276", "206-18-12345", "306-82-00417"],
  lv_vat: ["4000 3521 600", "328673-00679", "161175-19997"],
  mx_rfc: ["XAXX010101000", "XEXX010101000", "GODE561231GR8", "AAMM450222AJ1", "BER060923LW4", "Ñ&A 971202 EB5"],
  py_ruc: ["80028061-0", "1280950-0", "398020-0", "9991603"],
  sk_vat: ["SK 202 274 96 19", "SK 1078449064"],
  sv_nit: ["0614-050707-104-8", "SV 0614-050707-104-8", "0210-191171-001-6", "0614-010890-101-0"],
  tw_ubn: ["00501503", "10000004", "10000171"],
  uy_rut: ["21-100342-001-7", "220018800014"],
  xi_vat: ["XI 432525179", "432 5251 79", "GB432525179"],
};

test.for(Object.entries(inUse))("numbers of the type %s that are in use are kept: %s", ([type, values]) => {
  for (const value of values) expect([value, compactTaxIdentifier(type, value)]).not.toContain(undefined);
});

const wrong: [type: string, value: string][] = [
  ["bg_vat", "831919535"],
  ["bg_vat", "83191953"],
  ["cn_uscc", "91340600MA2PBP2121"],
  ["cz_vat", "25123890"],
  ["de_vat", "136695978"],
  ["id_npwp", "01.312.166.1-091.000"],
  ["kr_brn", "206-00-12345"],
  ["lv_vat", "4000 3521 601"],
  ["mx_rfc", "XAXX011301000"],
  ["mx_rfc", "GODE561232GR8"],
  ["py_ruc", "80028061-1"],
  ["sv_nit", "0614-050707-104-0"],
  ["tw_ubn", "00501502"],
  ["uy_rut", "21-100342-001-8"],
  ["xi_vat", "XI 432525178"],
  ["xi_vat", "DE136695976"],
  ["de_vat", "AT136695976"],
  ["de_vat", ""],
  ["de_vat", "DE"],
  ["de_vat", "..."],
];

test.for(wrong)("of the type %s, %s is no number", ([type, value]) => {
  expect(compactTaxIdentifier(type, value)).toBeUndefined();
});

test.for(Object.entries({ ...inUse, ...Object.fromEntries(numbers.map(([type, , kept]) => [type, [kept]])) }))(
  "punctuation, invisible characters and the country in front of a number of the type %s do not count",
  ([type, values]) => {
    for (const value of values) {
      const kept = compactTaxIdentifier(type, value) ?? "";
      const country = countryOfTaxType(type) ?? "";
      const bare = kept.startsWith(country) ? kept.slice(country.length) : kept;
      for (const sign of [" ", "-", ".", "/", "\u00a0", "\u200b", "\u2060", "–"]) {
        const spelled = kept.split("").join(sign);
        for (const text of [
          spelled,
          spelled.toLowerCase(),
          `${country}${sign}${bare}`,
          `${country.toLowerCase()}${bare}`,
        ]) {
          expect([text, compactTaxIdentifier(type, text)]).toEqual([text, kept]);
        }
      }
    }
  },
);

test("every type is one of a country, and the contract permits it and no other", () => {
  expect(taxIdentifierTypes.length).toBeGreaterThan(65);
  for (const type of taxIdentifierTypes) {
    expect(countryOfTaxType(type)).toBe(type === "xi_vat" ? "GB" : type.slice(0, 2).toUpperCase());
    expect(countryCode(countryOfTaxType(type)!)).toBe(countryOfTaxType(type));
  }
  const rules = getOption(TaxIdentifierSchema.field.type, field).type;
  const permitted = rules.case === "string" ? rules.value.in : [];
  expect([...permitted].sort()).toEqual([...taxIdentifierTypes].sort());
});

test("no text makes a check throw, and what is kept is short and without white space", () => {
  const text = fc.oneof(fc.string({ maxLength: 40, unit: "binary" }), fc.stringMatching(/^[A-Z0-9 ./-]{0,40}$/));
  fc.assert(
    fc.property(fc.constantFrom(...taxIdentifierTypes), text, (type, value) => {
      const kept = compactTaxIdentifier(type, value);
      if (kept !== undefined) expect(kept).toMatch(/^[A-Z0-9+&*Ñ]{2,40}$/);
    }),
    { numRuns: 20_000 },
  );
});
