import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLocale, languages } from "../../src/formats/locales.js";

describe("a locale", () => {
  test("names one of the 183 languages of ISO 639-1", () => {
    expect(languages).toHaveLength(183);
    expect(languages).toEqual(expect.arrayContaining(["aa", "en", "nb", "no", "tl", "tw", "yi", "zu"]));
    for (const withdrawn of ["in", "iw", "ji", "jw", "mo", "sh"]) expect(languages).not.toContain(withdrawn);
  });

  test.for(["en_US", "es_CR", "de_CH", "zh_TW", "no_NO", "tl_PH", "he_IL", "sr_RS", "aa_DJ"])("%s is one", (text) => {
    expect(isLocale(text)).toBe(true);
  });

  const refused = [
    ...[
      "",
      "en",
      "US",
      "_",
      "en_",
      "_US",
      "en_us",
      "EN_US",
      "En_US",
      "en-US",
      "en US",
      "en_USA",
      "eng_US",
      "en_US_POSIX",
    ],
    ...["xx_US", "zz_US", "en_ZZ", "en_XX", "en_UK", "en_EU", "sr_YU", "en_419", "iw_IL", "in_ID", "sh_RS", "mo_MD"],
    ...[" en_US", "en_US ", "en_US\n", "en_US\0", "en_ＵＳ", "ｅn_US", "ıt_IT", "en_ß", "\u200een_US", "en_US.UTF-8"],
  ];
  test.for(refused)("%j is none", (text) => {
    expect(isLocale(text)).toBe(false);
  });

  test("can be asked of any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => !isLocale(text) || /^[a-z]{2}_[A-Z]{2}$/.test(text)),
    );
    expect(isLocale("en_US".repeat(1_000_000))).toBe(false);
  });
});
