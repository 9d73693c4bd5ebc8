import { type EventEmitter, once } from "node:events";
import { type DescMessage, type Message, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  ConnectError,
  createContextValues,
  createHandlerContext,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import { transformInvokeImplementation } from "@connectrpc/connect/protocol";
import { parseTimeout } from "@connectrpc/connect/protocol-grpc";
import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import { clientAddressKey } from "../../rpc/callers/caller.js";
import { recordKey } from "../../rpc/calls/call-record.js";
import { shortenTimeout } from "../../rpc/calls/deadline.js";
import type { Interceptors } from "../../rpc/calls/unary.js";
import { callCancelled, rpcError, unexpected } from "../../rpc/errors.js";
import { parseBinary } from "../../rpc/requests/binary.js";
import { completeError } from "../answers.js";
import type { Observer } from "../observe.js";
import { headersOf } from "../request-headers.js";
import { type LimitedSpec, pathOfMethod } from "../unary/methods.js";
import { metadataOf, statusOf } from "./metadata.js";
import { streamInfoOf } from "./streams.js";

type Incoming = ServerDuplexStream<Buffer, Buffer>;

// Bytes stay as they are, so that a malformed message is not an internal error of grpc-js.
const asIs = (bytes: Buffer) => bytes;

/**
 * Registers the streaming methods with grpc-js, each as a stream both ways: so nothing is read of the body before the
 * interceptors have passed the header. The result tells by path whether the client sends a stream.
 */
export function registerStreams(
  server: Server,
  specs: readonly LimitedSpec[],
  { onHeader, onMessage }: Interceptors,
  observe: Observer,
): Map<string, { readonly clientStreams: boolean }> {
  const interceptors = [...onHeader, ...onMessage];
  const methods = new Map<string, { readonly clientStreams: boolean }>();
  for (const spec of specs) {
    if (spec.kind === "unary") continue;
    const path = pathOfMethod(spec.method);
    methods.set(path, { clientStreams: spec.kind !== "server_streaming" });
    const serve = (call: Incoming) => {
      const { record } = streamInfoOf(call.metadata);
      void observe.run(record, () => serveCall(spec, call, interceptors));
    };
    server.register(path, serve as never, asIs, asIs, "bidi");
  }
  return methods;
}

async function serveCall(spec: LimitedSpec, call: Incoming, interceptors: Interceptor[]) {
  const cancel = new AbortController();
  const events: EventEmitter = call;
  // A call that ends well is "cancelled" too, and making an error is what costs.
  let done = false;
  events.on("cancelled", () => done || cancel.abort(callCancelled()));
  if (call.cancelled) cancel.abort(callCancelled());
  const context = contextOf(spec, call, cancel.signal);
  try {
    await answer(spec, call, context, interceptors);
    call.end(metadataOf(context.responseTrailer));
  } catch (thrown) {
    events.emit("error", statusOf(foreseen(thrown), context.responseTrailer));
  } finally {
    done = true;
    context.abort(ended);
  }
}

async function answer(spec: LimitedSpec, call: Incoming, context: Context, interceptors: Interceptor[]) {
  const { output } = spec.method;
  const outputs = transformInvokeImplementation(spec, context, interceptors)(parseAll(spec, call));
  let isFirst = true;
  for await (const message of outputs) {
    if (isFirst) call.sendMetadata(metadataOf(context.responseHeader));
    isFirst = false;
    await write(call, serialize(output, message), context.signal);
  }
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

async function write(call: Incoming, bytes: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!call.write(bytes)) await once(call, "drain", { signal });
}

// A call that is cancelled ends its messages with an error of grpc-js.
async function* parseAll({ method, readMaxBytes }: LimitedSpec, call: Incoming): AsyncIterable<Message> {
  try {
    // A handler that stops reading would otherwise destroy the stream and its answer.
    for await (const bytes of call.iterator({ destroyOnReturn: false })) {
      if (bytes.byteLength > readMaxBytes) {
        throw rpcError("MESSAGE_TOO_LARGE", `The request is larger than ${readMaxBytes} bytes.`);
      }
      yield parseBinary(method.input, bytes);
    }
  } catch (error) {
    throw call.cancelled ? callCancelled() : error;
  }
}

function serialize<T extends DescMessage>(schema: T, message: MessageShape<T>): Buffer {
  const { buffer, byteOffset, byteLength } = toBinary(schema, message);
  return Buffer.from(buffer, byteOffset, byteLength);
}

const ended = new Error("the call has ended");

// Anything else may hold what clients must not see.
function foreseen(thrown: unknown): ConnectError {
  return thrown instanceof ConnectError ? completeError(thrown) : unexpected();
}
