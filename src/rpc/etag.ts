import { staleEtag } from "./errors.js";

/** A resource's version as clients see it: opaque, different after every change. */
export function etagOf(version: number): string {
  return `v${version.toString(36)}`;
}

/** Refuses a change that was made of an older version. An empty etag asks for no check. Throws ABORTED. */
export function requireEtag(resource: string, row: { readonly version: number }, etag: string): void {
  if (etag !== "" && etag !== etagOf(row.version)) throw staleEtag(resource);
}
