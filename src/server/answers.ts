import type { ConnectError } from "@connectrpc/connect";
import { encodeEnvelope, type UniversalServerResponse } from "@connectrpc/connect/protocol";
import {
  codeToHttpStatus,
  createEndStreamSerialization,
  endStreamFlag,
  endStreamFromJson,
  errorFromJsonBytes,
  errorToJsonBytes,
} from "@connectrpc/connect/protocol-connect";
import { findTrailerError, headerGrpcMessage, setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { trailerFlag, trailerParse, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import { status as statusNames } from "@grpc/grpc-js";
import type { CallRecord } from "../rpc/calls/call-record.js";
import { reasonOf, rpcError, unexpected, withErrorInfo } from "../rpc/errors.js";

/** How gRPC spells a status, such as `NOT_FOUND` for 5. */
export function statusName(code: number): string {
  return statusNames[code] ?? "UNKNOWN";
}

/**
 * The error as a client may see it: always with an ErrorInfo. One that has none arose before any interceptor, so what
 * Connect calls internal in it, such as bytes that do not decompress, is the request's own fault.
 */
export function completeError(error: ConnectError): ConnectError {
  const complete = withErrorInfo(error);
  if (complete !== undefined) return complete;
  if (error.rawMessage === connectFailure) return unexpected();
  return rpcError("REQUEST_MALFORMED", error.rawMessage);
}

// The text by which Connect tells a failure that it did not expect.
const connectFailure = "internal error";

/** Notes how a call ended, unless an interceptor, which knows better, has. */
export function noteOutcome(record: CallRecord, error: ConnectError | undefined): void {
  if (record.code !== undefined) return;
  record.code = error === undefined ? "OK" : statusName(error.code);
  const reason = error && reasonOf(error);
  if (reason !== undefined) record.reason = reason;
}

/**
 * Completes the errors that Connect answered by itself and notes in the record how the call ended, in whichever
 * protocol the answer is written.
 */
export async function amendAnswer(
  answer: UniversalServerResponse,
  record: CallRecord,
): Promise<UniversalServerResponse> {
  if (answer.status >= 400) return await amendRefusal(answer, record);
  const { body, trailer } = answer;
  if (record.protocol === "grpc" && trailer !== undefined) {
    return { ...answer, body: afterwards(body, () => amendTrailer(trailer, record)) };
  }
  const type = answer.header?.get("content-type") ?? "";
  if (body !== undefined && /^application\/(grpc-web|connect\+)/.test(type)) {
    return { ...answer, body: amendLast(body, record) };
  }
  noteOutcome(record, undefined);
  return answer;
}

/** The errors of requests that are no call in any protocol, by HTTP status. */
export const refusals: Readonly<Record<number, ConnectError>> = {
  405: rpcError("REQUEST_MALFORMED", "This HTTP method does not fit the call."),
  415: rpcError("REQUEST_MALFORMED", "This content type is not supported."),
  505: rpcError("REQUEST_MALFORMED", "This call needs HTTP/2."),
};

// An error in HTTP terms: a request that is no call in any protocol.
async function amendRefusal(answer: UniversalServerResponse, record: CallRecord): Promise<UniversalServerResponse> {
  const header = new Headers(answer.header);
  // An error of this size is ours, and complete.
  if (header.has("content-encoding")) return answer;
  const fallback = refusals[answer.status] ?? unexpected();
  const bytes = await firstChunk(answer.body);
  const told = bytes === undefined ? fallback : errorFromJsonBytes(bytes, undefined, fallback);
  const error = completeError(told);
  noteOutcome(record, error);
  // The status is that of the code that the client is told.
  const status = error.code === told.code ? answer.status : codeToHttpStatus(error.code);
  return { ...answer, status, ...errorAnswer(error, header) };
}

/** The header and body of an error, as Connect's unary calls write it. */
export function errorAnswer(error: ConnectError, header = new Headers()) {
  const bytes = errorToJsonBytes(error, undefined);
  header.set("content-type", "application/json");
  header.set("content-length", String(bytes.byteLength));
  return { header, body: once(bytes) };
}

function amendTrailer(trailer: Headers, record: CallRecord): void {
  const error = findTrailerError(trailer);
  noteOutcome(record, error);
  if (error === undefined) return;
  const complete = completeError(error);
  if (reasonOf(error) === undefined) setTrailerStatus(trailer, complete);
  // Connect also escapes `:` and the like, which grpc-js does not undo. The specification wants only what is not
  // printable ASCII, and `%`, escaped.
  trailer.set(headerGrpcMessage, encodeMessage(complete.rawMessage));
}

function encodeMessage(message: string): string {
  return [...Buffer.from(message)].map(encodeByte).join("");
}

/** The header fields or trailers by which gRPC tells an error. */
export function statusHeaders(error: ConnectError): Record<string, string> {
  const headers = Object.fromEntries(setTrailerStatus(new Headers(), error));
  return { ...headers, [headerGrpcMessage.toLowerCase()]: encodeMessage(error.rawMessage) };
}

function encodeByte(byte: number): string {
  const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
  return plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

// gRPC-Web and Connect's streams tell the outcome in a last frame of the body. Each chunk is one frame.
async function* amendLast(body: AsyncIterable<Uint8Array>, record: CallRecord): AsyncIterable<Uint8Array> {
  for await (const frame of body) {
    const flags = frame[0] ?? 0;
    const data = frame.subarray(5);
    // A compressed end is as large as only one of ours gets, and complete.
    if (flags === trailerFlag)
      yield encodeEnvelope(flags, trailerSerialize(amendedTrailer(trailerParse(data), record)));
    else if (flags === endStreamFlag) yield encodeEnvelope(flags, amendedEnd(data, record));
    else yield frame;
  }
}

function amendedTrailer(trailer: Headers, record: CallRecord): Headers {
  amendTrailer(trailer, record);
  return trailer;
}

const endStream = createEndStreamSerialization(undefined);

function amendedEnd(data: Uint8Array, record: CallRecord): Uint8Array {
  const { metadata, error } = endStreamFromJson(data);
  noteOutcome(record, error);
  return endStream.serialize(error === undefined ? { metadata } : { metadata, error: completeError(error) });
}

/** The only frame of a stream of Connect that fails before it began. */
export function endStreamOf(error: ConnectError): Uint8Array {
  return encodeEnvelope(endStreamFlag, endStream.serialize({ metadata: new Headers(), error }));
}

async function* afterwards(body: AsyncIterable<Uint8Array> | undefined, then: () => void): AsyncIterable<Uint8Array> {
  if (body !== undefined) yield* body;
  then();
}

async function* once(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

async function firstChunk(body: AsyncIterable<Uint8Array> | undefined): Promise<Uint8Array | undefined> {
  if (body !== undefined) for await (const chunk of body) return chunk;
  return undefined;
}
