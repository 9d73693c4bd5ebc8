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
import { closeSession } from "../connections/connections.js";
import { advertisedHeaderBytes, headerBytes, headerTooLarge } from "../connections/header-limit.js";
import type { Limits } from "../connections/limits.js";
import { limitPreface } from "../connections/sessions.js";
import { createStallGuard } from "../connections/stalls.js";
import { closeAfterAnswer } from "../http/calls.js";
import type { Observer } from "../observe.js";

/** What the adapter needs to know of the HTTP/2 stream beneath a call. */
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

/**
 * Sees the calls of a grpc-js server from below, where those are seen too that grpc-js answers by itself: it logs them,
 * completes their errors, and limits the time of the request body.
 */
export function watchStreams(observe: Observer, limits: Limits, clientAddress: ClientAddress) {
  // grpc-js makes the intercepting call while it handles the event that `onStream` has just seen.
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

  /** To be called once the server is bound. `methods` tells by path whether the client sends a stream. */
  function attach(server: Server, methods: ReadonlyMap<string, { readonly clientStreams: boolean }>) {
    const servers = http2ServersOf(server);
    const sessions = new Set<ServerHttp2Session>();
    const stalls = createStallGuard(limits.stallMs);
    for (const http2 of servers) {
      const serve = http2.listeners("stream");
      http2.removeAllListeners("stream");
      http2.on(
        "stream",
        (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]) => {
          onStream(stream, headers);
          if (headerBytes(rawHeaders) > limits.headerMaxBytes) refuseHeader(stream, headers);
          else for (const listener of serve) listener.call(http2, stream, headers, flags, rawHeaders);
        },
      );
      http2.on("connection", stalls.addSocket);
      http2.on("session", (session: ServerHttp2Session) => {
        sessions.add(session);
        session.once("close", () => sessions.delete(session));
        limitPreface(session, limits.prefaceMs);
        // grpc-js has no option for it.
        session.settings({ maxHeaderListSize: advertisedHeaderBytes(limits.headerMaxBytes) });
      });
    }
    return {
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

    function onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
      const path = String(headers[":path"]);
      const method = methods.get(path);
      const { traceparent } = headers;
      const trace = typeof traceparent === "string" ? traceparent : undefined;
      const record = observe.begin(method === undefined ? "unknown" : path.slice(1), "grpc", trace);
      const forwardedFor = headers["x-forwarded-for"];
      const address = clientAddress(stream.session?.socket.remoteAddress, [forwardedFor].flat().join(","));
      current = { record, headers, address };
      const start = performance.now();
      stalls.addStream(stream);
      amendAnswers(stream, record);
      limitBody(stream, limits.bodyMs, method?.clientStreams ?? false);
      stream.once("close", () => {
        record.code ??= "CANCELLED";
        observe.end(record, performance.now() - start);
      });
    }
  }
  return { interceptor, attach };
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

function refuseHeader(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
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
