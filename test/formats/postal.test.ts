import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { postalViolations } from "../../src/formats/postal.js";
import { normalPostalCode } from "../../src/formats/postal-codes.js";

// A ZIP code of each state, territory and military "state" of the USPS: the capital's, or the largest post office's.
const zipCodes =
  "AL 36104,AK 99801,AZ 85001,AR 72201,CA 95814,CO 80202,CT 06103,DE 19901,FL 32301,GA 30303,HI 96813,ID 83702," +
  "IL 62701,IN 46225,IA 50309,KS 66603,KY 40601,LA 70802,ME 04330,MD 21401,MA 02201,MI 48933,MN 55102,MS 39205," +
  "MO 65101,MT 59623,NE 68502,NV 89701,NH 03301,NJ 08608,NM 87501,NY 12207,NC 27601,ND 58501,OH 43215,OK 73102," +
  "OR 97301,PA 17101,RI 02903,SC 29217,SD 57501,TN 37219,TX 78701,UT 84111,VT 05602,VA 23219,WA 98507,WV 25301," +
  "WI 53703,WY 82001,DC 20001,PR 00901,VI 00802,GU 96910,AS 96799,MP 96950,FM 96941,MH 96960,PW 96940," +
  "AA 34002,AE 09001,AP 96201";
const byState = zipCodes.split(",").map((pair): [string, string] => [pair.slice(0, 2), pair.slice(3)]);

// For every border between states that a ZIP code crosses, the first that does, with all its states, by the Census Bureau's
// relationship file of 2020.
const borderZipCodes =
  "02861 MA/RI,03579 ME/NH,19973 DE/MD,20135 VA/WV,27048 NC/VA,30165 AL/GA,30741 GA/TN,37642 TN/VA," +
  "38079 KY/TN,38326 MS/TN,38769 AR/MS,38852 AL/MS,51001 IA/SD,51360 IA/MN,51557 IA/NE,51640 IA/MO," +
  "54540 MI/WI,56136 MN/SD,56744 MN/ND,57255 ND/SD,57717 MT/SD/WY,57724 MT/SD,57735 NE/SD,58621 MT/ND," +
  "59847 ID/MT,63673 IL/MO,65729 AR/MO,66541 KS/NE,69168 CO/NE,71749 AR/LA,71937 AR/OK,72338 AR/TN," +
  "73949 OK/TX,75556 AR/TX,79835 NM/TX,81120 CO/NM,81324 CO/UT,82063 CO/WY,82082 CO/NE/WY,82701 SD/WY," +
  "82801 MT/WY,82930 UT/WY,83120 ID/WY,83342 ID/UT,83856 ID/WA,84034 NV/UT,84531 AZ/UT,86504 AZ/NM," +
  "86514 AZ/NM/UT,89010 CA/NV,89421 NV/OR,89832 ID/NV,97635 CA/OR,97910 ID/OR,99362 OR/WA";

describe("a ZIP code", () => {
  test("is tried for 50 states, DC, 8 territories and 3 of the forces", () => {
    expect(new Set(byState.map(([state]) => state)).size).toBe(62);
  });

  test.for(byState)("in %s may be %s, and nowhere else", ([state, postalCode]) => {
    const accepting = byState.filter(
      ([other]) => postalViolations({ country: "US", state: other, postalCode }).length === 0,
    );
    expect(accepting.map(([other]) => other)).toEqual([state]);
  });

  const accepted: [state: string | undefined, postalCode: string, why: string][] = [
    ["TX", "78701", "SimpleCheckout's example"],
    ["MN", "55129", "Digital River's example"],
    ["MN", "55129-1234", "ZIP+4"],
    ["Minnesota", "55129", "a state by name"],
    [undefined, "55129", "no state"],
    ["TX", "88510", "El Paso"],
    ["TX", "73301", "the tax office in Austin"],
    ["NY", "06390", "Fishers Island"],
    ["KY", "42223", "Fort Campbell, Kentucky"],
    ["TN", "42223", "Fort Campbell, Tennessee"],
    ["TX", "73949-0001", "Texhoma, Texas"],
    ["TX", "73960", "Texhoma, whose post office was in Oklahoma"],
    ["CA", "97635", "New Pine Creek, California"],
    ["UM", "96898", "Wake Island"],
    ["HI", "96898", "Wake Island, which the USPS counts to Hawaii"],
  ];
  test.for(accepted)("of %s may be %s: %s", ([state, postalCode]) => {
    expect(postalViolations({ country: "US", state, postalCode })).toEqual([]);
  });

  test.for(borderZipCodes.split(",").map((row) => row.split(" ") as [string, string]))(
    "%s lies in %s",
    ([postalCode, states]) => {
      for (const state of states.split("/")) {
        expect(postalViolations({ country: "US", state, postalCode })).toEqual([]);
      }
    },
  );

  const refused: [state: string, postalCode: string, description: string][] = [
    ["TX", "55129", "The postal code does not belong to Texas."],
    ["Texas", "90210-1234", "The postal code does not belong to Texas."],
    ["DC", "10001", "The postal code does not belong to District of Columbia."],
    ["OH", "42223", "The postal code does not belong to Ohio."],
    ["TX", "7870", "Enter a valid postal code."],
    ["TX", "787011", "Enter a valid postal code."],
    ["TX", "78701-12", "Enter a valid postal code."],
    ["TX", "K1A 0B1", "Enter a valid postal code."],
    ["TX", "7870\0", "Enter a valid postal code."],
    ["TX", "7-8-7-0-1", "Enter a valid postal code."],
  ];
  test.for(refused)("of %s is not %s", ([state, postalCode, description]) => {
    expect(postalViolations({ country: "US", state, postalCode })).toEqual([{ field: "postal_code", description }]);
  });

  test("a wrong country and a wrong state are both named", () => {
    expect(postalViolations({ country: "US", state: "XX", postalCode: "1" })).toEqual([
      { field: "state", description: "Enter a valid state." },
      { field: "postal_code", description: "Enter a valid postal code." },
    ]);
  });
});

describe("a postal code", () => {
  const forms: [country: string, typed: string, stored: string | undefined][] = [
    ["US", " 55129 ", "55129"],
    ["US", "551291234", "55129-1234"],
    ["US", "55129 1234", "55129-1234"],
    ["US", "５５１２９", "55129"],
    ["US", "\u200e55129\u200f", "55129"],
    ["US", "55129–1234", "55129-1234"],
    ["CA", "k1a0b1", "K1A 0B1"],
    ["CA", "K1A-0B1", "K1A 0B1"],
    ["CA", "D1A 0B1", "D1A 0B1"],
    ["GB", "sw1a1aa", "SW1A 1AA"],
    ["GB", "M2 5BQ", "M2 5BQ"],
    ["GB", "ZZ1 1AA", "ZZ1 1AA"],
    ["GB", "ß1 1AA", "ß1 1AA"],
    ["GB", "ıP1 1AA", "ıP1 1AA"],
    ["DE", "10115", "10115"],
    ["DE", "1011", "1011"],
    ["FR", "75 001", "75001"],
    ["FR", "7500", "7500"],
    ["NL", "1234ab", "1234 AB"],
    ["NL", "0234 AB", "0234 AB"],
    ["SE", "SE-114 55", "11455"],
    ["SE", "1145", "1145"],
    ["CH", "CH-8000", "8000"],
    ["CH", "80000", "80000"],
    ["LV", "1073", "LV-1073"],
    ["LV", "LT-1073", "LT-1073"],
    ["PT", "2725079", "2725-079"],
    ["PT", "2725", "2725"],
    ["PL", "00950", "00-950"],
    ["PL", "0095", "0095"],
    ["BR", "40.301-110", "40301-110"],
    ["BR", "40301", "40301"],
    ["JP", "〒1540023", "154-0023"],
    ["JP", "１５４ー００２３", "154-0023"],
    ["JP", "154-002", "154-002"],
    ["CR", "10101", "10101"],
    ["CR", "101", "101"],
    ["SA", "١١٥٦٤", "11564"],
    ["SA", "115", "115"],
    ["IN", "110 034", "110034"],
    ["IN", "11003", "11003"],
    ["AU", "2060", "2060"],
    ["AU", "20600", "20600"],
    ["IE", "a65f4e2", "A65 F4E2"],
    ["IE", "A65", "A65"],
    ["AR", "c1070aam", "C1070AAM"],
    ["AR", "I1070", "I1070"],
    ["KR", "03051", "03051"],
    ["KR", "030-51", "03051"],
    ["KR", "3051", "3051"],
    ["ES", "28039", "28039"],
    ["ES", "2803", "2803"],
    ["PR", "00930-1234", "00930-1234"],
    ["PR", "10001", "10001"],
    ["HK", " N/A ", "N/A"],
    ["HK", "\0", undefined],
    ["ZZ", "anything", "anything"],
    ["MM", "1508203", "1508203"],
    ["PY", "001015", "001015"],
    ["KZ", "A15H1D7", "A15H1D7"],
    ["AU", "4825", "4825"],
    ["IN", "533464", "533464"],
    ["PA", "0801", "0801"],
    ["US", "1234", undefined],
    ["US", "ABCDE", undefined],
    ["US", "55129-12", undefined],
  ];
  test.for(forms)("in %s typed as %j is %j", ([country, typed, stored]) => {
    expect(normalPostalCode(country, typed)).toBe(stored);
    expect(postalViolations({ country, postalCode: typed })).toHaveLength(stored === undefined ? 1 : 0);
  });

  const ofStates: [country: string, state: string, postalCode: string][] = [
    ["AU", "NT", "4825"],
    ["IN", "Puducherry", "533464"],
    ["CA", "ON", "V8X 3X4"],
    ["IT", "Lombardia", "20121"],
    ["TH", "Phatthalung", "93000"],
    ["ID", "Yogyakarta", "55281"],
    ["MM", "Yangon", "1508203"],
  ];
  test.for(ofStates)(
    "in %s %s may be %s, because borders change outside the United States",
    ([country, state, postalCode]) => {
      expect(postalViolations({ country, state, postalCode })).toEqual([]);
    },
  );

  test("a state may be absent, and is not checked without a country", () => {
    expect(postalViolations({})).toEqual([]);
    expect(postalViolations({ country: "US" })).toEqual([]);
    expect(postalViolations({ country: "US", state: "", postalCode: "" })).toEqual([]);
    expect(postalViolations({ country: "DE", state: "Bayern", postalCode: "80331" })).toEqual([]);
    expect(postalViolations({ state: "XX", postalCode: "?" })).toEqual([]);
  });

  test("of any length is read in linear time", () => {
    const started = performance.now();
    for (const piece of ["1", " ", "1 ", "-", "\u202e", "ﷺ"]) {
      expect(normalPostalCode("US", piece.repeat(1_000_000))).toBeUndefined();
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test("of any text is one or not, and normalising twice changes nothing", () => {
    const countries = fc.constantFrom(..."US CA GB JP SE LV PE SV BR AR HT AZ KY MT IE HK ZZ".split(" "));
    const codes = fc.string({ unit: fc.constantFrom(..."0123456789ABCLVSEP -."), maxLength: 12 });
    fc.assert(
      fc.property(countries, fc.oneof(codes, fc.string({ unit: "binary" })), (country, text) => {
        postalViolations({ country, state: text, postalCode: text });
        const stored = normalPostalCode(country, text);
        if (stored !== undefined) expect(normalPostalCode(country, stored)).toBe(stored);
      }),
      { numRuns: 5_000 },
    );
  });
});
