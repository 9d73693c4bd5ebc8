import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { type DescMethodUnary, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { findTrailerError } from "@connectrpc/connect/protocol-grpc";
import * as web from "@connectrpc/connect-web";
import * as grpc from "@grpc/grpc-js";
import type { Clientele } from "./clientele.js";

/** Calls a method with proto JSON and gives proto JSON back, or throws a ConnectError with all its details. */
export type Call = (
  method: DescMethodUnary,
  request: JsonValue,
  headers?: Record<string, string>,
) => Promise<JsonValue>;

/** One way that a client reaches the service. Two calls at a time are enough for any. */
export interface Way {
  readonly name: string;
  open(clientele: Clientele, key: string): Call;
}

/** The clients that users have, each as they run it. `buf-curl.test.ts` holds the rest of its protocols. */
export const ways: readonly Way[] = [
  { name: "grpc-js on the internal port", open: ({ grpcAddress }, key) => overGrpcJs(grpcAddress, key) },
  { name: "grpc-js on the public port", open: ({ httpUrl }, key) => overGrpcJs(new URL(httpUrl).host, key) },
  { name: "Connect in JSON by fetch", open: ({ httpUrl }, key) => overFetch(httpUrl, key) },
  {
    name: "Connect by connect-web",
    open: ({ httpUrl }, key) => overTransport(web.createConnectTransport({ baseUrl: httpUrl }), key),
  },
  {
    name: "gRPC-Web by connect-web",
    open: ({ httpUrl }, key) => overTransport(web.createGrpcWebTransport({ baseUrl: httpUrl }), key),
  },
  { name: "buf curl, Connect", open: ({ httpUrl }, key) => overBufCurl("connect", httpUrl, key) },
];

/** The path of a method in a URL, such as `/clientele.v1.CustomerService/GetCustomer`. */
export function pathOf(method: DescMethodUnary): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function overGrpcJs(address: string, key: string): Call {
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  return async (method, request, headers = {}) => {
    const metadata = grpc.Metadata.fromHttp2Headers({ "api-key": key, ...headers });
    const answer = await new Promise<Uint8Array>((resolve, reject) => {
      client.makeUnaryRequest(
        pathOf(method),
        Buffer.from,
        (bytes: Buffer) => bytes,
        Buffer.from(toBinary(method.input, fromJson(method.input, request))),
        metadata,
        (error, bytes) => (error ? reject(errorOfGrpcJs(error)) : resolve(bytes!)),
      );
    });
    return toJson(method.output, fromBinary(method.output, answer));
  };
}

/** The error of grpc-js as a ConnectError, with the message that grpc-js decoded. */
export function errorOfGrpcJs(error: grpc.ServiceError): ConnectError {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  const failure = new ConnectError(error.details, error.code as number as Code);
  if (bytes === undefined) return failure;
  const details = Buffer.from(bytes).toString("base64").replace(/=+$/, "");
  const parsed = findTrailerError(
    new Headers({ "grpc-status": String(error.code), "grpc-status-details-bin": details }),
  );
  return Object.assign(failure, { details: parsed?.details ?? [] });
}

/** Connect's unary protocol by hand. */
export function overFetch(baseUrl: string, key: string): Call {
  return async (method, request, headers = {}) => {
    const answer = await fetch(baseUrl + pathOf(method), {
      method: "POST",
      headers: { "content-type": "application/json", "api-key": key, ...headers },
      body: JSON.stringify(request),
    });
    const body = (await answer.json()) as JsonValue;
    if (answer.status !== 200)
      throw errorFromJson(body, undefined, new ConnectError(JSON.stringify(body), Code.Unknown));
    return body;
  };
}

function overTransport(transport: Transport, key: string): Call {
  return async (method, request, headers = {}) => {
    const message = fromJson(method.input, request);
    const all = { "api-key": key, ...headers };
    const answer = await transport.unary(method, undefined, undefined, all, message);
    return toJson(method.output, answer.message);
  };
}

const run = promisify(execFile);

// By reflection: no --schema.
function overBufCurl(protocol: string, baseUrl: string, key: string): Call {
  return async (method, request, headers = {}) => {
    const fields = Object.entries({ "api-key": key, ...headers }).flatMap(([name, value]) => [
      "-H",
      `${name}: ${value}`,
    ]);
    const url = baseUrl + pathOf(method);
    const data = ["-d", JSON.stringify(request)];
    try {
      const { stdout } = await runBuf([
        "curl",
        "--protocol",
        protocol,
        "--http2-prior-knowledge",
        ...fields,
        ...data,
        url,
      ]);
      return JSON.parse(stdout) as JsonValue;
    } catch (error) {
      const stderr = Reflect.get(Object(error), "stderr");
      if (typeof stderr !== "string" || !stderr.startsWith("{")) throw error;
      throw errorFromJson(JSON.parse(stderr) as JsonValue, undefined, new ConnectError(stderr, Code.Unknown));
    }
  };
}

// The program itself, because `node_modules/.bin/buf` starts a Node for each call.
const buf = createRequire(import.meta.url).resolve(`@bufbuild/buf-${process.platform}-${process.arch}/bin/buf`);

/** Runs the buf of this checkout. Rejects, with `stderr`, if it fails. */
export async function runBuf(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return await run(buf, args);
}
