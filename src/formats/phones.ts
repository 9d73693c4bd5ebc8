import { isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/min";
import { plainText } from "./folding.js";

/** How long a telephone number may be, in characters. */
export const maxPhoneLength = 32;
/** What a telephone number matches as it is typed: 3 to 15 digits, and signs between them. */
export const phonePattern = "^\\(?\\+?[ ./()-]*\\d(?:[ ./()-]*\\d){2,14}[ ./()-]*$";
const form = new RegExp(phonePattern, "u");

/**
 * A telephone number as it is stored, or undefined if the text is none: digits, spaces and `+ - . / ( )`, the `+` first,
 * 3 to 32 characters and 3 to 15 digits (ITU-T E.164). A number that is possible in its country is answered as E.164,
 * such as `+50683236988`; the country is the number's own or, for a national number, the given ISO 3166-1 code. Any
 * other is kept as typed: the plans of the world change, and a merchant may keep `+1234567890` or `952-111-1111`.
 */
export function normalPhone(text: string, country?: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 2 * maxPhoneLength) return undefined;
  const typed = plainText(trimmed);
  if (typed.length > maxPhoneLength || !form.test(typed)) return undefined;
  const digits = typed.replace(/\D/g, "");
  return e164(typed.includes("+") ? `+${digits}` : digits, country) ?? typed;
}

// Not every possible number is one: Germany's plan has national numbers of 15 digits, longer than E.164 with the country
// in front, and zeros after the country may be dropped when it is read again. Such a number is left alone.
function e164(number: string, country: string | undefined): string | undefined {
  const parsed = possible(number, country);
  if (parsed === undefined || parsed === number) return parsed;
  return parsed.length <= 16 && possible(parsed, country) === parsed ? parsed : undefined;
}

function possible(number: string, country: string | undefined): string | undefined {
  const known = country !== undefined && isSupportedCountry(country) ? { defaultCountry: country } : {};
  const parsed = parsePhoneNumberFromString(number, { ...known, extract: false });
  return parsed?.isPossible() ? parsed.number : undefined;
}
