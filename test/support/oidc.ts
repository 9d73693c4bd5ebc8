import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import Provider from "oidc-provider";

export const clientId = "shop";
export const otherClientId = "another-shop";
export const redirectUri = "https://shop.example/callback";

/** A person as a provider knows them. */
export type Claims = Readonly<Record<string, unknown>>;

/** A real OpenID Connect provider, where everybody signs in as whom they say. */
export interface TestProvider extends AsyncDisposable {
  readonly issuer: string;
  /** The persons, by subject. */
  readonly people: Map<string, Claims>;
  /** Signs by other keys from now on, and knows nothing of what was before. */
  rotate(): Promise<void>;
  /** Refuses connections until the promise that it resolves to is called. */
  breakDown(): Promise<() => Promise<void>>;
}

/** Starts a provider on a port of its own. */
export async function startProvider(): Promise<TestProvider> {
  const people = new Map<string, Claims>();
  let answer: RequestListener = (_, res) => void res.writeHead(503).end();
  const serve = (port: number) =>
    listen(
      createServer((req, res) => answer(req, res)),
      port,
    );
  let server = await serve(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://localhost:${port}`;
  const rotate = async () => {
    answer = listenerOf(await newProvider(issuer, people));
  };
  await rotate();
  return {
    issuer,
    people,
    rotate,
    async breakDown() {
      await close(server);
      return async () => {
        server = await serve(port);
      };
    },
    [Symbol.asyncDispose]: () => close(server),
  };
}

async function newProvider(issuer: string, people: Map<string, Claims>): Promise<Provider> {
  const client = {
    token_endpoint_auth_method: "none" as const,
    redirect_uris: [redirectUri],
    grant_types: ["authorization_code"],
    response_types: ["code" as const],
  };
  return new Provider(issuer, {
    clients: [clientId, otherClientId].map((client_id) => ({ client_id, ...client })),
    jwks: { keys: [(await newKey()).privateJwk] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "given_name", "family_name", "locale"],
      phone: ["phone_number", "phone_number_verified"],
    },
    // As most providers do, so that nobody needs to ask again.
    conformIdTokenClaims: false,
    findAccount: async (_, sub) => ({ accountId: sub, claims: async () => ({ sub, ...people.get(sub) }) }),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 60, IdToken: 60, Interaction: 60, Session: 60 },
  });
}

/** A new key pair, as a provider keeps it and as it shows it. */
export async function newKey(kid = randomBytes(8).toString("hex")): Promise<{ privateJwk: JWK; publicJwk: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
  const use = { kid, alg: "RS256", use: "sig" };
  return {
    privateJwk: { ...(await exportJWK(privateKey)), ...use },
    publicJwk: { ...(await exportJWK(publicKey)), ...use },
  };
}

// Every visitor is the person of `login_hint`, and consents.
function listenerOf(provider: Provider): RequestListener {
  const interact = async (req: IncomingMessage, res: ServerResponse) => {
    const { prompt, params, session } = await provider.interactionDetails(req, res);
    if (prompt.name === "login") {
      return await provider.interactionFinished(req, res, { login: { accountId: String(params.login_hint) } });
    }
    const grant = new provider.Grant({ accountId: session!.accountId, clientId: String(params.client_id) });
    grant.addOIDCScope(String(params.scope));
    await provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } });
  };
  const callback = provider.callback();
  return (req, res) => {
    if (req.url?.startsWith("/interaction/")) interact(req, res).catch(() => res.writeHead(500).end());
    else void callback(req, res);
  };
}

/** The result of a sign-in that a page passes to CreateCustomerToken. */
export interface Authorization {
  readonly code: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  readonly nonce: string;
}

/** Signs in at a provider as a page does with a browser. */
export async function authorize(issuer: string, subject: string, client = clientId): Promise<Authorization> {
  const codeVerifier = randomBytes(32).toString("base64url");
  const nonce = randomBytes(16).toString("hex");
  const url = new URL("/auth", issuer);
  url.search = new URLSearchParams({
    client_id: client,
    response_type: "code",
    scope: "openid email profile phone",
    redirect_uri: redirectUri,
    code_challenge: createHash("sha256").update(codeVerifier).digest("base64url"),
    code_challenge_method: "S256",
    nonce,
    state: "any",
    login_hint: subject,
  }).toString();
  const code = await followTo(url);
  return { code, codeVerifier, redirectUri, nonce };
}

async function followTo(start: URL): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  for (let hops = 0; hops < 10; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const set of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    const location = answer.headers.get("location");
    if (location === null) throw new Error(`no way on from ${url.pathname}: ${answer.status} ${await answer.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(redirectUri)) return url.searchParams.get("code") ?? fail(url);
  }
  return fail(url);
}

function fail(url: URL): never {
  throw new Error(`no code in ${url.search}`);
}

export async function listen(server: Server, port = 0): Promise<Server> {
  server.listen(port);
  await once(server, "listening");
  return server;
}

export async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
