const vaultToken = /^cct_(sandbox|live)_[A-Za-z0-9_-]{1,200}$/;
const sourceId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The one spelling of a token: the hexadecimal digits of a UUID are the same in either case. */
export function canonicalToken(token: string): string {
  return sourceId.test(token) ? token.toLowerCase() : token;
}

/** The mode that a token names, `sandbox` or `live`; undefined for one that names none. */
export function modeOfToken(token: string): string | undefined {
  return vaultToken.exec(token)?.[1];
}

/** Whether a text could be a token at all. */
export function isToken(text: string): boolean {
  return vaultToken.test(text) || sourceId.test(text);
}
