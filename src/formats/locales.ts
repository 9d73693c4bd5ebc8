import { countryCodes } from "./countries.js";

// Codes that Intl still names although ISO 639-1 has withdrawn them.
const withdrawn = new Set("bh in iw ji jw mo sh".split(" "));

/** The ISO 639-1 language codes, 183 of them, sorted. */
export const languages: readonly string[] = allLanguages();

/** The expression of a locale, for JavaScript and for RE2. */
export const localePattern = `^(?:${languages.join("|")})_(?:${countryCodes.join("|")})$`;
const form = new RegExp(localePattern);

/** Whether text is a locale such as `en_US`: an ISO 639-1 language, `_`, an ISO 3166-1 country (Digital River). */
export function isLocale(text: string): boolean {
  return form.test(text);
}

function allLanguages(): string[] {
  const names = new Intl.DisplayNames("en", { type: "language", fallback: "none" });
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index));
  return letters
    .flatMap((first) => letters.map((second) => first + second))
    .filter((code) => names.of(code) !== undefined && !withdrawn.has(code));
}
