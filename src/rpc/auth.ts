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
    const credential = credentialOf(req.header);
    const caller = await authenticate(credential);
    if (caller === undefined) throw credentialsInvalid();
    const record = req.contextValues.get(recordKey);
    if (record !== undefined) Object.assign(record, { tenantId: caller.tenantId, actor: caller.actor });
    if (!allowed.includes(caller.kind)) throw accessDenied();
    req.contextValues.set(callerKey, caller);
    const res = await next(req);
    if (!res.stream) return res;
    return { ...res, message: whileValid(res.message, async () => (await authenticate(credential)) !== undefined) };
  };
}

function credentialsInvalid() {
  return rpcError("CREDENTIALS_INVALID", "The authentication credentials are not valid.");
}

/** Beside what the keyring may remember of a key, so that a stream ends within 5 s of its key. */
const recheckMs = 500;

// A stream goes on as long as its credential, and ends with it also while it is silent.
async function* whileValid<T>(messages: AsyncIterable<T>, isValid: () => Promise<boolean>): AsyncIterable<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let end: ((error: unknown) => void) | undefined;
  const check = async () => {
    if (!(await isValid())) throw credentialsInvalid();
  };
  const timer = setInterval(() => void check().catch((error) => end?.(error)), recheckMs);
  try {
    while (true) {
      // Not a race with one promise for all: that would keep something of every message until the stream ends.
      const { done, value } = await new Promise<IteratorResult<T>>((resolve, reject) => {
        end = reject;
        iterator.next().then(resolve, reject);
      });
      if (done) return;
      yield value;
    }
  } finally {
    clearInterval(timer);
    // Where it waits, it ends with the signal of the call; nobody waits for that.
    void iterator.return?.().catch(() => {});
  }
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
