import type { OutgoingHttpHeaders } from "node:http";
import { setImmediate as afterRead } from "node:timers/promises";
import { fromBinary, type Message } from "@bufbuild/protobuf";
import { unreadableKey } from "../../rpc/callers/origins.js";
import type { CallRecord } from "../../rpc/calls/call-record.js";
import { mayTravelInUrl } from "../../rpc/calls/method-facts.js";
import type { UnaryCall } from "../../rpc/calls/unary-call.js";
import { rpcError } from "../../rpc/errors.js";
import { RequestHeaders } from "../request-headers.js";
import { decompressed, tooLarge } from "../unary/body.js";
import type { BodyCount } from "../unary/body-budget.js";
import type { UnaryMethod } from "../unary/methods.js";
import type { Exchange } from "../unary/serve.js";
import { connectJson, type HttpAnswer, type Wire, wireOf, wireOfQuery } from "../unary/wires.js";
import { callHeaders, readableBy } from "./cors.js";
import { readForm } from "./multipart.js";
import { timedBody } from "./request-body.js";
import { endAfterAnswer, type HttpRequest, type HttpResponse } from "./requests.js";
import type { UploadRequest } from "./uploads.js";

/** A unary call as the public port receives it. */
interface Incoming {
  readonly method: UnaryMethod;
  readonly req: HttpRequest;
  readonly res: HttpResponse;
  readonly record: CallRecord;
  readonly address: string;
}

/** The exchange of a posted message or a Connect GET. Gives the HTTP status of the refusal for what is neither. */
export function exchangeOf(incoming: Incoming): Exchange | 405 | 415 {
  const { method, req } = incoming;
  if (req.method === "POST") {
    const wire = wireOf(req.headers["content-type"]);
    return wire === undefined ? 415 : exchange(incoming, wire);
  }
  if (req.method !== "GET" || !mayTravelInUrl(method.desc)) return 405;
  const query = new URLSearchParams((req.url ?? "").split("?", 2)[1]);
  const wire = wireOfQuery(query.get("encoding"));
  if (wire === undefined) return 415;
  return { ...exchange(incoming, wire), readMessage: () => messageIn(query, wire, method) };
}

/** The exchange of a form: another spelling of a call, answered in JSON. */
export function exchangeOfUpload(incoming: Incoming, { upload, id }: UploadRequest, bodyMs: number): Exchange {
  const { req } = incoming;
  const readMessage = async (count: BodyCount) => {
    const header = new RequestHeaders(req.headers);
    const { file, texts } = await readForm(header, timedBody(req, bodyMs, false, count), upload);
    return fromBinary(upload.method.input, upload.request(id, file, texts));
  };
  return { ...exchange(incoming, connectJson), readMessage, compresses: false };
}

function exchange({ method, req, res, record, address }: Incoming, wire: Wire): Exchange {
  return {
    method,
    wire,
    requestMethod: req.method ?? "",
    headers: req.headers,
    url: () => urlOf(req),
    address,
    record,
    body: req,
    compresses: true,
    onClose: (listener) => res.once("close", listener),
    send: (answer, call) => void send(req, res, answer, call),
  };
}

async function messageIn(query: URLSearchParams, wire: Wire, { desc, readMaxBytes }: UnaryMethod): Promise<Message> {
  const message = query.get("message") ?? "";
  const isBase64 = query.get("base64") === "1";
  if (isBase64 && !/^[\w+/=-]*$/.test(message)) throw rpcError("REQUEST_MALFORMED", "The message is not base64.");
  const given = Buffer.from(message, isBase64 ? "base64url" : "utf8");
  if (given.length > readMaxBytes) throw tooLarge(readMaxBytes);
  return wire.codec.parse(desc.input, await decompressed(given, query.get("compression"), readMaxBytes));
}

async function send(req: HttpRequest, res: HttpResponse, answer: HttpAnswer, call: UnaryCall): Promise<void> {
  // Only then is it known whether the request has a body that is still to come, and is not waited for.
  if (!req.complete) await afterRead();
  if (res.destroyed || res.headersSent) return;
  if (!req.complete) endAfterAnswer(req, res);
  const header: OutgoingHttpHeaders = { ...answer.header, ...callHeaders(req.headers) };
  // An answer is for one credential, and caches know only of those in Authorization.
  header["cache-control"] = "no-store";
  if (call.contextValues.get(unreadableKey)) delete header[readableBy];
  if (answer.body === undefined) {
    // The header itself ends the stream then, as gRPC wants it: `writeHead` would send it too soon.
    res.statusCode = answer.status;
    for (const [name, value] of Object.entries(header)) if (value !== undefined) res.setHeader(name, value);
    res.end();
    return;
  }
  (res as { writeHead(status: number, header: OutgoingHttpHeaders): void }).writeHead(answer.status, header);
  if (answer.trailer !== undefined) res.addTrailers(answer.trailer as Record<string, string>);
  res.end(answer.body);
}

function urlOf(req: HttpRequest): string {
  const protocol = "encrypted" in req.socket && req.socket.encrypted ? "https" : "http";
  const host = "authority" in req ? req.authority : req.headers.host;
  return new URL(req.url ?? "", `${protocol}://${host}`).toString();
}
