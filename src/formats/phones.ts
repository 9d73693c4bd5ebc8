import { isSupportedCountry, parsePhoneNumberFromString } from "libphonenumber-js/min";
import { plainText } from "./folding.js";

/** How long a telephone number may be without its extension, in characters. */
export const maxPhoneLength = 32;
const maxTypedLength = 64;

const number = "\\(?\\+?[ ./()-]*\\d(?:[ ./()-]*\\d){2,14}[ ./()-]*";
const label = "(?:[eE][xX][tT](?:[nN]|[eE][nN][sS][iI][oOóÓ][nN])?|[aA][nN][eE][xX][oO]|[дД][оО][бБ]|[xX#])";
const extension = `(?:;ext=|,{1,2} ?|[;,]? ?${label}[.:=]? ?)\\d{1,11}`;

/** Matches a telephone number as it is typed: 3 to 15 digits with signs between them, then perhaps an extension. */
export const phonePattern = `^${number}(?:${extension})?$`;
const form = new RegExp(`^(${number})(${extension})?$`, "u");

/**
 * A telephone number as it is stored, or undefined if the text is none: digits, spaces and `+ - . / ( )`, the `+` first,
 * 3 to 32 characters and 3 to 15 digits (ITU-T E.164). A number that is possible in its country is answered as E.164,
 * such as `+50683236988`; the country is the number's own or, for a national number, the given ISO 3166-1 code. Any
 * other is kept as typed: the plans of the world change, and a merchant may keep `+1234567890` or `952-111-1111`.
 *
 * An extension of 1 to 11 digits follows as `;ext=125` (RFC 3966), however it is typed. A `tel:` before the number is
 * dropped.
 */
export function normalPhone(text: string, country?: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 2 * maxTypedLength) return undefined;
  const plain = plainText(trimmed);
  const typed = /^tel:/i.test(plain) ? withoutScheme(plain) : plain;
  const [, before = "", after = ""] = form.exec(typed) ?? [];
  const main = before.trim();
  if (typed.length > maxTypedLength || main.length > maxPhoneLength || main === "") return undefined;
  const digits = main.replace(/\D/g, "");
  const stored = e164(main.includes("+") ? `+${digits}` : digits, country) ?? main;
  return after === "" ? stored : `${stored};ext=${after.replace(/\D/g, "")}`;
}

// A local number of RFC 3966 says in `phone-context` which digits come before it.
function withoutScheme(uri: string): string {
  const [, main = "", context = "", rest = ""] = /^tel:([^;]*)(?:;phone-context=(\+[\d.()-]+))?(.*)$/iu.exec(uri) ?? [];
  return context + main.trim() + rest;
}

// Not every possible number is one: Germany's plan has national numbers of 15 digits, longer than E.164 with the country
// in front, and zeros after the country may be dropped when it is read again. Such a number is left alone.
function e164(digits: string, country: string | undefined): string | undefined {
  const parsed = possible(digits, country);
  if (parsed === undefined || parsed === digits) return parsed;
  return parsed.length <= 16 && possible(parsed, country) === parsed ? parsed : undefined;
}

function possible(digits: string, country: string | undefined): string | undefined {
  const region = country !== undefined && isSupportedCountry(country) ? { defaultCountry: country } : {};
  const parsed = parsePhoneNumberFromString(digits, { ...region, extract: false });
  return parsed?.isPossible() ? parsed.number : undefined;
}
