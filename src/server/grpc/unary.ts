import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { CallRecord } from "../../rpc/calls/call-record.js";
import type { Limits } from "../connections/limits.js";
import { closeAfterAnswer } from "../http/requests.js";
import type { BodyBudget } from "../unary/body-budget.js";
import type { UnaryMethod } from "../unary/methods.js";
import { serveUnary } from "../unary/serve.js";
import { type HttpAnswer, type Wire, wireOf } from "../unary/wires.js";

/** The wire of a unary call of gRPC; undefined for what grpc-js is to refuse. */
export function grpcWireOf(headers: IncomingHttpHeaders): Wire | undefined {
  const wire = headers[":method"] === "POST" ? wireOf(headers["content-type"]) : undefined;
  return wire?.protocol === "grpc" ? wire : undefined;
}

/** A unary call as the internal port receives it. */
interface Incoming {
  readonly method: UnaryMethod;
  readonly wire: Wire;
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly record: CallRecord;
  readonly address: string;
}

/** Answers a unary call on its HTTP/2 stream, without the objects that grpc-js makes for one. */
export async function serveGrpcUnary(incoming: Incoming, limits: Limits, bodies: BodyBudget): Promise<void> {
  const { stream, headers } = incoming;
  // It closes next, which is what counts.
  stream.on("error", () => {});
  await serveUnary(
    {
      ...incoming,
      requestMethod: "POST",
      url: () => `${headers[":scheme"]}://${headers[":authority"]}${headers[":path"]}`,
      body: stream,
      compresses: false,
      onClose: (listener) => stream.once("close", listener),
      send: (answer) => send(stream, answer),
    },
    limits,
    bodies,
  );
}

function send(stream: ServerHttp2Stream, { header, body, trailer }: HttpAnswer): void {
  if (stream.destroyed || stream.closed || stream.headersSent) return;
  if (!stream.readableEnded) {
    closeAfterAnswer(stream);
    stream.resume();
  }
  const fields = { ":status": 200, ...header } as OutgoingHttpHeaders;
  if (body === undefined) {
    stream.respond(fields, { endStream: true });
    return;
  }
  stream.respond(fields, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers(trailer ?? {}));
  stream.end(body);
}
