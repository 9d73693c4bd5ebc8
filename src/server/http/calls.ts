import type { IncomingMessage, ServerResponse } from "node:http";
import { type ConnectError, type ConnectRouter, createConnectRouter, createContextValues } from "@connectrpc/connect";
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
import type { Interceptors } from "../../rpc/calls/unary.js";
import { rpcError } from "../../rpc/errors.js";
import { amendAnswer, endStreamOf, errorAnswer, noteOutcome, refusals, statusHeaders } from "../answers.js";
import type { Limits } from "../connections/limits.js";
import type { Places } from "../connections/places.js";
import type { Observer } from "../observe.js";
import type { BodyBudget } from "../unary/body-budget.js";
import { pathOfMethod, specsOf, type UnaryMethod, unaryMethodsOf } from "../unary/methods.js";
import { serveUnary } from "../unary/serve.js";
import { callHeaders, readableBy } from "./cors.js";
import { exchangeOf, exchangeOfUpload } from "./exchange.js";
import { timedBody } from "./request-body.js";
import {
  endAfterAnswer,
  type HttpRequest,
  type HttpResponse,
  hasHost,
  headerOf,
  pathOf,
  peerOf,
  protocolOf,
} from "./requests.js";
import type { UploadRequest } from "./uploads.js";

export interface CallsOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: Interceptors;
  readonly limits: Limits;
  readonly places: Places;
  readonly bodies: BodyBudget;
  readonly observe: Observer;
  readonly clientAddress: ClientAddress;
}

/**
 * Answers calls over HTTP, in Connect, gRPC-Web and gRPC: unary ones itself, streams by the handlers of Connect. It sees
 * every request from outside: it logs it, and completes errors that reach no interceptor.
 */
export function createCalls(options: CallsOptions) {
  const { routes, interceptors, limits } = options;
  const unary = unaryMethodsOf(specsOf(routes, limits.readMaxBytes), interceptors);
  const streams = streamHandlers(options);

  /** With a `refusal` the call is answered by it, and goes no further. */
  return (req: HttpRequest, res: HttpResponse, refusal?: ConnectError, upload?: UploadRequest): void => {
    const path = upload === undefined ? pathOf(req) : pathOfMethod(upload.upload.method);
    const method = unary.get(path);
    const stream = method === undefined ? streams.get(path) : undefined;
    const name = method === undefined && stream === undefined ? "unknown" : path.slice(1);
    const call = { req, res, record: beginRecord(name, req, res, options) };
    answer(call, method ?? stream, refusal, upload).catch(() => res.destroy());
  };

  function answer(call: HttpCall, target: Target | undefined, refusal?: ConnectError, upload?: UploadRequest) {
    if (refusal !== undefined) return refuse(call, refusal, 429);
    if (!hasHost(call.req)) return refuse(call, noHost, 400);
    if (target === undefined) return refuse(call, methodUnknown, 404);
    return typeof target === "function"
      ? answerStream(target, call, options)
      : answerUnary(target, call, options, upload);
  }
}

/** A unary method, which the service answers itself, or Connect's handler of a stream. */
type Target = UnaryMethod | UniversalHandler;

/** A call on its way, and its line of the log. */
interface HttpCall {
  readonly req: HttpRequest;
  readonly res: HttpResponse;
  readonly record: CallRecord;
}

function streamHandlers({ routes, interceptors, limits }: CallsOptions): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter({
    interceptors: [...interceptors.onHeader, ...interceptors.onMessage],
    readMaxBytes: limits.readMaxBytes,
    writeMaxBytes: limits.writeMaxBytes,
    acceptCompression: [compressionGzip, compressionBrotli],
    jsonOptions: { ignoreUnknownFields: false },
  });
  routes(router);
  const handlers = router.handlers.filter(({ method }) => method.methodKind !== "unary");
  return new Map(handlers.map((handler) => [handler.requestPath, handler]));
}

// The record is logged, and its place given back, when the answer is sent or given up.
function beginRecord(name: string, req: HttpRequest, res: HttpResponse, { observe, places }: CallsOptions): CallRecord {
  const record = observe.begin(name, protocolOf(req), headerOf(req, "traceparent"));
  const start = performance.now();
  const place = places.of(req);
  place?.begin(record);
  res.once("close", () => {
    place?.end(record);
    // On a lost HTTP/2 connection Node reports an answer as finished that the handler has not ended.
    if (!res.writableFinished || !res.writableEnded) record.code ??= "CANCELLED";
    observe.end(record, performance.now() - start, res.headersSent ? res.statusCode : undefined);
  });
  return record;
}

async function answerUnary(
  method: UnaryMethod,
  call: HttpCall,
  options: CallsOptions,
  upload: UploadRequest | undefined,
): Promise<void> {
  const { limits, bodies, observe } = options;
  const incoming = { method, ...call, address: addressOf(call.req, options) };
  const exchange = upload === undefined ? exchangeOf(incoming) : exchangeOfUpload(incoming, upload, limits.bodyMs);
  if (typeof exchange === "number") return await refuse(call, refusals[exchange]!, exchange);
  return await observe.run(call.record, () => serveUnary(exchange, limits, bodies));
}

async function answerStream(handler: UniversalHandler, call: HttpCall, options: CallsOptions): Promise<void> {
  const { req, res, record } = call;
  setHeaders(req, res);
  const request = universalRequest(call, addressOf(req, options));
  shortenTimeout(request.header);
  const isStream = /^(client|bidi)_streaming$/.test(handler.method.methodKind);
  // Read after the header has told whose it is, and held until its end.
  const body = countedBody(request.body as AsyncIterable<Uint8Array>, record, isStream, options);
  const answer = await options.observe.run(record, () => handler({ ...request, body }));
  if (request.contextValues?.get(unreadableKey)) res.removeHeader(readableBy);
  const amended = await amendAnswer(answer, record);
  // The rest of a request that was refused half-way is not waited for.
  if (!req.complete) endAfterAnswer(req, res);
  await universalResponseToNodeResponse(amended, res);
}

async function* countedBody(
  body: AsyncIterable<Uint8Array>,
  record: CallRecord,
  isStream: boolean,
  { bodies, limits }: CallsOptions,
) {
  const count = bodies.open(record.tenantId);
  try {
    yield* timedBody(body, limits.bodyMs, isStream, count);
  } finally {
    count.close();
  }
}

function addressOf(req: HttpRequest, { clientAddress }: CallsOptions): string {
  return clientAddress(peerOf(req), headerOf(req, "x-forwarded-for"));
}

function setHeaders(req: HttpRequest, res: HttpResponse): void {
  // An answer is for one credential, and caches know only of those in Authorization.
  res.setHeader("cache-control", "no-store");
  for (const [name, value] of Object.entries(callHeaders(req.headers))) res.setHeader(name, value!);
}

function universalRequest({ req, res, record }: HttpCall, address: string): UniversalServerRequest {
  const values = createContextValues().set(recordKey, record).set(clientAddressKey, address);
  return universalRequestFromNodeRequest(req as IncomingMessage, res as ServerResponse, undefined, values);
}

const methodUnknown = rpcError("METHOD_UNKNOWN", "There is no such method.");
const noHost = rpcError("REQUEST_MALFORMED", "The request names no usable host.");

// `httpStatus` is for a unary call of Connect; every other protocol tells its errors elsewhere.
async function refuse({ req, res, record }: HttpCall, error: ConnectError, httpStatus: number): Promise<void> {
  noteOutcome(record, error);
  setHeaders(req, res);
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
