import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressData } from "../../src/formats/address-data.js";
import { countryCode } from "../../src/formats/countries.js";
import { stateAliases } from "../../src/formats/state-aliases.js";
import { normalState } from "../../src/formats/states.js";
import { generousMs } from "../support/time.js";

const countries = Array.from({ length: 676 }, (_, index) =>
  String.fromCharCode(65 + Math.floor(index / 26), 65 + (index % 26)),
).filter((code) => countryCode(code) === code);

describe("a state", () => {
  const known: [country: string, state: string, code: string][] = [
    ...(["TX", "tx", " Tx ", "US-TX", "us-tx", "Texas", "TEXAS", "State of Texas"] as const).map(
      (text): [string, string, string] => ["US", text, "TX"],
    ),
    ...["DC", "D.C.", "Washington, D.C.", "district of columbia"].map((text): [string, string, string] => [
      "US",
      text,
      "DC",
    ]),
    ["US", "Washington", "WA"],
    ["US", "Washington State", "WA"],
    ["US", "NewYork", "NY"],
    ["US", "Puerto Rico", "PR"],
    ["US", "U.S. Virgin Islands", "VI"],
    ["US", "Armed Forces Pacific", "AP"],
    ["US", "UM", "UM"],
    ["CA", "Québec", "QC"],
    ["CA", "quebec", "QC"],
    ["CA", "Île-du-Prince-Édouard", "PE"],
    ["CA", "Yukon Territory", "YT"],
    ["AU", "new south wales", "NSW"],
    ["BR", "sao paulo", "SP"],
    ["MX", "CDMX", "CMX"],
    ["MX", "Estado de México", "MEX"],
    ["ES", "Bizkaia", "BI"],
    ["IT", "Rome", "RM"],
    ["IT", "Forli Cesena", "FC"],
    ["IE", "County Dublin", "D"],
    ["IN", "TS", "TG"],
    ["IN", "तमिल नाडु", "TN"],
    ["JP", "Tokyo", "13"],
    ["JP", "JP-13", "13"],
    ["JP", "東京", "13"],
    ["JP", "京都", "26"],
    ["JP", "Kyōto Prefecture", "26"],
    ["CN", "BJ", "11"],
    ["CN", "Guangdong Province", "44"],
    ["CN", "广东", "44"],
    ["KR", "경기도", "41"],
    ["KR", "서울특별시", "11"],
    ["TW", "臺北市", "TPE"],
    ["RU", "Moscow", "MOW"],
    ["RU", "Moscow Oblast", "MOS"],
    ["RU", "Leningrad Oblast", "LEN"],
    ["UA", "Lviv Oblast", "46"],
    ["TR", "istanbul", "34"],
    ["TR", "ISTANBUL", "34"],
    ["TR", "İSTANBUL", "34"],
    ["TR", "ığdır", "76"],
    ["TR", "IĞDIR", "76"],
    ["TH", "Chonburi", "20"],
    ["VN", "Thành phố Hà Nội", "HN"],
    ["VN", "Da Nang", "DN"],
    ["AE", "Emirate of Dubai", "DU"],
    ["KN", "Saint Kitts", "K"],
    ["JM", "St Ann Parish", "06"],
  ];
  test.for(known)("in %s, %j is %s", ([country, state, code]) => {
    expect(normalState(country, state)).toBe(code);
  });

  const unknown: [country: string, state: string][] = [
    ...["XX", "Ontario", "Kansas City", "T", "TXX", "T\0X", "T\nX", "T\ud800X", "ß", "-", "TX😀", "T".repeat(201)].map(
      (state): [string, string] => ["US", state],
    ),
    ["DE", "\0"],
    ["DE", "  "],
  ];
  test.for(unknown)("%s has none called %j", ([country, state]) => {
    expect(normalState(country, state)).toBeUndefined();
  });

  test("is kept as typed where none are known", () => {
    expect(normalState("DE", " Bayern ")).toBe("Bayern");
    expect(normalState("PR", "San Juan")).toBe("San Juan");
    expect(normalState("ZZ", "Nowhere")).toBe("Nowhere");
  });

  test("that is not known is kept as typed outside the United States", () => {
    const typed = ["CA TX", "AU Texas", "ES ß", "TW Hsinchu", "JP 48", "TH Nowhere", "IT Lombardia"];
    for (const [country = "", ...state] of typed.map((text) => text.split(" "))) {
      expect(normalState(country, state.join(" "))).toBe(state.join(" "));
    }
  });

  test("has one code for each code, name and alias of every country", () => {
    for (const country of countries) {
      for (const { code, names } of addressData(country)?.states ?? []) {
        for (const text of [code, code.toLowerCase(), `${country}-${code}`, ...names]) {
          expect(normalState(country, text), `${country} ${text}`).toBe(code);
        }
      }
      for (const alias of stateAliases[country]?.split(";") ?? []) {
        const [name = "", code] = alias.trim().split("=");
        expect(normalState(country, name), `${country} ${name}`).toBe(code);
      }
    }
  });

  test("of any text and length is found or not, in linear time, and normalising twice changes nothing", () => {
    fc.assert(
      fc.property(fc.constantFrom(...countries), fc.string({ unit: "binary" }), (country, text) => {
        const stored = normalState(country, text);
        if (stored !== undefined) expect(normalState(country, stored)).toBe(stored);
      }),
      { numRuns: 3_000 },
    );
    const started = performance.now();
    for (const piece of ["a", " ", "st ", "İ", "\u202e"]) normalState("US", piece.repeat(1_000_000));
    expect(performance.now() - started).toBeLessThan(generousMs);
  });
});
