import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from "node:http2";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** Whether a request is meant as a call: by its content type, or by the shape of its path. */
export function isCall(req: HttpRequest): boolean {
  return protocolOf(req) !== "connect" || /^\/[\w.]+\.[A-Z]\w*\/[A-Z]\w*$/.test(pathOf(req));
}

/** The path of a request, without its query. */
export function pathOf({ url = "" }: HttpRequest): string {
  const end = url.indexOf("?");
  return end < 0 ? url : url.slice(0, end);
}

/** A header field that is given once. */
export function headerOf(req: HttpRequest, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === "string" ? value : undefined;
}

/** The address of the other end of the connection. */
export function peerOf(req: HttpRequest): string | undefined {
  return ("stream" in req ? req.stream.session?.socket : req.socket)?.remoteAddress;
}

/** The protocol of a call; `connect` where nothing says otherwise. */
export function protocolOf(req: HttpRequest): string {
  const type = req.headers["content-type"] ?? "";
  if (type.startsWith("application/grpc-web")) return "grpc-web";
  return type.startsWith("application/grpc") ? "grpc" : "connect";
}

const usableHost = /^(\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(:\d{0,5})?$/i;

/** Whether a request names a host. */
export function hasHost(req: HttpRequest): boolean {
  return usableHost.test(("authority" in req ? req.authority : req.headers.host) ?? "");
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
