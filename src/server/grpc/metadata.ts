import type { ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { Metadata, type StatusObject } from "@grpc/grpc-js";

// The status has its own place, and grpc-js writes the content type.
const written = new Set(["content-type", "grpc-status", "grpc-message"]);

/** Header fields or trailers of an answer as metadata of grpc-js, which wants bytes where the name ends in `-bin`. */
export function metadataOf(headers: Headers): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of headers) {
    if (written.has(name)) continue;
    if (name.endsWith("-bin")) {
      for (const base64 of value.split(",")) metadata.add(name, Buffer.from(base64.trim(), "base64"));
    } else {
      // grpc-js throws on anything else.
      metadata.add(name, value.replace(/[^ -~]/g, "?"));
    }
  }
  return metadata;
}

/** An error as grpc-js sends it, with its details and metadata and these trailers. */
export function statusOf(error: ConnectError, trailers: Headers): StatusObject {
  // Through bytes, so that half a surrogate pair, which nobody can send, becomes U+FFFD.
  const details = Buffer.from(error.rawMessage).toString();
  return { code: error.code as number, details, metadata: metadataOf(setTrailerStatus(new Headers(trailers), error)) };
}
