const thisMachine = /^(localhost|127\.0\.0\.1|\[::1\]|.+\.localhost)$/;

/**
 * Whether a text is an origin, spelled as browsers send it: over https, since whoever is on the way can speak for a page
 * that came over http, or on this machine.
 */
export function isOrigin(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { origin, protocol, hostname } = new URL(text);
  return origin === text && !text.includes("*") && (protocol === "https:" || thisMachine.test(hostname));
}
