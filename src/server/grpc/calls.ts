import { type EventEmitter, once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { type DescMessage, fromBinary, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextValues,
  createHandlerContext,
  createMethodImplSpec,
  createServiceImplSpec,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import {
  createAsyncIterable,
  invokeUnaryImplementation,
  transformInvokeImplementation,
} from "@connectrpc/connect/protocol";
import { parseTimeout } from "@connectrpc/connect/protocol-grpc";
import type {
  Server,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
} from "@grpc/grpc-js";
import { clientAddressKey } from "../../rpc/callers/caller.js";
import { recordKey } from "../../rpc/calls/call-record.js";
import { shortenTimeout } from "../../rpc/calls/deadline.js";
import { rpcError } from "../../rpc/errors.js";
import { completeError, internalMessage } from "../answers.js";
import type { Observer } from "../observe.js";
import { headersOf, metadataOf, statusOf } from "./metadata.js";
import { streamInfoOf } from "./streams.js";

type Incoming =
  | ServerUnaryCall<Buffer, Buffer>
  | ServerReadableStream<Buffer, Buffer>
  | ServerWritableStream<Buffer, Buffer>
  | ServerDuplexStream<Buffer, Buffer>;
type Reply = sendUnaryData<Buffer>;

// What grpc-js calls the kinds; it leaves bytes as they are, so that a malformed message is not its internal error.
const kinds = {
  unary: "unary",
  client_streaming: "clientStream",
  server_streaming: "serverStream",
  bidi_streaming: "bidi",
};
const asIs = (bytes: Buffer) => bytes;

/** Registers methods with grpc-js. The result tells by path whether the client sends a stream. */
export function registerMethods(
  server: Server,
  specs: readonly LimitedSpec[],
  interceptors: Interceptor[],
  observe: Observer,
): Map<string, { readonly clientStreams: boolean }> {
  const methods = new Map<string, { readonly clientStreams: boolean }>();
  for (const spec of specs) {
    const path = `/${spec.method.parent.typeName}/${spec.method.name}`;
    methods.set(path, { clientStreams: spec.kind === "client_streaming" || spec.kind === "bidi_streaming" });
    const serve = (call: Incoming, reply?: Reply) => {
      const { record } = streamInfoOf(call.metadata);
      void observe.run(record, () => serveCall(spec, call, reply, interceptors));
    };
    server.register(path, serve as never, asIs, asIs, kinds[spec.kind]);
  }
  return methods;
}

/** A method with its implementation, and how many bytes a request message of it may have. */
export type LimitedSpec = MethodImplSpec & { readonly readMaxBytes: number };

/** Lists what routes would hand to a router. `readMaxBytes` holds where they do not say otherwise. */
export function specsOf(routes: (router: ConnectRouter) => void, readMaxBytes: number): LimitedSpec[] {
  const specs: LimitedSpec[] = [];
  const router: ConnectRouter = {
    handlers: createConnectRouter().handlers,
    service(service, implementation, options) {
      const { methods } = createServiceImplSpec(service, implementation);
      specs.push(...Object.values(methods).map((spec) => ({ readMaxBytes, ...options, ...spec })));
      return router;
    },
    rpc(method, implementation, options) {
      const spec = createMethodImplSpec(method, implementation) as MethodImplSpec;
      specs.push({ readMaxBytes, ...options, ...spec });
      return router;
    },
  };
  routes(router);
  return specs;
}

async function serveCall(spec: LimitedSpec, call: Incoming, reply: Reply | undefined, interceptors: Interceptor[]) {
  const cancel = new AbortController();
  const events: EventEmitter = call;
  // A call that ends well is "cancelled" too, and making an error is what costs.
  let done = false;
  events.on("cancelled", () => done || cancel.abort(cancelled()));
  if (call.cancelled) cancel.abort(cancelled());
  const context = contextOf(spec, call, cancel.signal);
  try {
    const last = await answer(spec, call, context, interceptors, reply === undefined);
    const trailers = metadataOf(context.responseTrailer);
    if (reply !== undefined) reply(null, last, trailers);
    else if ("end" in call) call.end(trailers);
  } catch (thrown) {
    const status = statusOf(foreseen(thrown), context.responseTrailer);
    if (reply !== undefined) reply(status);
    else events.emit("error", status);
  } finally {
    done = true;
    context.abort(ended);
  }
}

// Writes every message of the answer but the last of a kind that has only one, which it returns.
async function answer(
  spec: LimitedSpec,
  call: Incoming,
  context: Context,
  interceptors: Interceptor[],
  isStream: boolean,
) {
  const { output } = spec.method;
  if (spec.kind === "unary" && "request" in call) {
    const message = await invokeUnaryImplementation(spec, context, parse(spec, call.request), interceptors);
    call.sendMetadata(metadataOf(context.responseHeader));
    return serialize(output, message);
  }
  const inputs = "request" in call ? createAsyncIterable([parse(spec, call.request)]) : parseAll(spec, call);
  const outputs = transformInvokeImplementation(spec, context, interceptors)(inputs);
  let bytes: Buffer | undefined;
  for await (const message of outputs) {
    if (bytes === undefined) call.sendMetadata(metadataOf(context.responseHeader));
    bytes = serialize(output, message);
    // To grpc-js every call that the client streams to is a duplex one, so its type does not tell.
    if (isStream && "write" in call) await write(call, bytes, context.signal);
  }
  return bytes;
}

type Context = ReturnType<typeof contextOf>;

function contextOf(spec: MethodImplSpec, call: Incoming, requestSignal: AbortSignal) {
  const { record, headers, address } = streamInfoOf(call.metadata);
  const requestHeader = headersOf(headers);
  shortenTimeout(requestHeader);
  const { timeoutMs } = parseTimeout(requestHeader.get("grpc-timeout"), Number.MAX_SAFE_INTEGER);
  return createHandlerContext({
    service: spec.method.parent,
    method: spec.method,
    protocolName: "grpc",
    requestMethod: "POST",
    url: `http://${call.getHost()}${call.getPath()}`,
    ...(timeoutMs !== undefined && { timeoutMs }),
    requestSignal,
    requestHeader,
    contextValues: createContextValues().set(recordKey, record).set(clientAddressKey, address),
  });
}

async function write(call: Writable, bytes: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!call.write(bytes)) await once(call, "drain", { signal });
}

async function* parseAll(spec: LimitedSpec, call: Readable & { readonly cancelled: boolean }) {
  try {
    // Else a handler that stops reading would destroy the stream, and its answer with it.
    for await (const bytes of call.iterator({ destroyOnReturn: false })) yield parse(spec, bytes);
  } catch (error) {
    throw call.cancelled ? cancelled() : error;
  }
}

// What grpc-js lets pass is as large as the largest message of any method.
function parse({ method, readMaxBytes }: LimitedSpec, bytes: Uint8Array): Message {
  if (bytes.byteLength > readMaxBytes) {
    throw rpcError("MESSAGE_TOO_LARGE", `The request is larger than ${readMaxBytes} bytes.`);
  }
  try {
    return fromBinary(method.input, bytes);
  } catch {
    throw rpcError("REQUEST_MALFORMED", `The request is not a ${method.input.typeName}.`);
  }
}

function serialize<T extends DescMessage>(schema: T, message: MessageShape<T>): Buffer {
  const { buffer, byteOffset, byteLength } = toBinary(schema, message);
  return Buffer.from(buffer, byteOffset, byteLength);
}

const ended = new Error("the call has ended");

function cancelled(): ConnectError {
  return rpcError("CALL_CANCELLED", "The call was cancelled.");
}

// Anything else may hold what clients must not see.
function foreseen(thrown: unknown): ConnectError {
  return thrown instanceof ConnectError ? completeError(thrown) : rpcError("INTERNAL", internalMessage);
}
