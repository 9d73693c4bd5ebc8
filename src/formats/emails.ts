import { toASCII, toUnicode } from "tr46";
import { visibleText } from "./text.js";

// RFC 5321 counts octets.
const maxLocalBytes = 64;
const maxBytes = 254;

// Quoted local parts are left out: hardly a system accepts them.
const atom = String.raw`[^\s\p{C}@.,:;<>()[\]\\"]+`;
const dotAtom = new RegExp(`^${atom}(?:\\.${atom})*$`, "u");
const plainDomain =
  /^(?!.*xn--)(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * An e-mail address as it is kept, or undefined if the text is none: as typed, composed (NFC), without invisible
 * characters. The local part is a dot-atom of at most 64 bytes (RFC 5321), in any letters (RFC 6531). A domain in
 * punycode, or in letters that IDNA maps to others, becomes the name that it stands for, so that all spellings of one
 * domain are equal.
 */
export function normalEmail(text: string): string | undefined {
  const typed = visibleText(text).trim();
  const at = typed.lastIndexOf("@");
  const local = typed.slice(0, at);
  if (at < 0 || !dotAtom.test(local) || Buffer.byteLength(local) > maxLocalBytes) return undefined;
  const domain = normalDomain(typed.slice(at + 1));
  if (domain === undefined || Buffer.byteLength(local) + 1 + domain.ascii.length > maxBytes) return undefined;
  return `${local}@${domain.shown}`;
}

function normalDomain(typed: string): { readonly ascii: string; readonly shown: string } | undefined {
  if (plainDomain.test(typed)) return { ascii: typed, shown: typed };
  // A typed text of any length would cost as much.
  if (typed.length > maxBytes) return undefined;
  const ascii = toASCII(typed, {
    checkBidi: true,
    checkHyphens: true,
    checkJoiners: true,
    useSTD3ASCIIRules: true,
    verifyDNSLength: true,
  });
  // A last label of digits makes it an address of IPv4, or nothing (RFC 3696, 2).
  if (ascii === null || !ascii.includes(".") || /\.\d+$/.test(ascii)) return undefined;
  const { domain } = toUnicode(ascii);
  return { ascii, shown: typed.toLowerCase() === domain ? typed : domain };
}
