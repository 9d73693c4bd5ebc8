import { visibleText } from "./text.js";

// Letters that are a letter and a mark to a reader, yet do not decompose: "Đà Nẵng" is "Da Nang", "Iğdır" is "Igdir".
const plainLetters: Record<string, string> = { đ: "d", ı: "i", 臺: "台" };

// The code point of zero in the scripts whose digits NFKC leaves alone: Arabic, Persian, Devanagari, Thai.
const zeros = [0x660, 0x6f0, 0x966, 0xe50];

/**
 * A number or code as typed on any keyboard, in ASCII where ASCII has it: full-width and Arabic digits, typographic
 * dashes and spaces are plain ones, invisible marks of direction are gone, the ends are trimmed.
 */
export function plainText(text: string): string {
  const visible = visibleText(text).normalize("NFKC");
  const digits = visible.replace(/[٠-٩۰-۹०-९๐-๙]/g, (digit) => {
    const point = digit.codePointAt(0) ?? 0;
    return String(point - Math.max(...zeros.filter((zero) => zero <= point)));
  });
  return digits.replace(/[\u2010-\u2015\u2212\u30fc]/g, "-").trim();
}

/**
 * Folds a name for comparison: without case, accents, punctuation and spaces.
 * "Åland Islands" and "aland islands" are the same, and so are "St. Lucia" and "Saint Lucia".
 */
export function foldedName(name: string): string {
  const lower = name.normalize("NFKD").toLowerCase().normalize("NFKD");
  const words = lower.replace(/&/g, " and ").replace(/\bst\b/g, "saint");
  const bare = words.replace(/[\p{M}\p{P}\p{Z}\u02b9-\u02bf`´]/gu, "");
  return bare.replace(/[đı臺]/g, (letter) => plainLetters[letter] ?? letter);
}

/**
 * Folds an e-mail address for comparison: whatever Postgres takes for the same, trimmed and in lower
 * case, is the same here. Other addresses may be too, which JavaScript's lower case cannot promise: of "İ" it makes two
 * characters, and Postgres one "i".
 */
export function coarseEmail(email: string): string {
  return email.trim().toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase();
}

/** The expression of a text without control characters, for JavaScript with its `u` flag and for RE2. */
export const noControlsPattern = "^[^\\p{Cc}]*$";

/** Whether text holds a control character, which no name, number or code does. */
export function hasControls(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
