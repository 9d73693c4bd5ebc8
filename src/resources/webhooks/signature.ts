import { createHmac, hkdfSync } from "node:crypto";

/** Which secret of which endpoint. */
export interface SecretOf {
  readonly tenantId: string;
  readonly endpointId: string;
  /** Counts the rotations. */
  readonly secretVersion: number;
}

/**
 * The secret of an endpoint, `whsec_` and 43 characters. It follows from the deployment's key and stands in no database:
 * no dump can hold it.
 */
export function secretOf(secretKey: Buffer, { tenantId, endpointId, secretVersion }: SecretOf): string {
  const info = `webhook ${tenantId} ${endpointId} ${secretVersion}`;
  return `whsec_${Buffer.from(hkdfSync("sha256", secretKey, "", info, 32)).toString("base64url")}`;
}

/** The header that signs a body, `t=…,v1=…`, with a v1 for each secret: the scheme of Stripe. */
export function signatureOf(secrets: readonly string[], body: string, now: Date): string {
  const time = Math.trunc(now.getTime() / 1000);
  const signed = secrets.map((secret) => `v1=${createHmac("sha256", secret).update(`${time}.${body}`).digest("hex")}`);
  return [`t=${time}`, ...signed].join(",");
}
