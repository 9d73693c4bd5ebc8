import http, { type IncomingMessage } from "node:http";
import https from "node:https";
import { Unreachable } from "./http-json.js";
import { createAddressTest, literalOf, lookupAmong, type NetworkRules } from "./public-networks.js";

/** A request as the libraries make it that bring their own protocol. */
export interface GuardedRequest {
  readonly method?: string;
  readonly headers?: Headers | Record<string, string>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | null | undefined;
}

/** Like fetch, for URLs that others name. Redirects are not followed. */
export type GuardedFetch = (url: string, request?: GuardedRequest) => Promise<Response>;

export interface Guards {
  readonly networks: NetworkRules;
  /** How long one answer may take, to its last byte, in milliseconds. */
  readonly timeoutMs: number;
  /** The largest answer, in bytes. */
  readonly maxBytes: number;
}

/**
 * Makes a fetch that reaches the public internet over https alone, waits so long and reads so much. It throws Unreachable
 * where there is no answer that could be used: also one that the other side blames on itself (5xx, and 429).
 */
export function createGuardedFetch({ networks, timeoutMs, maxBytes }: Guards): GuardedFetch {
  const isAllowed = createAddressTest(networks);
  const lookup = lookupAmong(isAllowed);
  return async (url, { method = "GET", headers = {}, body, signal } = {}) => {
    const target = targetOf(url, networks, isAllowed);
    const limit = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
    const { request } = target.protocol === "https:" ? https : http;
    const fields = headers instanceof Headers ? Object.fromEntries(headers) : headers;
    try {
      const res = await new Promise<IncomingMessage>((answered, failed) => {
        const req = request(target, { method, headers: fields, signal: limit, agent: false, lookup }, answered);
        req.on("error", failed);
        req.end(textOf(body));
      });
      return await responseOf(res, maxBytes);
    } catch (error) {
      if (error instanceof Unreachable) throw error;
      throw new Unreachable(limit.aborted ? "it did not answer in time" : "the connection failed");
    }
  };
}

function targetOf(url: string, { allowPrivate }: NetworkRules, isAllowed: (address: string) => boolean): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target === undefined || !/^https?:$/.test(target.protocol)) throw new Unreachable("it names no usable address");
  const literal = literalOf(target);
  if (target.protocol !== "https:" && !allowPrivate) throw new Unreachable("it is not reached over https");
  if (literal !== undefined && !isAllowed(literal)) throw new Unreachable("it is in a private network");
  return target;
}

function textOf(body: unknown): string | undefined {
  return typeof body === "string" || body instanceof URLSearchParams ? String(body) : undefined;
}

const withoutBody = [204, 205, 304];

async function responseOf(res: IncomingMessage, maxBytes: number): Promise<Response> {
  const status = res.statusCode ?? 0;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of res) {
      size += chunk.length;
      if (size > maxBytes) throw new Unreachable(`its answer is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } finally {
    res.destroy();
  }
  if (status < 200 || status === 429 || status >= 500) throw new Unreachable(`it answered with status ${status}`);
  const headers = Object.entries(res.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return new Response(withoutBody.includes(status) ? null : Buffer.concat(chunks), { status, headers });
}
