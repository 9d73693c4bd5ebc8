import { createRemoteJWKSet, customFetch as fetchOfJose, jwtVerify } from "jose";
import * as oidc from "openid-client";
import { createTtlCache } from "../rpc/ttl-cache.js";
import { createGuardedFetch, type GuardedFetch } from "./guarded-fetch.js";
import { Unreachable } from "./http-json.js";
import { type NetworkRules, problemOfUrl } from "./public-networks.js";

/** A client of an identity provider: what a merchant registers there. */
export interface IdentityClient {
  /** Such as `https://accounts.example`: where its discovery document is found, and what its tokens must name. */
  readonly issuer: string;
  readonly clientId: string;
}

/** The result of an authorization request, as the page passes it on. */
export interface Grant {
  readonly code: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  readonly nonce: string;
}

/** The verified claims of an identity token, each bounded in length. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The provider did not confirm the identity: a wrong or used code, or a token that is not for us. */
export class NotConfirmed extends Error {
  override readonly name = "NotConfirmed";
}

/** Where people can prove who they are. */
export interface IdentityProviders {
  /** The problem of an issuer's address as the text of a field violation; undefined for a valid one. */
  problemOf(issuer: string): Promise<string | undefined>;
  /**
   * Redeems an authorization code with PKCE and checks the identity token: signature, issuer, audience, times and nonce.
   * Throws NotConfirmed if it does not hold, Unreachable if the provider gives no answer that can be used.
   */
  redeem(client: IdentityClient, grant: Grant, signal: AbortSignal): Promise<Identity>;
}

interface Options {
  readonly networks: NetworkRules;
  readonly clock: () => Date;
}

const timeoutMs = 3_000;
// Of all requests that one sign-in takes: less than the deadline that a call has when it names none.
const allMs = 8_000;
const maxBytes = 256 * 1024;
const discovered = { ttlMs: 10 * 60_000, maxSize: 1_000 };
const toleranceSeconds = 60;
// None that is keyed with what both sides know.
const algorithms = ["RS", "PS", "ES"].flatMap((kind) => [256, 384, 512].map((size) => `${kind}${size}`));

/**
 * Speaks OpenID Connect. What a provider says of itself is kept for ten minutes; its keys too, until a token names one
 * that is not among them.
 */
export function createIdentityProviders({ networks, clock }: Options): IdentityProviders {
  const { allowPrivate } = networks;
  const guarded = createGuardedFetch({ networks, timeoutMs, maxBytes });
  const providers = createTtlCache((issuer) => discover(issuer, guarded, allowPrivate), discovered);

  return {
    problemOf: (issuer) => problemOfUrl(new URL(issuer), networks, timeoutMs),

    async redeem({ issuer, clientId }, grant, signal) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(allMs)]);
      try {
        const { metadata, keys } = await Promise.resolve(providers.get(issuer)).catch(noDiscovery);
        const fetch: GuardedFetch = (url, request) =>
          guarded(url, { ...request, signal: AbortSignal.any([limit, ...(request?.signal ? [request.signal] : [])]) });
        const client = configurationOf(metadata, clientId, fetch, allowPrivate);
        const { id_token: token = "" } = await oidc.authorizationCodeGrant(client, returned(metadata, grant), {
          pkceCodeVerifier: grant.codeVerifier,
          expectedNonce: grant.nonce,
          expectedState: oidc.skipStateCheck,
          idTokenExpected: true,
        });
        const { payload } = await jwtVerify(token, keys, {
          issuer,
          audience: clientId,
          algorithms: [...algorithms, "EdDSA", "Ed25519"],
          currentDate: clock(),
          clockTolerance: toleranceSeconds,
          requiredClaims: ["sub", "exp", "iat"],
        });
        return { issuer, subject: subjectOf(payload.sub), claims: payload };
      } catch (error) {
        signal.throwIfAborted();
        throw meaningOf(error);
      }
    },
  };
}

async function discover(issuer: string, fetch: GuardedFetch, allowPrivate: boolean) {
  const options = { [oidc.customFetch]: fetch, execute: allowPrivate ? [oidc.allowInsecureRequests] : [] };
  // The client's own id is not needed yet.
  const metadata = (await oidc.discovery(new URL(issuer), "-", undefined, oidc.None(), options)).serverMetadata();
  const { jwks_uri: jwksUri = "", issuer: named } = metadata;
  if (named !== issuer || !URL.canParse(jwksUri)) throw new Unreachable("its discovery document is not usable");
  const keys = createRemoteJWKSet(new URL(jwksUri), {
    [fetchOfJose]: fetch,
    timeoutDuration: timeoutMs,
    // Whose keys change may use them at once: only the provider itself can make us ask for keys that do not exist.
    cooldownDuration: 0,
  });
  return { metadata: { ...metadata }, keys };
}

function configurationOf(
  metadata: oidc.ServerMetadata,
  clientId: string,
  fetch: GuardedFetch,
  allowPrivate: boolean,
): oidc.Configuration {
  const client = new oidc.Configuration(metadata, clientId, { [oidc.clockTolerance]: toleranceSeconds }, oidc.None());
  client[oidc.customFetch] = fetch;
  if (allowPrivate) oidc.allowInsecureRequests(client);
  return client;
}

// The address that the provider sent the page back to. The page named the provider, so there is nothing to mix up.
function returned({ issuer }: oidc.ServerMetadata, { redirectUri, code }: Grant): URL {
  const url = new URL(redirectUri);
  url.searchParams.set("code", code);
  url.searchParams.set("iss", issuer);
  return url;
}

// OpenID Connect allows 255 characters.
function subjectOf(subject: string | undefined): string {
  if (subject === undefined || !/^[^\p{Cc}]{1,255}$/u.test(subject) || !subject.isWellFormed())
    throw new NotConfirmed();
  return subject;
}

// A failed discovery refuses no shopper: it is an outage of the provider.
function noDiscovery(error: unknown): never {
  const meaning = meaningOf(error);
  throw meaning instanceof Unreachable ? meaning : new Unreachable("its discovery document is not usable");
}

// Turns an error of the libraries into a refusal, a failed claim, or an outage.
function meaningOf(error: unknown): Error {
  if (error instanceof NotConfirmed || error instanceof Unreachable) return error;
  const cause = causeOf(error);
  if (cause !== undefined) return cause;
  const refusal = error instanceof oidc.ResponseBodyError ? error.error : undefined;
  if (refusal !== undefined) {
    // It is the client that the provider does not want, not the shopper.
    return /client/.test(refusal) ? new Unreachable(`it refuses the client: ${word(refusal)}`) : new NotConfirmed();
  }
  const code = String(Reflect.get(Object(error), "code"));
  if (/^(ERR_JW[ST]_|ERR_JWKS_NO_MATCHING|OAUTH_JWT_|OAUTH_INVALID_RESPONSE|ERR_JOSE_ALG)/.test(code)) {
    return new NotConfirmed();
  }
  return new Unreachable(`its answer is not usable: ${word(code)}`);
}

function causeOf(error: unknown): Unreachable | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (at instanceof Unreachable) return at;
  }
  return undefined;
}

// Of what others say only what is harmless in a log.
function word(text: string): string {
  return /^\w{1,64}$/.test(text) ? text : "something else";
}
