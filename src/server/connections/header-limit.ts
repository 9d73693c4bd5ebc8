import { rpcError } from "../../rpc/errors.js";

/**
 * How often the limit a client is told is larger than the one that holds. Between the two it gets an answer; beyond,
 * Node ends the stream without one. To a new connection Node applies no limit before the client knows of it.
 */
const margin = 4;

/** The limit that the HTTP/2 settings advertise. */
export function advertisedHeaderBytes(headerMaxBytes: number): number {
  return margin * headerMaxBytes;
}

/** The size of a header list as HTTP/2 counts it: 32 bytes for each field beside its name and value (RFC 9113, 6.5.2). */
export function headerBytes(rawHeaders: readonly string[]): number {
  let bytes = 16 * rawHeaders.length;
  for (const text of rawHeaders) bytes += text.length;
  return bytes;
}

/** The error of a request whose header list is too large. */
export const headerTooLarge = rpcError("MESSAGE_TOO_LARGE", "The header fields of the request are too large.");
