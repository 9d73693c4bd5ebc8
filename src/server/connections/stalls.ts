import type { ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";

/** Ends what a client does not read. */
export interface StallGuard {
  addStream(stream: ServerHttp2Stream): void;
  /** A connection; once it is ended by this side it must be by the other one, too. */
  addSocket(socket: Socket): void;
}

/** The slowest that a client may take a message, beside the time that it may take nothing at all. */
const bytesPerSecond = 64 * 1024;
/** How long the other side may take to end a connection that is ended by this one. */
const farewellMs = 5_000;

/**
 * Destroys streams and sockets whose client takes nothing of what waits for it for `ms` milliseconds. Neither Node nor
 * grpc-js would ever: a client with a window of zero keeps its call, its stream and what they hold.
 */
export function createStallGuard(ms: number): StallGuard {
  const guarded = new Map<ServerHttp2Stream | Socket, { size: number; since: number }>();
  const timer = setInterval(look, Math.max(ms / 10, 10));
  timer.unref();
  const add = (written: ServerHttp2Stream | Socket) => {
    guarded.set(written, { size: 0, since: 0 });
    written.once("close", () => guarded.delete(written));
  };
  return {
    addStream: add,
    addSocket(socket) {
      add(socket);
      socket.once("finish", () => {
        const farewell = setTimeout(() => socket.destroy(), farewellMs);
        socket.once("close", () => clearTimeout(farewell));
      });
    },
  };

  function look(): void {
    const now = performance.now();
    for (const [written, seen] of guarded) {
      const size = Math.max(written.writableLength, "pushStream" in written ? (written.bufferSize ?? 0) : 0);
      // Bytes added to the buffer do not show that the client reads.
      if (size === 0 || size < seen.size || seen.size === 0) Object.assign(seen, { size, since: now });
      else if (now - seen.since > ms + (1000 * seen.size) / bytesPerSecond) written.destroy();
    }
  }
}
