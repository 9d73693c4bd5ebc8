import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import type { Message } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { clientAddressKey } from "../../rpc/callers/caller.js";
import { type CallRecord, recordKey } from "../../rpc/calls/call-record.js";
import { UnaryCall } from "../../rpc/calls/unary-call.js";
import { callCancelled, rpcError, unexpected } from "../../rpc/errors.js";
import { completeError, noteOutcome } from "../answers.js";
import type { Limits } from "../connections/limits.js";
import { RequestHeaders } from "../request-headers.js";
import { decompressed, readBody, tooLarge } from "./body.js";
import type { BodyBudget, BodyCount } from "./body-budget.js";
import type { UnaryMethod } from "./methods.js";
import type { HttpAnswer, Wire } from "./wires.js";

/** A request of a unary call, and the way its answer takes. */
export interface Exchange {
  readonly method: UnaryMethod;
  readonly wire: Wire;
  readonly requestMethod: string;
  readonly headers: IncomingHttpHeaders;
  readonly url: () => string;
  /** The IP address that the call comes from. */
  readonly address: string;
  readonly record: CallRecord;
  /** Ends before its end when the client goes away. */
  readonly body: Readable;
  /** Where the message is not the body: in the query of a GET, in a form. */
  readonly readMessage?: (count: BodyCount) => Promise<Message>;
  /** Whether answers are compressed for clients that allow it. */
  readonly compresses: boolean;
  /** Calls back when the connection is lost, or the answer has left. */
  readonly onClose: (listener: () => void) => void;
  /** Writes the answer; does nothing for a client that has gone. */
  readonly send: (answer: HttpAnswer, call: UnaryCall) => void;
}

/** Answers one unary call, whatever becomes of it. Never rejects. */
export async function serveUnary(exchange: Exchange, limits: Limits, bodies: BodyBudget): Promise<void> {
  const { method, wire, requestMethod, record, url } = exchange;
  const call = new UnaryCall({
    method: method.desc,
    protocolName: wire.protocol,
    requestMethod,
    header: new RequestHeaders(exchange.headers),
    url,
    readMessage: () => countedMessage(exchange, limits, bodies),
  });
  call.contextValues.set(recordKey, record).set(clientAddressKey, exchange.address);
  let done = false;
  exchange.onClose(() => done || call.abort(callCancelled()));
  const answer = await answerOf(exchange, call, limits);
  done = true;
  exchange.send(answer, call);
}

async function answerOf(exchange: Exchange, call: UnaryCall, limits: Limits): Promise<HttpAnswer> {
  const { method, wire, record } = exchange;
  try {
    const message = await method.run(call);
    const content = wire.codec.serialize(method.desc.output, message);
    const size = Buffer.byteLength(content);
    if (size > limits.writeMaxBytes) throw answerTooLarge(limits.writeMaxBytes);
    noteOutcome(record, undefined);
    const encoding = exchange.compresses ? encodingFor(exchange, size) : undefined;
    const body = encoding === undefined ? content : await compressors[encoding]!(content);
    return wire.answer(body, encoding, call);
  } catch (thrown) {
    // Anything else may hold what clients must not see.
    const isTold = thrown instanceof ConnectError;
    const error = isTold ? completeError(thrown) : unexpected();
    noteOutcome(record, error);
    return wire.failure(error, call);
  }
}

// Whose body it is, the header has told.
async function countedMessage(exchange: Exchange, { bodyMs }: Limits, bodies: BodyBudget): Promise<Message> {
  const count = bodies.open(exchange.record.tenantId);
  try {
    return await (exchange.readMessage?.(count) ?? readMessage(exchange, bodyMs, count));
  } finally {
    count.close();
  }
}

async function readMessage(
  { method: { desc, readMaxBytes }, wire, headers, body }: Exchange,
  ms: number,
  count: BodyCount,
): Promise<Message> {
  const maxBytes = readMaxBytes + wire.overhead;
  if (Number(headers["content-length"]) > maxBytes) throw tooLarge(readMaxBytes);
  const payload = wire.unwrap(await readBody(body, { maxBytes, ms }, count));
  const encoding = payload.isCompressed ? headers[wire.encodingField] : undefined;
  const bytes =
    encoding === undefined ? payload.bytes : await decompressed(payload.bytes, String(encoding), readMaxBytes);
  if (bytes !== payload.bytes) count.add(bytes.length);
  if (count.refusal !== undefined) throw count.refusal;
  return wire.codec.parse(desc.input, bytes);
}

const leastCompressed = 1024;
const compressors: Readonly<Record<string, (content: Uint8Array | string) => Promise<Buffer>>> = {
  gzip: promisify<Uint8Array | string, Buffer>(gzip),
  br: promisify<Uint8Array | string, Buffer>(brotliCompress),
};

function encodingFor({ headers, wire }: Exchange, bytes: number): string | undefined {
  if (bytes < leastCompressed) return undefined;
  const accepted = String(headers[wire.acceptField] ?? "").split(",");
  return accepted.map((one) => one.split(";", 1)[0]!.trim()).find((one) => Object.hasOwn(compressors, one));
}

function answerTooLarge(maxBytes: number) {
  return rpcError("MESSAGE_TOO_LARGE", `The answer is larger than ${maxBytes} bytes.`);
}
