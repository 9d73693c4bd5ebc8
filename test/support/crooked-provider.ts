import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { importJWK, type JWTPayload, SignJWT } from "jose";
import { clientId, close, listen, newKey } from "./oidc.js";

type Answer = (req: IncomingMessage, res: ServerResponse) => void;

/** A provider that does what it is told, right or wrong. */
export interface CrookedProvider extends AsyncDisposable {
  readonly issuer: string;
  /** The paths that were asked for. */
  readonly asked: string[];
  /** Wrong answers by path. */
  readonly instead: Map<string, Answer>;
  /** Makes the identity token of the next answers, of right claims. */
  token: (claims: JWTPayload) => Promise<string>;
  /** Signs as it should. */
  readonly sign: (claims: JWTPayload) => Promise<string>;
  nonce: string;
}

// One pair for all, since to make one takes long.
let keys: ReturnType<typeof newKey> | undefined;

/** Starts a provider whose answers the test decides; left alone it does what is right. A stranger has keys of its own. */
export async function startCrookedProvider(isStranger = false): Promise<CrookedProvider> {
  keys ??= newKey("the-key");
  const { privateJwk, publicJwk } = await (isStranger ? newKey("the-key") : keys);
  const key = await importJWK(privateJwk);
  const server = await listen(createServer((req, res) => void serve(req, res)));
  const issuer = `http://localhost:${(server.address() as AddressInfo).port}`;
  const sign = (claims: JWTPayload) =>
    new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: "the-key" }).sign(key);
  const provider: CrookedProvider = {
    issuer,
    asked: [],
    instead: new Map(),
    token: sign,
    sign,
    nonce: "n",
    [Symbol.asyncDispose]: () => close(server),
  };
  return provider;

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url ?? "";
    provider.asked.push(path);
    const instead = provider.instead.get(path);
    if (instead !== undefined) return instead(req, res);
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: clientId, sub: "crooked", iat: now, exp: now + 60, nonce: provider.nonce };
    const answers: Record<string, () => Promise<object>> = {
      "/.well-known/openid-configuration": async () => ({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
      }),
      "/jwks": async () => ({ keys: [publicJwk] }),
      "/token": async () => ({ access_token: "a", token_type: "Bearer", id_token: await provider.token(claims) }),
    };
    const answer = answers[path];
    res.setHeader("content-type", "application/json");
    if (answer === undefined) res.writeHead(404).end("{}");
    else res.end(JSON.stringify(await answer()));
  }
}
