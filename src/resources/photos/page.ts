import { Readable } from "node:stream";
import { withDeadline } from "../../db/deadline.js";
import type { Deps } from "../../deps.js";
import { type HttpRequest, type HttpResponse, pathOf } from "../../server/http/requests.js";
import type { Observer } from "../../server/observe.js";
import { findPhoto } from "./store.js";
import { parsePhotoPath } from "./token.js";

const deadlineMs = 10_000;
const stallMs = 30_000;
const pieceSize = 64 * 1024;

/**
 * Shows photos at their URLs to everybody. It answers GET and HEAD of what is formed like such a URL and returns true;
 * what such a URL shows never changes, it only ends.
 */
export function photoPage({ db, logger }: Pick<Deps, "db" | "logger">, observe: Observer) {
  return (req: HttpRequest, res: HttpResponse): boolean => {
    const address = req.method === "GET" || req.method === "HEAD" ? parsePhotoPath(pathOf(req)) : undefined;
    if (address === undefined) return false;
    const { traceparent } = req.headers;
    const record = observe.begin("photos", "http", typeof traceparent === "string" ? traceparent : undefined);
    const start = performance.now();
    res.once("close", () => {
      if (!res.writableFinished || !res.writableEnded) record.code ??= "CANCELLED";
      if (res.statusCode === 404) record.code ??= "NOT_FOUND";
      observe.end(record, performance.now() - start, res.statusCode);
    });
    const failed = (error: unknown) => {
      logger.error({ error, traceId: record.traceId }, "a photo could not be shown");
      if (!res.headersSent) answer(res, 503, { "retry-after": "1", "cache-control": "no-store" });
    };
    observe.run(record, () => show(req, res, address)).catch(failed);
    return true;
  };

  async function show(req: HttpRequest, res: HttpResponse, { tenantId, token }: { tenantId: string; token: string }) {
    const etag = `"${token}"`;
    const isKnown = matches(req.headers["if-none-match"], etag);
    const withContent = req.method === "GET" && !isKnown;
    const photo = await withDeadline(Date.now() + deadlineMs, () => findPhoto(db, tenantId, token, withContent));
    if (photo === undefined) return answer(res, 404, { "cache-control": "no-store" });
    const cached = { etag, "cache-control": "public, max-age=31536000, immutable" };
    if (isKnown) return answer(res, 304, cached);
    const type = { "content-type": photo.content_type, "content-length": photo.size };
    answer(res, 200, { ...type, ...cached, "content-security-policy": "default-src 'none'" }, photo.content);
  }
}

// RFC 9110, 13.1.2: a list of etags, weak ones too, or any.
function matches(header: string | undefined, etag: string): boolean {
  const etags = header?.split(",").map((one) => one.trim().replace(/^W\//, "")) ?? [];
  return etags.includes(etag) || etags.includes("*");
}

// Anyone with the URL may see the photo, also a page that draws it or is isolated from other origins.
const everybodys = { "access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin" };

function answer(res: HttpResponse, status: number, headers: object, content: Buffer | null = null): void {
  for (const [name, value] of Object.entries({ ...headers, ...everybodys, "x-content-type-options": "nosniff" })) {
    res.setHeader(name, value);
  }
  res.statusCode = status;
  if (content === null) return void res.end();
  // A client that stops reading would keep the picture in memory.
  res.setTimeout(stallMs, () => res.destroy());
  Readable.from(piecesOf(content)).pipe(res);
}

// Bytes written at once count against an HTTP/2 connection. One with too many unread bytes gets no answers.
function* piecesOf(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += pieceSize) yield content.subarray(at, at + pieceSize);
}
