import type { OutgoingHttpHeaders } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import { codeToHttpStatus, errorToJsonBytes } from "@connectrpc/connect/protocol-connect";
import { trailerFlag, trailerSerialize } from "@connectrpc/connect/protocol-grpc-web";
import type { UnaryCall } from "../../rpc/calls/unary-call.js";
import { rpcError } from "../../rpc/errors.js";
import { statusHeaders } from "../answers.js";
import { acceptedEncodings } from "./body.js";
import { type Codec, codecs } from "./codecs.js";

/** A whole answer as HTTP has it. */
export interface HttpAnswer {
  readonly status: number;
  readonly header: OutgoingHttpHeaders;
  /** Absent where all is said in the header. */
  readonly body?: Uint8Array | string;
  readonly trailer?: OutgoingHttpHeaders;
}

/** A request message as it arrived. */
export interface Payload {
  readonly bytes: Buffer;
  readonly isCompressed: boolean;
}

/** How a protocol spells one request message and one answer. */
export interface Wire {
  readonly protocol: "connect" | "grpc" | "grpc-web";
  readonly codec: Codec;
  /** The header field that names how messages are compressed; the answer has the same. */
  readonly encodingField: string;
  /** The header field with what the client can decompress. */
  readonly acceptField: string;
  /** How much longer a body is than its message. */
  readonly overhead: number;
  readonly unwrap: (body: Buffer) => Payload;
  readonly answer: (message: Uint8Array | string, encoding: string | undefined, call: UnaryCall) => HttpAnswer;
  readonly failure: (error: ConnectError, call: UnaryCall) => HttpAnswer;
}

function connect(codec: Codec): Wire {
  const type = `application/${codec.name}`;
  return {
    protocol: "connect",
    codec,
    encodingField: "content-encoding",
    acceptField: "accept-encoding",
    overhead: 0,
    unwrap: (bytes) => ({ bytes, isCompressed: true }),
    answer: (body, encoding, call) => ({
      status: 200,
      header: {
        "content-type": type,
        "content-length": Buffer.byteLength(body),
        ...(encoding !== undefined && { "content-encoding": encoding }),
        ...headerOf(call, "trailer-"),
      },
      body,
    }),
    failure: (error, call) => {
      const body = errorToJsonBytes(error, undefined);
      const header = { "content-type": "application/json", "content-length": body.byteLength };
      return {
        status: codeToHttpStatus(error.code),
        header: { ...headerOf(call, "trailer-"), ...fieldsOf(error.metadata), ...header },
        body,
      };
    },
  };
}

function grpc(codec: Codec): Wire {
  const type = `application/grpc+${codec.name}`;
  return {
    ...envelopes(codec, type),
    protocol: "grpc",
    answer: (message, encoding, call) => ({
      status: 200,
      header: envelopeHeader(type, encoding, call),
      body: enveloped(message, encoding === undefined ? 0 : compressedFlag),
      trailer: { "grpc-status": "0", ...fieldsOf(call.givenTrailer) },
    }),
  };
}

function grpcWeb(codec: Codec): Wire {
  const type = `application/grpc-web+${codec.name}`;
  return {
    ...envelopes(codec, type),
    protocol: "grpc-web",
    answer: (message, encoding, call) => {
      const trailer = new Headers(call.givenTrailer);
      trailer.set("grpc-status", "0");
      const first = enveloped(message, encoding === undefined ? 0 : compressedFlag);
      const body = Buffer.concat([first, enveloped(trailerSerialize(trailer), trailerFlag)]);
      return { status: 200, header: envelopeHeader(type, encoding, call), body };
    },
  };
}

function envelopes(codec: Codec, type: string): Omit<Wire, "protocol" | "answer"> {
  return {
    codec,
    encodingField: "grpc-encoding",
    acceptField: "grpc-accept-encoding",
    overhead: envelopeBytes,
    unwrap,
    failure: (error, call) => ({
      status: 200,
      header: {
        "content-type": type,
        ...fieldsOf(call.givenHeader),
        ...fieldsOf(call.givenTrailer),
        ...statusHeaders(error),
      },
    }),
  };
}

const envelopeBytes = 5;
const compressedFlag = 1;

function unwrap(body: Buffer): Payload {
  if (body.length < envelopeBytes || body.readUInt32BE(1) !== body.length - envelopeBytes || body[0]! > 1) {
    throw rpcError("REQUEST_MALFORMED", "The request is not one message.");
  }
  return { bytes: body.subarray(envelopeBytes), isCompressed: body[0] === compressedFlag };
}

function enveloped(message: Uint8Array | string, flag: number): Buffer {
  const bytes = typeof message === "string" ? Buffer.from(message) : message;
  const body = Buffer.allocUnsafe(envelopeBytes + bytes.byteLength);
  body[0] = flag;
  body.writeUInt32BE(bytes.byteLength, 1);
  body.set(bytes, envelopeBytes);
  return body;
}

function envelopeHeader(type: string, encoding: string | undefined, call: UnaryCall): OutgoingHttpHeaders {
  const header: OutgoingHttpHeaders = { "content-type": type, "grpc-accept-encoding": acceptedEncodings };
  if (encoding !== undefined) header["grpc-encoding"] = encoding;
  if (call.givenHeader !== undefined) Object.assign(header, fieldsOf(call.givenHeader));
  return header;
}

function headerOf(call: UnaryCall, trailerPrefix: string): OutgoingHttpHeaders | undefined {
  if (call.givenHeader === undefined && call.givenTrailer === undefined) return undefined;
  const trailers = Object.entries(fieldsOf(call.givenTrailer) ?? {});
  const prefixed = trailers.map(([name, value]) => [trailerPrefix + name, value]);
  return { ...fieldsOf(call.givenHeader), ...Object.fromEntries(prefixed) };
}

function fieldsOf(headers: Headers | undefined): OutgoingHttpHeaders | undefined {
  return headers && Object.fromEntries(headers);
}

const makers: Readonly<Record<string, (codec: Codec) => Wire>> = { connect, grpc, "grpc-web": grpcWeb };
const wires: ReadonlyMap<string, Wire> = new Map(
  Object.entries(makers).flatMap(([protocol, make]) =>
    Object.values(codecs).map((codec) => [`${protocol} ${codec.name}`, make(codec)] as const),
  ),
);

/** Connect in JSON, in which forms are answered too. */
export const connectJson = wires.get("connect json")!;

const unaryType = /^application\/(?:(grpc(?:-web)?)(?:\+(proto|json))?|(proto|json))(?:; ?charset=utf-?8)?$/i;

/** The wire of a posted content type; undefined for none of a unary call. */
export function wireOf(contentType: string | undefined): Wire | undefined {
  const [type, rpc = "connect", subtype = "proto", ofConnect] = unaryType.exec(contentType ?? "") ?? [];
  if (type === undefined) return undefined;
  return wires.get(`${rpc} ${ofConnect ?? subtype}`.toLowerCase());
}

/** The wire of a Connect GET, whose query names the codec. */
export function wireOfQuery(encoding: string | null): Wire | undefined {
  return wires.get(`connect ${encoding}`);
}
