import { once } from "node:events";
import type { OutgoingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as afterRead } from "node:timers/promises";
import type { ConnectRouter } from "@connectrpc/connect";
import { type ClientAddress, createClientAddress } from "../../formats/client-address.js";
import type { Interceptors } from "../../rpc/calls/unary.js";
import { createConnections } from "../connections/connections.js";
import type { RunningServer } from "../connections/drain.js";
import { headerBytes, headerTooLarge } from "../connections/header-limit.js";
import { defaultLimits, type Limits } from "../connections/limits.js";
import { createPlaces } from "../connections/places.js";
import type { Readiness } from "../health.js";
import type { Observer } from "../observe.js";
import { type BodyBudget, createBodyBudget } from "../unary/body-budget.js";
import { createCalls } from "./calls.js";
import { pageHeaders, preflightHeaders } from "./cors.js";
import { endAfterAnswer, type HttpRequest, type HttpResponse, isCall, pathOf } from "./requests.js";
import { type Certificate, createSocketServer } from "./sockets.js";
import { type Upload, uploadAt } from "./uploads.js";

export interface HttpServerOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: Interceptors;
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Absent for clear text. */
  readonly tls?: Certificate | undefined;
  /** Exact origins of pages that may read what is no call, such as `/readyz`. */
  readonly allowedOrigins: readonly string[];
  readonly readiness: Readiness;
  readonly observe: Observer;
  /** The methods that also accept a form. */
  readonly uploads?: readonly Upload[];
  /** Answers what is no call, such as a page, and returns true; returns false for what is not its own. */
  readonly extraHandler?: (req: HttpRequest, res: HttpResponse) => boolean;
  /** Where calls come from; by the peer alone unless given. */
  readonly clientAddress?: ClientAddress;
  readonly limits?: Partial<Limits>;
  /** The budget of the process; one of its own unless given. */
  readonly bodies?: BodyBudget;
}

/**
 * Starts the public port: Connect, gRPC-Web and gRPC over HTTP/1.1 and HTTP/2 on one socket, with `/healthz` (the process
 * lives) and `/readyz` (it wants calls) beside them. Rejects if the port cannot be bound.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningServer> {
  const { routes, interceptors, observe, readiness, clientAddress = createClientAddress() } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const allowedOrigins = new Set(options.allowedOrigins);
  const places = createPlaces(limits);
  const bodies = options.bodies ?? createBodyBudget(limits.bodyBytes);
  const serveCall = createCalls({ routes, interceptors, limits, places, bodies, observe, clientAddress });
  const pages = new Map<string, (res: HttpResponse) => void>([
    ["/healthz", (res) => send(res, 200, "ok\n")],
    ["/readyz", (res) => (readiness.serving ? send(res, 200, "ok\n") : send(res, 503, "not serving\n"))],
  ]);
  const connections = createConnections();
  const server = createSocketServer(handle, connections, places, limits, options.tls);
  server.listen(options.port, options.host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    leave: connections.leave,
    close: (graceMs) => connections.close(server, graceMs),
  };

  function handle(req: HttpRequest, res: HttpResponse): void {
    // Of HTTP/1.1 Node itself refuses it.
    const tooLarge = "stream" in req && headerBytes(req.rawHeaders) > limits.headerMaxBytes;
    if (isCall(req) && req.method !== "OPTIONS") serveCall(req, res, tooLarge ? headerTooLarge : undefined);
    else if (tooLarge) void refuse(req, res, 431, { code: "resource_exhausted", message: headerTooLarge.rawMessage });
    else if (req.method === "OPTIONS") answerPreflight(req, res);
    else if (!serveUpload(req, res) && !servePage(req, res) && !options.extraHandler?.(req, res)) {
      void refuse(req, res, 404, notFound);
    }
  }

  function serveUpload(req: HttpRequest, res: HttpResponse): boolean {
    const upload = req.method === "POST" ? uploadAt(options.uploads ?? [], pathOf(req)) : undefined;
    if (upload !== undefined) serveCall(req, res, undefined, upload);
    return upload !== undefined;
  }

  function servePage(req: HttpRequest, res: HttpResponse): boolean {
    const page = req.method === "GET" ? pages.get(pathOf(req)) : undefined;
    if (page !== undefined) setHeaders(res, pageHeaders(req.headers, allowedOrigins));
    page?.(res);
    return page !== undefined;
  }
}

function answerPreflight(req: HttpRequest, res: HttpResponse): void {
  setHeaders(res, preflightHeaders(req.headers));
  send(res, 204);
}

function setHeaders(res: HttpResponse, headers: OutgoingHttpHeaders): void {
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) res.setHeader(name, value);
}

const notFound = { code: "not_found", message: "There is nothing at this address." };

async function refuse(req: HttpRequest, res: HttpResponse, status: number, error: object): Promise<void> {
  // Only then is it known whether the request has a body that is still to come, and is not waited for.
  await afterRead();
  if (!req.complete) endAfterAnswer(req, res);
  send(res, status, JSON.stringify(error), "application/json");
}

function send(res: HttpResponse, status: number, body = "", type = "text/plain; charset=utf-8"): void {
  if (status !== 204) res.setHeader("content-type", type);
  res.statusCode = status;
  res.end(body);
}
