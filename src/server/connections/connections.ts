import { once } from "node:events";
import { constants, type Http2Session, type ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { HttpRequest, HttpResponse } from "../http/requests.js";

/** The open connections of a listener, known so that they can be closed without cutting a call. */
export interface Connections {
  addSocket(socket: Socket): void;
  /** A connection that speaks HTTP/1.1, or has not spoken yet. */
  addHttp1(socket: Socket): void;
  /** It turned out to speak HTTP/2. */
  removeHttp1(socket: Socket): void;
  addSession(session: ServerHttp2Session): void;
  addRequest(req: HttpRequest, res: HttpResponse): void;
  /** Ends each connection with its next answer; goes on accepting. An idle one stays open. */
  leave(): void;
  /** Closes the server and each connection once its calls are done; destroys what is left after `graceMs` milliseconds. */
  close(server: Server, graceMs: number): Promise<void>;
}

/** Starts to keep track of connections. */
export function createConnections(): Connections {
  const sockets = new Set<Socket>();
  const http1Answers = new Map<Socket, HttpResponse | undefined>();
  const sessions = new Set<ServerHttp2Session>();
  let leaving = false;
  let closing = false;
  const isIdle = (socket: Socket) => http1Answers.get(socket) === undefined;
  return {
    addSocket(socket) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    },
    addHttp1(socket) {
      http1Answers.set(socket, undefined);
      socket.once("close", () => http1Answers.delete(socket));
    },
    removeHttp1: (socket) => void http1Answers.delete(socket),
    addSession(session) {
      sessions.add(session);
      session.once("close", () => sessions.delete(session));
      if (closing) void closeSession(session);
    },
    addRequest(req, res) {
      if ("stream" in req) {
        if (leaving && !closing) leaveSession(req.stream.session);
        return;
      }
      const { socket } = req;
      http1Answers.set(socket, res);
      if (closing) endWith(res, socket, isIdle);
      else if (leaving) refuseNext(res);
      res.once("close", () => {
        if (http1Answers.get(socket) === res) http1Answers.set(socket, undefined);
      });
    },
    leave() {
      leaving = true;
      for (const res of http1Answers.values()) if (res !== undefined) refuseNext(res);
    },
    async close(server, graceMs) {
      if (closing) return;
      closing = true;
      const closed = once(server, "close");
      for (const session of sessions) void closeSession(session);
      for (const [socket, res] of http1Answers) {
        if (res !== undefined) endWith(res, socket, isIdle);
      }
      const lingering = setTimeout(async () => {
        await untilRead();
        for (const [socket, res] of http1Answers) if (res === undefined) socket.destroy();
      }, lingerMs);
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy();
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      // Closing the listener resets what the kernel has connected for it and the process has not accepted yet.
      await untilRead();
      server.close();
      await closed;
      clearTimeout(timer);
      clearTimeout(lingering);
    },
  };
}

// Waits until the process has seen what had arrived in the kernel before. The first turn of the event loop is the one that
// runs, and may have looked before; the second looks again.
async function untilRead(): Promise<void> {
  await nextTurn();
  await nextTurn();
}

// HTTP/1.1 cannot announce the end of an idle connection, and a request may be on its way: for so long it is still answered.
const lingerMs = 1_000;

// Also how long a drain takes at least: a client without calls may hang up on the first GOAWAY, and Node does not tell.
const pingMs = 500;
const slowestPingMs = 60_000;
const everyStream = 2 ** 31 - 1;

/**
 * Sends a GOAWAY that still admits every call, and the closing one after a round trip, when the client has seen the first
 * and sends no more: a call on its way in between is not lost (RFC 9113, 6.8). Waits for the client no longer than
 * `waitMs` milliseconds. Resolves when the second is sent.
 */
export async function closeSession(session: Http2Session, waitMs = pingMs): Promise<void> {
  if (session.destroyed || session.closed) return;
  session.goaway(constants.NGHTTP2_NO_ERROR, everyStream);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, waitMs);
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    session.once("close", done);
    session.ping(done);
  });
  if (!session.destroyed) session.close();
}

const left = new WeakSet<Http2Session>();

/**
 * Closes a session with a call that begins, ahead of its answer. At any other time a client may be about to send its next
 * call, and several give up a call that meets a GOAWAY on its way out.
 */
export function leaveSession(session: Http2Session | undefined): void {
  if (session === undefined || left.has(session)) return;
  left.add(session);
  // No hurry: it is closed anyway when the time to leave is over.
  void closeSession(session, slowestPingMs);
}

// By `Connection: close`, if the header has not gone.
function refuseNext(res: HttpResponse): void {
  if ("shouldKeepAlive" in res && !res.headersSent) res.shouldKeepAlive = false;
}

// By `Connection: close`. Where the header has gone without it, the client may send its next call before the answer's end
// is told here: that one is still answered, as on an idle connection.
function endWith(res: HttpResponse, socket: Socket, isIdle: (socket: Socket) => boolean): void {
  const promised = res.headersSent;
  refuseNext(res);
  res.once("close", () => {
    if (!promised) socket.destroySoon();
    else setTimeout(() => untilRead().then(() => isIdle(socket) && socket.destroySoon()), lingerMs);
  });
}
