/**
 * Where a photo is seen: under the tenant's 26 characters, so that it is found without a look across tenants, and a
 * token that nobody can guess. `publicUrl` is where clients reach the public port.
 */
export function photoUrl(publicUrl: string, tenantId: string, token: string): string {
  return `${publicUrl}/photos/${tenantId.slice(tenantId.indexOf("_") + 1)}.${token}`;
}

/** The photo that a URL's path names; undefined for a path of another form. */
export function parsePhotoPath(path: string): { tenantId: string; token: string } | undefined {
  const [, suffix, token] = /^\/photos\/([0-9a-z]{26})\.([0-9a-z]{32})$/.exec(path) ?? [];
  return suffix === undefined || token === undefined ? undefined : { tenantId: `ten_${suffix}`, token };
}
