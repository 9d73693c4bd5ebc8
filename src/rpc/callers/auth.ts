import type { Interceptor } from "@connectrpc/connect";
import { recordKey } from "../calls/call-record.js";
import { accessDenied, rpcError } from "../errors.js";
import type { AccessOf } from "./access.js";
import { type Caller, callerKey, clientAddressKey } from "./caller.js";

type CallerLookup = Caller | undefined;
/** Looks for a secret that came from a network address; gives no promise where the caller is at hand. */
type Find = (secret: string, address: string) => CallerLookup | Promise<CallerLookup>;

/** Finds who a key or a customer token belongs to; undefined if it is unknown, revoked or expired. */
export interface Authenticate {
  readonly key: Find;
  readonly token: Find;
}

/**
 * Lets a call through if its credentials are valid and may call the method. Throws UNAUTHENTICATED without valid
 * credentials, PERMISSION_DENIED for a method that is not the caller's.
 */
export function authInterceptor(authenticate: Authenticate, accessOf: AccessOf): Interceptor {
  return (next) => async (req) => {
    const allowed = accessOf(req.method).callers;
    if (allowed.includes("public")) return await next(req);
    const credentials = credentialsOf(req.header);
    const address = req.contextValues.get(clientAddressKey) ?? "";
    const caller = await callerOf(credentials, authenticate, address);
    const record = req.contextValues.get(recordKey);
    if (record !== undefined) {
      record.tenantId = caller.tenantId;
      record.actor = caller.actor;
    }
    if (!allowed.includes(caller.kind)) throw accessDenied();
    req.contextValues.set(callerKey, caller);
    const res = await next(req);
    if (!res.stream) return res;
    return { ...res, message: whileValid(res.message, () => callerOf(credentials, authenticate, address), req.signal) };
  };
}

/** How often the credential of a stream is checked again; the keyring may answer from its cache. */
const recheckMs = 500;

// A stream goes on as long as its credentials, and ends with them also while it is silent.
async function* whileValid<T>(
  messages: AsyncIterable<T>,
  check: () => Promise<unknown>,
  signal: AbortSignal,
): AsyncIterable<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let invalid: unknown;
  let end: ((error: unknown) => void) | undefined;
  const timer = setInterval(() => {
    check().catch((error) => {
      invalid = error;
      end?.(error);
    });
  }, recheckMs);
  const stop = () => clearInterval(timer);
  // A client that left while a message waited asks for no other, so the loop below would never end.
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (true) {
      // The credentials may have ended while the client read slowly.
      if (invalid !== undefined) throw invalid;
      // Not a race with one promise for all: that would keep something of every message until the stream ends.
      const { done, value } = await new Promise<IteratorResult<T>>((resolve, reject) => {
        end = reject;
        iterator.next().then(resolve, reject);
      });
      if (done) return;
      yield value;
    }
  } finally {
    stop();
    signal.removeEventListener("abort", stop);
    // A waiting iterator ends with the call's signal, so this return is not awaited.
    void iterator.return?.().catch(() => {});
  }
}

/** The credentials of a request: a key, a customer token, or a token beside a publishable key. */
export interface Credentials {
  readonly key?: string;
  readonly token?: string;
}

/**
 * The credentials of a request. A key is an HTTP Basic user with an empty password, a Bearer token, `api-key`
 * or `x-api-key`; a customer token is a Bearer token, or `x-customer-token` beside a publishable key. Throws
 * UNAUTHENTICATED if there is none, if one is malformed, or if two of a kind differ.
 */
export function credentialsOf(headers: Headers): Credentials {
  const given = authorization(headers.get("authorization"));
  const bearsToken = given?.startsWith(tokenPrefix) === true;
  const key = oneOf(bearsToken ? null : given, headers.get("api-key"), headers.get("x-api-key"));
  const token = oneOf(bearsToken ? given : null, headers.get("x-customer-token"));
  if (key === undefined && !bearsToken) {
    throw rpcError("CREDENTIALS_MISSING", "Authentication credentials were not provided.");
  }
  return { ...(key !== undefined && { key }), ...(token !== undefined && { token }) };
}

const tokenPrefix = "ct_";

function oneOf(...given: readonly (string | null)[]): string | undefined {
  const [credential, other] = new Set(given.filter((one) => one !== null && one !== ""));
  if (other !== undefined) throw rpcError("CREDENTIALS_INVALID", "The request carries two different credentials.");
  return credential ?? undefined;
}

// Both must be valid, and of one tenant. A token narrows what a publishable key may do; beside a secret key it is a mistake
// that would reach everybody.
async function callerOf({ key, token }: Credentials, authenticate: Authenticate, address: string): Promise<Caller> {
  // Asked at once, so that two that are not at hand are looked for together.
  const findingKey = key === undefined ? undefined : authenticate.key(key, address);
  const findingToken = token === undefined ? undefined : authenticate.token(token, address);
  const [byKey, byToken] =
    findingToken === undefined ? [await findingKey] : await Promise.all([findingKey, findingToken]);
  const caller = token === undefined ? byKey : byToken;
  if (caller === undefined || (key !== undefined && byKey?.tenantId !== caller.tenantId)) {
    throw rpcError("CREDENTIALS_INVALID", "The authentication credentials are not valid.");
  }
  if (byToken !== undefined && byKey?.kind === "secret_key") {
    throw rpcError("CREDENTIALS_INVALID", "A customer token goes beside a publishable key, not beside a secret one.");
  }
  return caller;
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
