import fc from "fast-check";
import { getCountries } from "libphonenumber-js/min";
import { describe, expect, test } from "vitest";
import { normalPhone } from "../../src/formats/phones.js";
import { generousMs } from "../support/time.js";

describe("a phone number", () => {
  const accepted: [text: string, country: string | undefined, stored: string, why: string][] = [
    ["+1234567890", undefined, "+1234567890", "SimpleCheckout's example, a digit short"],
    ["+1234567890", "US", "+1234567890", "SimpleCheckout's example in its country"],
    ["952-111-1111", undefined, "952-111-1111", "Digital River's example, without a country"],
    ["952-111-1111", "US", "+19521111111", "Digital River's example in its country"],
    ["+50683236988", undefined, "+50683236988", "4Geeks' example"],
    ["+50683236988", "CR", "+50683236988", "4Geeks' example in its country"],
    ["000000000", undefined, "000000000", "4Geeks' zeros"],
    ["000000000", "CR", "000000000", "4Geeks' zeros in a country"],
    ["8323 6988", "CR", "+50683236988", "a national number of the country"],
    ["8323 6988", undefined, "8323 6988", "a national number of no country"],
    ["8323 6988", "ZZ", "8323 6988", "a national number of no such country"],
    ["8323 6988", "Costa Rica", "8323 6988", "a country that is no code"],
    ["+506 8323-6988", "US", "+50683236988", "an international number elsewhere"],
    ["(+506) 8323.6988", undefined, "+50683236988", "a country code in parentheses"],
    ["+44 (0)20 7946 0958", undefined, "+442079460958", "the zero that is dialled at home only"],
    ["020 7946 0958", "GB", "+442079460958", "a national prefix"],
    ["011 506 8323 6988", "US", "+50683236988", "the prefix for calls abroad"],
    ["030/123456", "DE", "+4930123456", "a slash"],
    ["  +50683236988  ", undefined, "+50683236988", "blanks around it"],
    ["112", undefined, "112", "three digits"],
    ["112", "DE", "112", "three digits in a country"],
    ["123456789012345", undefined, "123456789012345", "fifteen digits"],
    ["+123456789012345", undefined, "+123456789012345", "fifteen digits after a plus"],
    ["123456789012345", "DE", "123456789012345", "what would be longer than E.164 with its country"],
    ["＋５０６８３２３６９８８", undefined, "+50683236988", "full-width digits"],
    ["+٥٠٦٨٣٢٣٦٩٨٨", undefined, "+50683236988", "Arabic digits"],
    ["\u202a+50683236988\u202c", undefined, "+50683236988", "marks of direction, as copied from contacts"],
    ["\u200f+506\u00a08323\u20116988", undefined, "+50683236988", "typographic blanks and hyphens"],
  ];
  const extended: typeof accepted = [
    "+1 202 555 0143 ext. 125",
    "+1 202 555 0143 ext 125",
    "+1 202 555 0143 Ext: 125",
    "+1 (202) 555-0143, extension 125",
    "+1 202 555 0143 extn 125",
    "+1 202 555 0143 extensión 125",
    "+1 202 555 0143x125",
    "+1 202 555 0143 X125",
    "+1 202 555 0143 #125",
    "+1 202 555 0143,125",
    "+12025550143;ext=125",
    "tel:+1-202-555-0143;ext=125",
    "TEL:+1-202-555-0143;ext=125",
    "202-555-0143 x125",
    "+1 202 555 0143 доб. 125",
    "+1 202 555 0143 anexo 125",
    "＋１ 202 555 0143 ｅｘｔ. １２５",
    "+1 202 555 0143\u00a0ext.\u00a0125",
  ].map((text) => [text, "US", "+12025550143;ext=125", "an extension"]);
  extended.push(
    ["tel:+1-202-555-0143", undefined, "+12025550143", "a URI"],
    ["tel: +1 202 555 0143", undefined, "+12025550143", "a URI with a blank"],
    ["tel:555-0143;phone-context=+1-202", undefined, "+12025550143", "a local number in its context"],
    ["tel:+50683236988", "US", "+50683236988", "a URI of another country"],
    ["952-111-1111 ext. 5", undefined, "952-111-1111;ext=5", "an extension of a number that is kept as typed"],
  );
  test.for([...accepted, ...extended])("%s in %s is stored as %s: %s", ([text, country, stored]) => {
    expect(normalPhone(text, country)).toBe(stored);
  });

  const refused: [text: string, why: string][] = [
    ["", "nothing"],
    ["   ", "blanks"],
    ["12", "two digits"],
    ["+-()./", "no digit"],
    ["1234567890123456", "sixteen digits"],
    [`1${" ".repeat(30)}23`, "more than 32 characters"],
    ["1-800-FLOWERS", "letters"],
    ["12+34567", "a plus in the middle"],
    ["++50683236988", "two plusses"],
    ["+50683236988\0", "a NUL"],
    ["8323\t6988", "a tab"],
    ["8323\n6988", "a line break"],
    ["ß1234567", "ß"],
    ["①②③④⑤⑥!", "other signs"],
    ["sip:+50683236988", "another scheme"],
    ["tel:", "a scheme alone"],
    ["tel:+12025550143;isub=12", "a parameter that would be lost"],
    ["+1 202 555 0143 ext.", "an extension without digits"],
    ["+1 202 555 0143 ext. 123456789012", "an extension of twelve digits"],
    ["ext. 125", "an extension alone"],
    ["+1 202 555 0143 ext. 12 ext. 5", "two extensions"],
    ["\ud800123", "half a surrogate pair"],
  ];
  test.for(refused)("%j is none: %s", ([text]) => {
    expect(normalPhone(text)).toBeUndefined();
    expect(normalPhone(text, "US")).toBeUndefined();
  });

  test("of any length is read in linear time", () => {
    const started = performance.now();
    for (const piece of ["1", " ", "+", "(", "- ", "\u202a", "1 (", "tel:", "1x", ";ext=1", ", "])
      normalPhone(piece.repeat(1_000_000), "US");
    expect(performance.now() - started).toBeLessThan(generousMs);
  });

  test("any text gives a number of the contract's form, or none, and normalising twice changes nothing", () => {
    const countries = fc.option(fc.constantFrom(...getCountries()), { nil: undefined });
    const digits = fc.string({ unit: fc.constantFrom(..."0123456789+ ()-./x#,"), maxLength: 20 });
    fc.assert(
      fc.property(fc.oneof(digits, fc.string({ unit: "binary" })), countries, (text, country) => {
        const stored = normalPhone(text, country);
        if (stored === undefined) return;
        expect(stored).toMatch(/^\(?\+?[\d ./()-]{3,32}(;ext=\d{1,11})?$/);
        expect(normalPhone(stored, country)).toBe(stored);
      }),
      { numRuns: 5_000 },
    );
  });
});
