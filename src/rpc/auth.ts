import type { Interceptor } from "@connectrpc/connect";
import type { AccessOf } from "./access.js";
import { type Caller, callerKey } from "./caller.js";
import { accessDenied, rpcError } from "./errors.js";
import { recordKey } from "./record.js";

/** Finds who a credential belongs to; undefined if it is unknown or revoked. */
export type Authenticate = (credential: string) => Promise<Caller | undefined>;

/**
 * Lets a call through if its credential is valid and may call the method. Throws UNAUTHENTICATED without a valid
 * credential, PERMISSION_DENIED for a method that is not the caller's.
 */
export function authInterceptor(authenticate: Authenticate, accessOf: AccessOf): Interceptor {
  return (next) => async (req) => {
    const allowed = accessOf(req.method).callers;
    if (allowed.includes("public")) return await next(req);
    const caller = await authenticate(credentialOf(req.header));
    if (caller === undefined) throw rpcError("CREDENTIALS_INVALID", "The authentication credentials are not valid.");
    const record = req.contextValues.get(recordKey);
    if (record !== undefined) Object.assign(record, { tenantId: caller.tenantId, actor: caller.actor });
    if (!allowed.includes(caller.kind)) throw accessDenied();
    req.contextValues.set(callerKey, caller);
    return await next(req);
  };
}

/**
 * The credential of a request: HTTP Basic user with an empty password (4G), a Bearer token (DR), `api-key` (SC) or
 * `x-api-key`. Throws UNAUTHENTICATED if there is none, if it is malformed, or if two differ.
 */
export function credentialOf(headers: Headers): string {
  const given = [authorization(headers.get("authorization")), headers.get("api-key"), headers.get("x-api-key")];
  const distinct = new Set(given.filter((credential) => credential !== null && credential !== ""));
  const [credential] = distinct;
  if (credential === undefined || credential === null) {
    throw rpcError("CREDENTIALS_MISSING", "Authentication credentials were not provided.");
  }
  if (distinct.size > 1) throw rpcError("CREDENTIALS_INVALID", "The request carries two different credentials.");
  return credential;
}

function authorization(header: string | null): string | null {
  if (header === null) return null;
  const [, scheme, value] = /^\s*(basic|bearer)\s+(\S+)\s*$/i.exec(header) ?? [];
  if (scheme === undefined || value === undefined) {
    throw rpcError("CREDENTIALS_INVALID", "The authorization header is neither Basic nor Bearer.");
  }
  if (scheme.toLowerCase() === "bearer") return value;
  const [user = "", ...password] = Buffer.from(value, "base64").toString().split(":");
  if (password.join(":") !== "") {
    throw rpcError("CREDENTIALS_INVALID", "Give the key as the user of HTTP Basic, with an empty password.");
  }
  return user;
}
