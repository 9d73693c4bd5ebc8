// One socket for every version of HTTP:
//
//  1. A connection arrives; `Connections` and the stall guard keep track of it from here on.
//  2. In clear text its first bytes are read: the preface of HTTP/2, or anything else, which is HTTP/1.1.
//  3. The bytes are put back, and the connection is handed to a server of that version, which never listens itself.
//  4. Over TLS the handshake has settled the version, and one server of Node speaks both.
//  5. A client that sends nothing, or stops half-way in a header, loses its connection.
//  6. Every request, of either version, reaches the same handler.
//  7. A client that does not read its answer loses its stream or connection.
//  8. A connection has a place for as long as there is one (`places.ts`).
import { createServer as createHttp1 } from "node:http";
import {
  createServer as createHttp2,
  createSecureServer,
  type SecureServerOptions,
  type ServerHttp2Session,
} from "node:http2";
import { createServer as createNet, type Server, type Socket } from "node:net";
import type { Connections } from "../connections/connections.js";
import { advertisedHeaderBytes } from "../connections/header-limit.js";
import type { Limits } from "../connections/limits.js";
import type { Places } from "../connections/places.js";
import { limitPreface } from "../connections/sessions.js";
import { createStallGuard, type StallGuard } from "../connections/stalls.js";
import type { HttpRequest, HttpResponse } from "./requests.js";

/** A certificate chain and its key, in PEM. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

type Handler = (req: HttpRequest, res: HttpResponse) => void;

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const slowClientCheckMs = 1_000;
// A request of HTTP/1.1 that is no call: header and body together.
const requestMs = 65_000;

/** One socket for HTTP/1.1 and HTTP/2, in clear text unless there is a certificate. It does not listen yet. */
export function createSocketServer(
  handler: Handler,
  connections: Connections,
  places: Places,
  limits: Limits,
  tls: Certificate | undefined,
): Server {
  const stalls = createStallGuard(limits.stallMs);
  const onRequest: Handler = (req, res) => {
    connections.addRequest(req, res);
    if ("stream" in req) stalls.addStream(req.stream);
    handler(req, res);
  };
  const onSession = (session: ServerHttp2Session) => {
    connections.addSession(session);
    places.addSession(session);
    limitPreface(session, limits.prefaceMs);
  };
  const parts = { onRequest, onSession, connections, places, stalls, limits };
  const server = tls === undefined ? createClear(parts) : createSecure(parts, tls);
  places.watch(server);
  for (const { addSocket } of [connections, stalls, places]) server.on("connection", addSocket);
  return server;
}

interface Parts {
  readonly onRequest: Handler;
  readonly onSession: (session: ServerHttp2Session) => void;
  readonly connections: Connections;
  readonly places: Places;
  readonly stalls: StallGuard;
  readonly limits: Limits;
}

function createClear({ onRequest, onSession, connections, limits }: Parts): Server {
  const http1 = createHttp1(http1Options(limits), onRequest);
  const http2 = createHttp2(http2Options(limits), onRequest).on("session", onSession);
  // A server that never listens would not look for slow clients.
  http1.emit("listening");
  const server = createNet({ noDelay: true, keepAlive: true }, (socket) => {
    connections.addHttp1(socket);
    sniff(socket, limits.prefaceMs, (isHttp2) => {
      if (isHttp2) connections.removeHttp1(socket);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    });
  });
  return server.on("close", () => http1.close());
}

function createSecure(
  { onRequest, onSession, connections, places, stalls, limits }: Parts,
  certificate: Certificate,
): Server {
  const shared = { ...http1Options(limits), ...http2Options(limits), ...certificate };
  const options: SecureServerOptions = { ...shared, allowHTTP1: true, handshakeTimeout: limits.headersMs };
  const server = createSecureServer(options, onRequest).on("session", onSession);
  // Its constructor ignores these two.
  Object.assign(server, { headersTimeout: limits.headersMs, keepAliveTimeout: limits.idleMs });
  return server.on("secureConnection", (socket) => {
    stalls.addSocket(socket);
    places.addSecure(socket);
    if (socket.alpnProtocol !== "h2") connections.addHttp1(socket);
  });
}

function http1Options(limits: Limits) {
  return {
    maxHeaderSize: limits.headerMaxBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: Math.max(requestMs, limits.headersMs),
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.min(slowClientCheckMs, limits.headersMs),
  };
}

function http2Options(limits: Limits) {
  const maxHeaderListSize = advertisedHeaderBytes(limits.headerMaxBytes);
  return { settings: { maxHeaderListSize, maxConcurrentStreams: limits.streamsPerSession } };
}

// Reads until the first bytes tell the version of HTTP, and puts them back.
function sniff(socket: Socket, ms: number, decide: (isHttp2: boolean) => void): void {
  const timer = setTimeout(() => socket.destroy(), ms);
  let seen = Buffer.alloc(0);
  socket.on("data", onData);
  socket.on("error", ignore);
  socket.once("close", () => clearTimeout(timer));

  function onData(chunk: Buffer) {
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, preface.length);
    const matches = seen.subarray(0, length).equals(preface.subarray(0, length));
    if (matches && length < preface.length) return;
    clearTimeout(timer);
    socket.off("data", onData);
    socket.off("error", ignore);
    socket.pause();
    socket.unshift(seen);
    decide(matches);
    if (!matches) process.nextTick(() => socket.resume());
  }
}

function ignore(): void {}
