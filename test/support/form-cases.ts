import type { JsonObject, JsonValue, MessageInitShape } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type CustomFieldRuleSchema, CustomFieldType } from "../../gen/clientele/v1/custom_fields_pb.js";
import type { Texts } from "./forms.js";

const { STRING, INTEGER, BOOLEAN, FLOAT, DATE } = CustomFieldType;

// Texts that are right, nearly right, and of no kind.
const anyText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom("a", "Z", "5", " ", "-", ".", "@", "é", "\u{1f600}", "\t", "\n", "\0"),
    maxLength: 30,
  }),
  fc.integer({ min: 18, max: 505 }).map((length) => "x".repeat(length)),
  fc.integer({ min: 18, max: 505 }).map((length) => "\u{1f600}".repeat(length)),
);
const spaced = (texts: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom("", "", " ", "\u00a0"), texts).map(([space, text]) => space + text + space);
const emails = fc.oneof(
  fc.emailAddress(),
  fc.constantFrom("ron@example.com", "ron@", "@x.io", "a b@c.de", "ron@x.io,"),
);
const phones = fc.oneof(
  fc.string({ unit: fc.constantFrom(..."+0123456789 ()-./１"), maxLength: 36 }),
  fc.constantFrom("+50683236988", "+1 (202) 555-0100", "952-111-1111", "12", "123", "(+44 20 7946 0000"),
);
/** Countries of every kind: with states and postal codes, with either, with neither. */
export const codes = ["US", "CA", "GB", "DE", "BR", "CR", "JP", "LV", "SE", "AQ", "AE", "KY", "IE"];
const countries = fc.constantFrom(...codes, "us", "Costa Rica", "XX", "Atlantis", "United States");
const locales = fc.constantFrom("en_US", "de_CH", "en_XX", "xx_US", "en-US", "EN_us");
const states = fc.constantFrom(
  "TX",
  "tx",
  "Texas",
  "NY",
  "ON",
  "Ontario",
  "SP",
  "東京都",
  "13",
  "DU",
  "nowhere",
  "a\tb",
);
const postalCodes = fc.oneof(
  fc.constantFrom(
    "77002",
    "77002-1234",
    "10001",
    "73949",
    "K1A 0B1",
    "k1a0b1",
    "SW1A 1AA",
    "01310-100",
    "LV-1073",
    "1073",
  ),
  fc.constantFrom(
    "SE-114 55",
    "114 55",
    "154-0023",
    "１５４-００２３",
    "KY1-1100",
    "D02 AF30",
    "\u{1f600}".repeat(20),
    "00000",
  ),
  fc.string({ unit: fc.constantFrom(..."0123456789AK -"), maxLength: 9 }),
);

function textOf(name: string): fc.Arbitrary<string> {
  if (name === "email") return fc.oneof({ weight: 4, arbitrary: emails }, anyText);
  if (name === "phone") return fc.oneof({ weight: 4, arbitrary: phones }, anyText);
  if (name === "country") return fc.oneof({ weight: 9, arbitrary: countries }, anyText);
  if (name === "locale") return fc.oneof({ weight: 4, arbitrary: locales }, anyText);
  if (name === "state") return fc.oneof({ weight: 6, arbitrary: states }, anyText);
  return name === "postal_code" ? fc.oneof({ weight: 6, arbitrary: postalCodes }, anyText) : anyText;
}

/** Most forms are filled in nearly right: right values with a few fields replaced. */
export function filled(names: readonly string[], right: fc.Arbitrary<Record<string, string>>): fc.Arbitrary<Texts> {
  const replaced = fc
    .subarray([...names], { maxLength: 2 })
    .chain((some) => fc.record(Object.fromEntries(some.map((name) => [name, spaced(textOf(name))]))));
  return fc.tuple(right, replaced).map(([texts, others]) => ({ ...texts, ...others }));
}

/** Where an address may lie. */
export const places = [
  { country: "US", state: "TX", postal_code: "77002" },
  { country: "US", state: "OK", postal_code: "73949" },
  { country: "CA", state: "ON", postal_code: "K1A 0B1" },
  { country: "GB", postal_code: "SW1A 1AA" },
  { country: "LV", postal_code: "LV-1073" },
  { country: "AQ", state: "Ross", postal_code: "any" },
  { country: "CR", state: "SJ" },
];
/** The profile of most customers. */
export const person = {
  name: "Ada",
  first_name: "Ada",
  last_name: "Lovelace",
  phone: "+50683236988",
  locale: "en_US",
  country: "CR",
};
/** An address, without its country. */
export const home = {
  first_name: "Ada",
  last_name: "Lovelace",
  line1: "1 St",
  city: "Town",
  state: "TX",
  postal_code: "77002",
};

/** Custom fields of every type and rule. */
export const rulesOf: Record<string, [CustomFieldType, MessageInitShape<typeof CustomFieldRuleSchema>["kind"]?]> = {
  text: [STRING],
  tier: [STRING, { case: "stringEnum", value: { values: ["gold", "silver"] } }],
  mail: [STRING, { case: "email", value: {} }],
  handle: [STRING, { case: "slug", value: {} }],
  short: [STRING, { case: "lengthBetween", value: { min: 2, max: 3 } }],
  shoe: [INTEGER, { case: "integerBetween", value: { min: 30, max: 50 } }],
  digit: [INTEGER, { case: "integerEnum", value: { values: [1, 2] } }],
  weight: [FLOAT, { case: "floatBetween", value: { min: 0.5, max: 1.5 } }],
  bulk: [FLOAT, { case: "floatBetween", value: { min: 0.5 } }],
  long: [STRING, { case: "lengthBetween", value: { min: 2 } }],
  news: [BOOLEAN],
  born: [DATE, { case: "dateBetween", value: { min: "1900-01-01", max: "2026-01-01" } }],
};
const anyValue: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue[]>(
    "gold",
    "silver",
    "ron@example.com",
    "a-b",
    "ab",
    "abc",
    "2000-02-29",
    "2001-02-29",
    " ab ",
  ),
  fc.constantFrom<JsonValue[]>(null, "", true, false, 1, 2, 40, 51, 0.5, 1.5, 2 ** 53, [], {}),
  anyText,
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const rightValues: JsonObject = {
  text: "any",
  tier: "gold",
  mail: "ron@example.com",
  handle: "summer-2026",
  short: "abc",
  shoe: 40,
  digit: 1,
  weight: 0.5,
  news: false,
  born: "2000-02-29",
};

/** Values of the custom fields, most of them right. */
export const customValues: fc.Arbitrary<JsonObject> = fc
  .dictionary(fc.constantFrom(...Object.keys(rulesOf), "nobody"), anyValue, { maxKeys: 2 })
  .map((others) => ({ ...rightValues, ...others }));
