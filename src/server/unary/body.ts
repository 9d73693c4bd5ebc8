import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import { callCancelled, rpcError } from "../../rpc/errors.js";
import type { BodyCount } from "./body-budget.js";

/** Bounds of a request body. */
export interface BodyLimits {
  /** Before and after decompression. */
  readonly maxBytes: number;
  /** How long all of it may take. */
  readonly ms: number;
}

/** Reads a request body, and counts it. Rejects with RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED or CANCELLED. */
export async function readBody(body: Readable, { maxBytes, ms }: BodyLimits, count: BodyCount): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => stop(bodyTooSlow()), ms);
    count.onRefusal = stop;
    body.on("data", onData);
    body.once("end", onEnd);
    body.once("error", onGone);
    body.once("close", onGone);

    function onData(piece: Buffer) {
      size += piece.length;
      pieces.push(piece);
      if (size > maxBytes) stop(tooLarge(maxBytes));
      else count.add(piece.length);
    }
    function onEnd() {
      detach();
      resolve(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    }
    function onGone() {
      stop(callCancelled());
    }
    function stop(error: Error) {
      detach();
      // The rest is neither kept nor waited for.
      body.on("error", () => {}).resume();
      reject(error);
    }
    function detach() {
      clearTimeout(timer);
      count.onRefusal = undefined;
      body.off("data", onData).off("end", onEnd).off("error", onGone).off("close", onGone);
    }
  });
}

/** The error of a request body that does not arrive in time. */
export function bodyTooSlow() {
  return rpcError("DEADLINE_EXCEEDED", "The request body took too long to arrive.");
}

/** The error of a request message beyond the limit of its method. */
export function tooLarge(maxBytes: number) {
  return rpcError("MESSAGE_TOO_LARGE", `The request is larger than ${maxBytes} bytes.`);
}

const inflaters: Readonly<Record<string, (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** The encodings that a client may compress with. */
export const acceptedEncodings = Object.keys(inflaters).join(",");

// No message of the contract grows further: a list of a thousand equal items compresses less.
const mostGrowth = 200;
const alwaysAllowed = 64 * 1024;

/** Decompresses a message. Rejects with RESOURCE_EXHAUSTED for one that grows too far, and for what is not compressed. */
export async function decompressed(bytes: Buffer, encoding: string | null, maxBytes: number): Promise<Buffer> {
  if (encoding === null || encoding === "" || encoding === "identity") return bytes;
  const decompress = inflaters[encoding];
  if (decompress === undefined) {
    throw rpcError("METHOD_UNKNOWN", `This encoding is not supported; those that are: ${acceptedEncodings}.`);
  }
  const maxOutputLength = Math.min(maxBytes, Math.max(alwaysAllowed, mostGrowth * bytes.length));
  try {
    return await decompress(bytes, { maxOutputLength });
  } catch (error) {
    if (Object(error).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxOutputLength);
    throw rpcError("REQUEST_MALFORMED", "The request cannot be decompressed.");
  }
}
