import http from "node:http";
import https from "node:https";
import type { LookupFunction } from "node:net";
import { createAddressTest, literalOf, lookupAmong, type NetworkRules, problemOfUrl } from "./public-networks.js";

/** The status of the answer, or the reason why there is none. */
export type SendResult = { readonly status: number } | { readonly error: SendError };

/** Why there is no answer. */
export type SendError = "timeout" | "refused" | "unresolved" | "private_address" | "clear_text" | "tls" | "connection";

/** Posts to addresses that merchants name. */
export interface WebhookSender {
  /** Posts a body and reads the status of the answer. Never rejects. */
  send(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<SendResult>;
  /** The problem of a URL as the text of a field violation; undefined for a valid URL. */
  problemOf(url: string): Promise<string | undefined>;
}

interface SenderOptions {
  readonly networks: NetworkRules;
  /** The longest duration of one request, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Posts by the HTTP client of Node. The checked address is the one that is connected to, so that a name cannot lead
 * elsewhere a moment later. Redirects are not followed.
 */
export function createWebhookSender({ networks, timeoutMs }: SenderOptions): WebhookSender {
  const isAllowed = createAddressTest(networks);
  return {
    async send(url, headers, body) {
      const target = parseUrl(url);
      if (target === undefined) return { error: "unresolved" };
      // The address may be stored since the deployment permitted clear text.
      if (target.protocol !== "https:" && !networks.allowPrivate) return { error: "clear_text" };
      const literal = literalOf(target);
      if (literal !== undefined && !isAllowed(literal)) return { error: "private_address" };
      return await post(target, headers, body, timeoutMs, lookupAmong(isAllowed));
    },

    async problemOf(url) {
      const target = parseUrl(url);
      if (target === undefined) return "must be an address such as https://shop.example/hooks";
      if (target.username !== "" || target.password !== "") return "must not hold a user or a password";
      return await problemOfUrl(target, networks, timeoutMs);
    },
  };
}

function parseUrl(url: string): URL | undefined {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) ? new URL(url) : undefined;
}

async function post(
  target: URL,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeoutMs: number,
  lookup: LookupFunction,
): Promise<SendResult> {
  return await new Promise((settle) => {
    const { request } = target.protocol === "https:" ? https : http;
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = { "content-length": String(Buffer.byteLength(body)), ...headers };
    const req = request(target, { method: "POST", headers: sent, lookup, signal, agent: false }, (res) => {
      settle({ status: res.statusCode ?? 0 });
      // The rest of the body is not needed, and it may be endless.
      res.destroy();
    });
    req.on("error", (error: NodeJS.ErrnoException) => settle({ error: signal.aborted ? "timeout" : errorOf(error) }));
    req.end(body);
  });
}

function errorOf({ code = "" }: NodeJS.ErrnoException): SendError {
  if (code === "PRIVATE_ADDRESS") return "private_address";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "unresolved";
  if (code === "ECONNREFUSED") return "refused";
  if (/^ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO|ERR_SSL|EPROTO/.test(code)) return "tls";
  return "connection";
}
