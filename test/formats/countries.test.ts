import countries from "i18n-iso-countries/index.js";
import english from "i18n-iso-countries/langs/en.json" with { type: "json" };
import { iso31661 } from "iso-3166";
import { expect, test } from "vitest";
import { countryCode, countryCodes, countryName } from "../../src/formats/countries.js";

test("the countries are the 249 of ISO 3166-1, and Kosovo", () => {
  expect(iso31661).toHaveLength(249);
  expect(countryCodes).toEqual([...iso31661.map(({ alpha2 }) => alpha2), "XK"].sort());
});

test.for(iso31661)("$name is a country by its short name and its codes", ({ name, alpha2, alpha3 }) => {
  for (const text of [name, alpha2, alpha3, alpha2.toLowerCase(), alpha3.toLowerCase(), name.toUpperCase()]) {
    expect([text, countryCode(text)]).toEqual([text, alpha2]);
  }
});

// The standard itself writes "Korea (the Republic of)" where others write "Korea, Republic of".
test.for(iso31661)("$name is a country as the standard writes it", ({ name, alpha2 }) => {
  const [before = "", after] = name.split(", ");
  const forms = [`${name} (the)`, `the ${name}`];
  if (after !== undefined && / of( the)?$/.test(after))
    forms.push(`${before} (${after})`, `${before} (the ${after})`, `${after} ${before}`);
  for (const form of forms) expect([form, countryCode(form)]).toEqual([form, alpha2]);
});

test.for(Object.entries(english.countries))("%s is a country by all its English names: %s", ([code, names]) => {
  // One name of two countries.
  const own = [names].flat().filter((name) => name !== "Congo");
  for (const name of own) expect([name, countryCode(name)]).toEqual([name, code]);
});

test.for(countryCodes)("%s is a country by the name that is shown", (code) => {
  expect(countryName(code)).not.toBe(code);
  expect(countryCode(countryName(code))).toBe(code);
});

const others: [text: string, code: string | undefined][] = [
  ["UK", "GB"],
  ["The Netherlands", "NL"],
  ["Netherlands (Kingdom of the)", "NL"],
  ["Kosovo", "XK"],
  ["xk", "XK"],
  ["XKX", "XK"],
  ["Falkland Islands (the) [Malvinas]", "FK"],
  ["Korea (the Democratic People's Republic of)", "KP"],
  ["Democratic People’s Republic of Korea", "KP"],
  ["Congo", "CG"],
  ["Congo (the Democratic Republic of the)", "CD"],
  ["Congo - Kinshasa", "CD"],
  ["Hong Kong", "HK"],
  ["Hong Kong SAR China", "HK"],
  ["U.S.A.", "US"],
  ["Turkey", "TR"],
  ["Cape Verde", "CV"],
  ["Cote d'Ivoire", "CI"],
  ["Côte d’Ivoire", "CI"],
  ["Burma", "MM"],
  ["Hongkong", "HK"],
  ["Kyrgyz Republic", "KG"],
  ["Slovak Republic", "SK"],
  ["Republic of Ireland", "IE"],
  ["Swaziland", "SZ"],
  ["Macau", "MO"],
  ["St. Lucia", "LC"],
  ["Trinidad & Tobago", "TT"],
  ["Guinea Bissau", "GW"],
  ["  costa rica ", "CR"],
  ["", undefined],
  ["the", undefined],
  ["ZZ", undefined],
  ["EU", undefined],
  ["Atlantis", undefined],
  ["New", undefined],
  ["Korea", undefined],
  ["a".repeat(101), undefined],
];

test.for(others)("%j is %s", ([text, code]) => {
  expect(countryCode(text)).toBe(code);
});

test("an alpha-3 code is the code of its country", () => {
  for (const [alpha3, alpha2] of Object.entries(countries.getAlpha3Codes())) expect(countryCode(alpha3)).toBe(alpha2);
});
