// The streams of the internal port, between HTTP/2 and grpc-js:
//
//  1. `watchStreams` takes the place of grpc-js as the listener of every HTTP/2 server that grpc-js has made.
//  2. Each stream gets a record, which is logged when the stream closes, whoever answers.
//  3. A header beyond the limit is refused.
//  4. A unary call is answered right here (`unary.ts`).
//  5. Everything else goes on to grpc-js, with its answers amended: grpc-js refuses some calls by itself, and those
//     refusals get the status and the ErrorInfo of ours.
//  6. A body that does not arrive in time ends its stream, and so does a client that does not read.
//  7. On shutdown every session says goodbye, and is destroyed when the time of grace is over.
import type {
  Http2Server,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from "node:http2";
import { constants } from "node:http2";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import { type Metadata, type Server, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { ClientAddress } from "../../formats/client-address.js";
import type { CallRecord } from "../../rpc/calls/call-record.js";
import { rpcError } from "../../rpc/errors.js";
import { completeError, noteOutcome, statusHeaders } from "../answers.js";
import { closeSession, leaveSession } from "../connections/connections.js";
import { advertisedHeaderBytes, headerBytes, headerTooLarge } from "../connections/header-limit.js";
import type { Limits } from "../connections/limits.js";
import { limitPreface } from "../connections/sessions.js";
import { createStallGuard } from "../connections/stalls.js";
import { closeAfterAnswer } from "../http/requests.js";
import type { Observer } from "../observe.js";
import type { BodyBudget } from "../unary/body-budget.js";
import type { UnaryMethod } from "../unary/methods.js";
import { grpcWireOf, serveGrpcUnary } from "./unary.js";

/** The part of the HTTP/2 stream beneath a call that the adapter uses. */
export interface StreamInfo {
  readonly record: CallRecord;
  /** The header fields as they came, also those that grpc-js keeps to itself, such as `grpc-timeout`. */
  readonly headers: IncomingHttpHeaders;
  /** The IP address that the call comes from. */
  readonly address: string;
}

const infoKey = "clientele-stream";

/** The stream beneath the call that has this metadata. */
export function streamInfoOf(metadata: Metadata): StreamInfo {
  return metadata.getOpaque(infoKey) as StreamInfo;
}

/** The dependencies of calls on the internal port. */
interface Watch {
  /** The methods that are answered without grpc-js, by path. */
  readonly unary: ReadonlyMap<string, UnaryMethod>;
  readonly observe: Observer;
  readonly limits: Limits;
  readonly bodies: BodyBudget;
  readonly clientAddress: ClientAddress;
}

/** By path, whether the client sends a stream. */
type Streaming = ReadonlyMap<string, { readonly clientStreams: boolean }>;

/** Stands between HTTP/2 and a grpc-js server: see above. */
export function watchStreams(watch: Watch) {
  // grpc-js makes the intercepting call while it handles the event that was just seen here.
  let current: StreamInfo | undefined;
  const interceptor: ServerInterceptor = (_method, call) => {
    const info = current;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, pass) {
            metadata.setOpaque(infoKey, info);
            pass(metadata);
          },
        }),
    });
  };
  const onOther = (info: StreamInfo) => {
    current = info;
  };
  return { interceptor, attach: (server: Server, streaming: Streaming) => attach(server, streaming, watch, onOther) };
}

/** To be called once the server is bound. `onOther` sees the calls that go on to grpc-js. */
function attach(server: Server, streaming: Streaming, watch: Watch, onOther: (info: StreamInfo) => void) {
  const { limits } = watch;
  const servers = http2ServersOf(server);
  const sessions = new Set<ServerHttp2Session>();
  const end = closing(servers, sessions);
  const stalls = createStallGuard(limits.stallMs);
  for (const http2 of servers) {
    passStreams(http2, (stream, headers, rawHeaders, toGrpcJs) => {
      const info = observed(stream, headers, streaming, watch);
      stalls.addStream(stream);
      end.onStream(stream);
      if (headerBytes(rawHeaders) > limits.headerMaxBytes) return refuseHeader(stream, headers, info.record);
      const method = watch.unary.get(String(headers[":path"]));
      const wire = method && grpcWireOf(headers);
      if (method !== undefined && wire !== undefined) {
        const call = { method, wire, stream, ...info };
        void watch.observe.run(info.record, () => serveGrpcUnary(call, limits, watch.bodies));
        return;
      }
      amendAnswers(stream, info.record);
      limitBody(stream, limits.bodyMs, streaming.get(String(headers[":path"]))?.clientStreams ?? false);
      onOther(info);
      toGrpcJs();
    });
    http2.on("connection", stalls.addSocket);
    http2.on("session", (session: ServerHttp2Session) => limitSession(session, sessions, limits));
  }
  return end;
}

type OnStream = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  rawHeaders: string[],
  toGrpcJs: () => void,
) => void;

// Takes the place of grpc-js, which gets those streams alone that are passed on.
function passStreams(http2: Http2Server, onStream: OnStream): void {
  const listeners = http2.listeners("stream");
  http2.removeAllListeners("stream");
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: string[]) => {
    onStream(stream, headers, raw, () => {
      for (const listener of listeners) listener.call(http2, stream, headers, flags, raw);
    });
  });
}

// Opens the record of a call, and closes it with the stream.
function observed(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  streaming: Streaming,
  { unary, observe, clientAddress }: Watch,
): StreamInfo {
  const path = String(headers[":path"]);
  const { traceparent } = headers;
  const trace = typeof traceparent === "string" ? traceparent : undefined;
  const name = unary.has(path) || streaming.has(path) ? path.slice(1) : "unknown";
  const record = observe.begin(name, "grpc", trace);
  const forwardedFor = headers["x-forwarded-for"];
  const address = clientAddress(
    stream.session?.socket.remoteAddress,
    typeof forwardedFor === "object" ? forwardedFor.join(",") : forwardedFor,
  );
  const start = performance.now();
  stream.once("close", () => {
    record.code ??= "CANCELLED";
    observe.end(record, performance.now() - start);
  });
  return { record, headers, address };
}

function limitSession(session: ServerHttp2Session, sessions: Set<ServerHttp2Session>, limits: Limits): void {
  sessions.add(session);
  session.once("close", () => sessions.delete(session));
  limitPreface(session, limits.prefaceMs);
  // grpc-js has no option for it.
  session.settings({ maxHeaderListSize: advertisedHeaderBytes(limits.headerMaxBytes) });
}

function closing(servers: readonly Http2Server[], sessions: ReadonlySet<ServerHttp2Session>) {
  let leaving = false;
  return {
    /** Sees each call. */
    onStream(stream: ServerHttp2Stream) {
      if (leaving) leaveSession(stream.session);
    },
    /** Ends each session with its next call; goes on accepting. */
    leave() {
      leaving = true;
    },
    /** Stops accepting, tells the clients to go elsewhere with their next call, and waits for those in flight. */
    async close() {
      const closed = servers.map((http2) => new Promise<void>((resolve) => http2.close(() => resolve())));
      await Promise.all([...sessions].map(closeSession));
      await Promise.all(closed);
    },
    /** Aborts every call. grpc-js' own forceShutdown knows its sessions only with channelz. */
    destroy() {
      for (const session of sessions) session.destroy();
    },
  };
}

function amendAnswers(stream: ServerHttp2Stream, record: CallRecord): void {
  const respond = stream.respond.bind(stream);
  const sendTrailers = stream.sendTrailers.bind(stream);
  stream.respond = (headers, options) => respond(amendHeaders(headers ?? {}, record), options);
  stream.sendTrailers = (headers) => sendTrailers(amendHeaders(headers, record));
}

// Header fields may hold a status: as trailers, or as the header of a call that ends before it began.
function amendHeaders(headers: OutgoingHttpHeaders, record: CallRecord): OutgoingHttpHeaders {
  const httpStatus = Number(headers[":status"] ?? 200);
  if (httpStatus >= 400) noteOutcome(record, httpStatus === 431 ? headerTooLarge : notGrpc);
  const code = Number(headers["grpc-status"] ?? Number.NaN);
  if (code === 0) noteOutcome(record, undefined);
  if (!(code > 0)) return headers;
  const details = headers["grpc-status-details-bin"];
  if (details === undefined) {
    const message = encodeURIComponent(decodeMessage(headers["grpc-message"]));
    const error = findTrailerError(new Headers({ "grpc-status": String(code), "grpc-message": message }));
    const complete = error && completeError(error);
    noteOutcome(record, complete);
    return complete === undefined ? headers : { ...headers, ...statusHeaders(complete) };
  }
  noteOutcome(record, findTrailerError(new Headers({ "grpc-status-details-bin": String(details) })));
  return headers;
}

function refuseHeader(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, record: CallRecord): void {
  noteOutcome(record, headerTooLarge);
  stream.on("error", () => {});
  const isGrpc = headers["content-type"]?.startsWith("application/grpc");
  const status = { ":status": 200, "content-type": "application/grpc+proto", ...statusHeaders(headerTooLarge) };
  closeAfterAnswer(stream);
  stream.resume();
  stream.respond(isGrpc ? status : { ":status": 431 }, { endStream: true });
}

const notGrpc = rpcError("REQUEST_MALFORMED", "This content type is not supported.");

function decodeMessage(value: unknown): string {
  try {
    return decodeURIComponent(String(value ?? ""));
  } catch {
    return "The request is not valid.";
  }
}

function limitBody(stream: ServerHttp2Stream, ms: number, isStream: boolean): void {
  const timer = setTimeout(onLate, ms);
  const stop = () => clearTimeout(timer);
  stream.once("end", stop);
  stream.once("close", stop);
  if (isStream) stream.on("data", () => timer.refresh());

  function onLate() {
    if (!stream.headersSent) {
      const error = rpcError("DEADLINE_EXCEEDED", "The request body took too long to arrive.");
      stream.respond(
        { ":status": 200, "content-type": "application/grpc+proto", ...statusHeaders(error) },
        { endStream: true },
      );
    }
    stream.close(constants.NGHTTP2_CANCEL);
  }
}

// grpc-js hands out neither its HTTP/2 servers nor their streams.
function http2ServersOf(server: Server): Http2Server[] {
  const servers: unknown = Reflect.get(server, "http2Servers");
  if (!(servers instanceof Map) || servers.size === 0) throw new Error("This version of grpc-js is built differently.");
  return [...servers.keys()];
}
