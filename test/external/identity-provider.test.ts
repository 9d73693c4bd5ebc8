import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createGuardedFetch } from "../../src/external/guarded-fetch.js";
import { Unreachable } from "../../src/external/http-json.js";
import { createIdentityProviders, type Grant, NotConfirmed } from "../../src/external/identity-provider.js";
import { type CrookedProvider, startCrookedProvider } from "../support/crooked-provider.js";
import {
  authorize,
  clientId,
  close,
  listen,
  otherClientId,
  redirectUri,
  startProvider,
  type TestProvider,
} from "../support/oidc.js";

const never = new AbortController().signal;
const clock = () => new Date();
const newProviders = (allowPrivate = true) =>
  createIdentityProviders({ networks: { allowPrivate, denied: [] }, clock });

describe("at a real provider", () => {
  let provider: TestProvider;
  beforeAll(async () => {
    provider = await startProvider();
    provider.people.set("ada", { email: "ada@example.com", email_verified: true, name: "Ada Lovelace" });
  });
  afterAll(async () => await provider[Symbol.asyncDispose]());

  const redeem = (grant: Grant, providers = newProviders()) =>
    providers.redeem({ issuer: provider.issuer, clientId }, grant, never);

  test("a code is redeemed for the claims of the person who signed in", async () => {
    const { issuer, subject, claims } = await redeem(await authorize(provider.issuer, "ada"));
    expect({ issuer, subject }).toEqual({ issuer: provider.issuer, subject: "ada" });
    expect(claims).toMatchObject({ email: "ada@example.com", email_verified: true, name: "Ada Lovelace" });
  });

  test("a code is redeemed once", async () => {
    const grant = await authorize(provider.issuer, "ada");
    await redeem(grant);
    await expect(redeem(grant)).rejects.toThrow(NotConfirmed);
  });

  const changes: Record<string, Partial<Grant>> = {
    "another verifier": { codeVerifier: "x".repeat(43) },
    "another code": { code: "nobodys" },
    "another nonce": { nonce: "other" },
    "another redirect URI": { redirectUri: "https://shop.example/other" },
  };
  test.for(Object.entries(changes))("a code with %s confirms nobody", async ([, change]) => {
    const grant = await authorize(provider.issuer, "ada");
    await expect(redeem({ ...grant, ...change })).rejects.toThrow(NotConfirmed);
  });

  test("a code that was made for another client confirms nobody", async () => {
    await expect(redeem(await authorize(provider.issuer, "ada", otherClientId))).rejects.toThrow(NotConfirmed);
  });

  test("a client that the provider does not know cannot use it", async () => {
    const grant = await authorize(provider.issuer, "ada");
    const unknown = newProviders().redeem({ issuer: provider.issuer, clientId: "nobody" }, grant, never);
    await expect(unknown).rejects.toThrow(Unreachable);
  });

  test("keys that change are used at once", async () => {
    const providers = newProviders();
    for (let turn = 0; turn < 3; turn++) {
      expect((await redeem(await authorize(provider.issuer, "ada"), providers)).subject).toBe("ada");
      await provider.rotate();
    }
  });

  test("a broken system is unreachable, and used again after its recovery", async () => {
    const providers = newProviders();
    await redeem(await authorize(provider.issuer, "ada"), providers);
    const grant = await authorize(provider.issuer, "ada");
    const restore = await provider.breakDown();
    await expect(redeem(grant, providers)).rejects.toThrow(Unreachable);
    await expect(redeem(grant)).rejects.toThrow(Unreachable);
    await restore();
    expect((await redeem(grant, providers)).subject).toBe("ada");
  });
});

describe("at a crooked provider", () => {
  let provider: CrookedProvider;
  beforeEach(async () => {
    provider = await startCrookedProvider();
    return async () => await provider[Symbol.asyncDispose]();
  });
  const grant: Grant = { code: "c", codeVerifier: "v".repeat(43), redirectUri, nonce: "n" };
  const redeem = (providers = newProviders(), signal = never) =>
    providers.redeem({ issuer: provider.issuer, clientId }, grant, signal);

  test("that does what is right an identity is confirmed", async () => {
    expect(await redeem()).toMatchObject({ subject: "crooked" });
  });

  const seconds = () => Math.floor(Date.now() / 1000);
  const without = (claims: JWTPayload, name: string) =>
    Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
  const tokens: Record<string, (claims: JWTPayload) => Promise<string> | string> = {
    "for another audience": (claims) => provider.sign({ ...claims, aud: "another-shop" }),
    "for us and another, who asked for it": (claims) => provider.sign({ ...claims, aud: [clientId, "b"], azp: "b" }),
    "of another issuer": (claims) => provider.sign({ ...claims, iss: "https://other.example" }),
    "that has expired": (claims) => provider.sign({ ...claims, iat: seconds() - 7200, exp: seconds() - 3600 }),
    "that is not valid yet": (claims) => provider.sign({ ...claims, nbf: seconds() + 3600 }),
    "without an end": (claims) => provider.sign(without(claims, "exp")),
    "without a time": (claims) => provider.sign(without(claims, "iat")),
    "of nobody": (claims) => provider.sign(without(claims, "sub")),
    "of an empty subject": (claims) => provider.sign({ ...claims, sub: "" }),
    "of a subject of 256 characters": (claims) => provider.sign({ ...claims, sub: "x".repeat(256) }),
    "of a subject with a NUL": (claims) => provider.sign({ ...claims, sub: "a\0b" }),
    "with another nonce": (claims) => provider.sign({ ...claims, nonce: "other" }),
    "without a nonce": (claims) => provider.sign(without(claims, "nonce")),
    "without a signature": (claims) => new UnsecuredJWT(claims).encode(),
    "signed with what everybody knows": (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(clientId.repeat(16))),
    "signed by a stranger": async (claims) => {
      await using stranger = await startCrookedProvider(true);
      return await stranger.sign(claims);
    },
    "signed by a key that nobody shows": async (claims) =>
      (await provider.sign(claims)).replace(/^[^.]+/, "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5vbmUifQ"),
    "changed after it was signed": async (claims) => {
      const [head, , signature] = (await provider.sign(claims)).split(".");
      const body = Buffer.from(JSON.stringify({ ...claims, sub: "admin" })).toString("base64url");
      return [head, body, signature].join(".");
    },
    "that is none": () => "garbage",
    "that is empty": () => "",
  };
  test.for(Object.entries(tokens))("a token %s confirms nobody", async ([, token]) => {
    provider.token = async (claims) => await token(claims);
    await expect(redeem()).rejects.toThrow(NotConfirmed);
  });

  const json =
    (body: string, status = 200) =>
    (_: unknown, res: ServerResponse) =>
      void res.writeHead(status, { "content-type": "application/json" }).end(body);
  const answers: Record<string, Parameters<CrookedProvider["instead"]["set"]>[1]> = {
    "a page": (_, res) => void res.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>"),
    "half of an object": json('{"issuer":'),
    "a list": json("[1]"),
    nothing: json(""),
    "an object of nothing": json("{}"),
    "an error of its own": json("{}", 500),
    "too many requests": json("{}", 429),
    "a redirect": (_, res) => void res.writeHead(302, { location: `${provider.issuer}/elsewhere` }).end(),
    "no content": (_, res) => void res.writeHead(204).end(),
    "what has no end": (_, res) =>
      void res.writeHead(200, { "content-type": "application/json" }).end(" ".repeat(300_000)),
    "a broken connection": (req) => void req.socket.destroy(),
    "half a head": (req) => void req.socket.end("HTTP/1.1 200 OK\r\ncontent-le"),
    "bytes that are no HTTP": (req) => void req.socket.end("\0\0\0\0"),
  };
  const paths = ["/.well-known/openid-configuration", "/token", "/jwks"];
  // To the token endpoint these are answers, without a token.
  const refusals = ["a list", "an object of nothing"];
  const cases = paths.flatMap((path) => Object.entries(answers).map(([name, answer]) => ({ path, name, answer })));
  test.for(cases)("$name at $path is no answer", async ({ path, name, answer }) => {
    provider.instead.set(path, answer);
    const error = await redeem().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(path === "/token" && refusals.includes(name) ? NotConfirmed : Unreachable);
    expect(String(error)).not.toMatch(/localhost|Hello/);
    expect(provider.asked).not.toContain("/elsewhere");
  });

  test.for(paths)("a silent provider at %s is given up after some seconds", async (path) => {
    provider.instead.set(path, () => {});
    const start = performance.now();
    await expect(redeem()).rejects.toThrow(Unreachable);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  test.for(paths)("a provider that recovers at %s is used again at once", async (path) => {
    const providers = newProviders();
    provider.instead.set(path, json("{}", 500));
    await expect(redeem(providers)).rejects.toThrow(Unreachable);
    provider.instead.clear();
    expect(await redeem(providers)).toMatchObject({ subject: "crooked" });
  });

  test("a document that names another issuer is not believed", async () => {
    provider.instead.set(
      paths[0]!,
      json(JSON.stringify({ issuer: "https://other.example", jwks_uri: `${provider.issuer}/jwks` })),
    );
    await expect(redeem()).rejects.toThrow(Unreachable);
  });

  test("the provider's configuration is requested once for any number of sign-ins", async () => {
    const providers = newProviders();
    await Promise.all(Array.from({ length: 50 }, () => redeem(providers)));
    expect(provider.asked.filter((path) => path !== "/token").sort()).toEqual([paths[0], paths[2]].sort());
  });

  test("a lost caller is not waited for", async () => {
    provider.instead.set("/token", () => {});
    const gone = new AbortController();
    const left = redeem(newProviders(), gone.signal);
    await vi.waitFor(() => expect(provider.asked).toContain("/token"));
    gone.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
  });

  test("it is not reached in a private network or over http unless that is allowed", async () => {
    await expect(redeem(newProviders(false))).rejects.toThrow(Unreachable);
    expect(provider.asked).toEqual([]);
  });
});

describe("an address that others name", () => {
  const fetch = createGuardedFetch({
    networks: { allowPrivate: false, denied: [] },
    timeoutMs: 2_000,
    maxBytes: 1_000,
  });
  test.for([
    "https://127.0.0.1",
    "https://localhost",
    "https://[::1]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:10.0.0.1]",
    "https://10.1.2.3",
    "https://172.16.0.1",
    "https://192.168.1.1",
    "https://169.254.169.254",
    "https://100.64.0.1",
    "https://0.0.0.0",
    "https://[fe80::1]",
    "https://[fd00::1]",
    "https://224.0.0.1",
    "https://0x7f.1",
    "https://2130706433",
  ])("%s is not connected to", async (url) => {
    const server = await listen(createServer());
    const reached = vi.fn();
    server.on("connection", reached);
    const { port } = server.address() as AddressInfo;
    await expect(fetch(`${url}:${port}/`)).rejects.toThrow(Unreachable);
    expect(reached).not.toHaveBeenCalled();
    await close(server);
  });
});
