import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import type { ClientAddress } from "../../formats/client-address.js";
import { clientAddressKey } from "../../rpc/callers/caller.js";
import { unreadableKey } from "../../rpc/callers/origins.js";
import { type CallRecord, recordKey } from "../../rpc/calls/call-record.js";
import { shortenTimeout } from "../../rpc/calls/deadline.js";
import { rpcError } from "../../rpc/errors.js";
import { amendAnswer, endStreamOf, errorAnswer, noteOutcome, statusHeaders } from "../answers.js";
import type { Limits } from "../connections/limits.js";
import type { Observer } from "../observe.js";
import { readableBy } from "./cors.js";
import { timedBody } from "./request-body.js";
import { answerOfUpload, callOfUpload, type UploadRequest } from "./uploads.js";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

export interface CallsOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: Interceptor[];
  readonly limits: Limits;
  readonly observe: Observer;
  readonly clientAddress: ClientAddress;
}

/**
 * Answers calls over HTTP, in Connect, gRPC-Web and gRPC. It does what connectNodeAdapter does and sees, beyond that,
 * every request from outside: it logs it, limits the time of its body, and completes errors that reach no interceptor.
 */
export function createCalls({ routes, interceptors, limits, observe, clientAddress }: CallsOptions) {
  const { readMaxBytes, writeMaxBytes } = limits;
  const acceptCompression = [compressionGzip, compressionBrotli];
  const router = createConnectRouter({ interceptors, readMaxBytes, writeMaxBytes, acceptCompression });
  routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));

  /** With a `refusal` the call is answered by it, and goes no further. */
  return (req: HttpRequest, res: HttpResponse, refusal?: ConnectError, upload?: UploadRequest): void => {
    const handler = handlers.get(upload === undefined ? pathOf(req) : requestPathOf(upload.upload.method));
    const record = observe.begin(
      handler?.requestPath.slice(1) ?? "unknown",
      protocolOf(req),
      header(req, "traceparent"),
    );
    const start = performance.now();
    // An answer is for one credential, and caches know only of those in Authorization.
    res.setHeader("cache-control", "no-store");
    res.once("close", () => {
      if (!res.writableFinished) record.code ??= "CANCELLED";
      observe.end(record, performance.now() - start, res.headersSent ? res.statusCode : undefined);
    });
    const answered =
      refusal !== undefined
        ? answerRefusal(req, res, record, refusal, 429)
        : handler === undefined
          ? answerRefusal(req, res, record, methodUnknown, 404)
          : answerCall(handler, req, res, record, upload);
    answered.catch(() => res.destroy());
  };

  async function answerCall(
    handler: UniversalHandler,
    req: HttpRequest,
    res: HttpResponse,
    record: CallRecord,
    upload: UploadRequest | undefined,
  ) {
    const address = clientAddress(peerOf(req), header(req, "x-forwarded-for"));
    const request = universalRequest(req, res, record, address);
    if (request === undefined) {
      const error = rpcError("REQUEST_MALFORMED", "The request names no usable host.");
      noteOutcome(record, error);
      return await universalResponseToNodeResponse({ status: 400, ...errorAnswer(error) }, res);
    }
    shortenTimeout(request.header);
    const isStream = /^(client|bidi)_streaming$/.test(handler.method.methodKind);
    const body = timedBody(request.body as AsyncIterable<Uint8Array>, limits.bodyMs, isStream);
    const call = upload === undefined ? { ...request, body } : callOfUpload(request, body, upload);
    const answer = await observe.run(record, () => handler(call));
    if (request.contextValues?.get(unreadableKey)) res.removeHeader(readableBy);
    const amended = await amendAnswer(answer, record, req.method === "GET" && !hasReadableQuery(req));
    // The rest of a request that was refused half-way is not waited for.
    if (!req.complete) endAfterAnswer(req, res);
    const last = upload === undefined ? amended : await answerOfUpload(amended, upload);
    await universalResponseToNodeResponse(last, res);
  }
}

/** Whether a request is meant as a call: by its content type, or by the shape of its path. */
export function isCall(req: HttpRequest): boolean {
  return protocolOf(req) !== "connect" || /^\/[\w.]+\.[A-Z]\w*\/[A-Z]\w*$/.test(pathOf(req));
}

// Whether the message of a GET is text, or base64 if it says so.
function hasReadableQuery(req: HttpRequest): boolean {
  const query = new URLSearchParams((req.url ?? "").split("?", 2)[1]);
  return query.get("base64") !== "1" || /^[\w+/=-]*$/.test(query.get("message") ?? "");
}

function requestPathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

export function pathOf(req: HttpRequest): string {
  return (req.url ?? "").split("?", 1)[0] ?? "";
}

function header(req: HttpRequest, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === "string" ? value : undefined;
}

function peerOf(req: HttpRequest): string | undefined {
  return ("stream" in req ? req.stream.session?.socket : req.socket)?.remoteAddress;
}

function protocolOf(req: HttpRequest): string {
  const type = req.headers["content-type"] ?? "";
  if (type.startsWith("application/grpc-web")) return "grpc-web";
  return type.startsWith("application/grpc") ? "grpc" : "connect";
}

// Undefined where the Host is absent or no host at all.
function universalRequest(
  req: HttpRequest,
  res: HttpResponse,
  record: CallRecord,
  address: string,
): UniversalServerRequest | undefined {
  try {
    const values = createContextValues().set(recordKey, record).set(clientAddressKey, address);
    return universalRequestFromNodeRequest(req as IncomingMessage, res as ServerResponse, undefined, values);
  } catch {
    return undefined;
  }
}

const methodUnknown = rpcError("METHOD_UNKNOWN", "There is no such method.");

// `httpStatus` is for a unary call of Connect; every other protocol tells its errors elsewhere.
async function answerRefusal(
  req: HttpRequest,
  res: HttpResponse,
  record: CallRecord,
  error: ConnectError,
  httpStatus: number,
): Promise<void> {
  noteOutcome(record, error);
  if ("stream" in req) {
    endAfterAnswer(req, res);
    req.resume();
  }
  const type = req.headers["content-type"] ?? "";
  if (type.startsWith("application/connect+")) {
    res.setHeader("content-type", type);
    res.end(endStreamOf(error));
    return;
  }
  if (record.protocol === "connect") {
    return await universalResponseToNodeResponse({ status: httpStatus, ...errorAnswer(error) }, res);
  }
  res.setHeader("content-type", type);
  for (const [name, value] of Object.entries(statusHeaders(error))) res.setHeader(name, value);
  res.end();
}

// Long enough for the trailers to leave: a stream that is closed with its last bytes loses them.
const lingerMs = 1_000;

/** Waits no longer for the rest of a request that is answered already. */
export function endAfterAnswer(req: HttpRequest, res: HttpResponse): void {
  if (!("stream" in req)) {
    if (!res.headersSent) res.setHeader("connection", "close");
    return;
  }
  closeAfterAnswer(req.stream);
}

/** Closes a stream once its answer has left, whatever the client still sends. */
export function closeAfterAnswer(stream: ServerHttp2Stream): void {
  stream.once("finish", () => {
    const timer = setTimeout(() => stream.close(), lingerMs);
    stream.once("close", () => clearTimeout(timer));
  });
}
