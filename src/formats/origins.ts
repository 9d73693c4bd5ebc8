const thisMachine = /^(localhost|127\.0\.0\.1|\[::1\]|.+\.localhost)$/;

/**
 * Whether a text is an origin, spelled as browsers send it: over https, since whoever is on the way can speak for a page
 * that came over http, or on this machine.
 */
export function isOrigin(text: string): boolean {
  const url = securely(text);
  return url?.origin === text && !text.includes("*");
}

/** Whether a text can be the issuer of identity tokens (OpenID Connect Discovery, 3): as an origin, and maybe a path. */
export function isIssuer(text: string): boolean {
  const url = securely(text);
  return (
    url !== undefined && [url.href, url.origin].includes(text) && url.username === "" && url.search + url.hash === ""
  );
}

function securely(text: string): URL | undefined {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === "https:" || thisMachine.test(url.hostname) ? url : undefined;
}
