// The connections of the public port, and which of them have to go:
//
//  1. Every connection takes a place when it is accepted.
//  2. A call begins and ends at the place of its connection. The first that is authenticated gives the place its standing.
//  3. Beyond the limit, the network that holds the most places loses one: that with the least standing, of equals the oldest.
//  4. An HTTP/2 session without calls ends after its idle time, which is short until it has shown a valid credential.
//  5. An HTTP/2 session without calls that sends something must answer a ping. Nothing else tells of a header that never
//     ends: before its end the client may send no other frame.
import type { Http2Session, ServerHttp2Session } from "node:http2";
import type { Server, Socket } from "node:net";
import { networkOf } from "../../formats/client-address.js";
import type { HttpRequest } from "../http/requests.js";
import type { Limits } from "./limits.js";
import { firm, Place } from "./place.js";

/** The places of a listener. */
export interface Places {
  addSocket(socket: Socket): void;
  /** A TLS socket has the place of the socket beneath it. */
  addSecure(socket: Socket): void;
  /** A session has the place of its socket. */
  addSession(session: ServerHttp2Session): void;
  /** The place of a request's connection; undefined once it is lost. */
  of(req: HttpRequest): Place | undefined;
  /** Looks after a server until it is closed. */
  watch(server: Server): void;
}

/** Makes the places of a listener. */
export function createPlaces(limits: Limits): Places {
  const byPeer = new Map<string, Place>();
  const byNetwork = new Map<string, Set<Place>>();
  const byConnection = new WeakMap<Http2Session | Socket, Place>();
  return {
    addSocket(socket) {
      const peer = peerOf(socket);
      const place = new Place(socket, networkOf(socket.remoteAddress ?? ""));
      byPeer.set(peer, place);
      byConnection.set(socket, place);
      const neighbours = byNetwork.get(place.network) ?? new Set();
      byNetwork.set(place.network, neighbours.add(place));
      socket.once("close", () => remove(place, peer));
      if (byPeer.size <= limits.connections) return;
      const last = leastOf(byNetwork) ?? place;
      remove(last, peerOf(last.socket));
      last.socket.destroy();
    },
    addSecure(socket) {
      const place = byPeer.get(peerOf(socket));
      if (place !== undefined) byConnection.set(socket, place);
    },
    addSession(session) {
      const place = byPeer.get(peerOf(session.socket));
      if (place === undefined) return;
      place.session = session;
      byConnection.set(session, place);
    },
    of(req) {
      const connection = "stream" in req ? req.stream.session : req.socket;
      return connection && byConnection.get(connection);
    },
    watch(server) {
      const { idleMs, firstCallMs, headersMs } = limits;
      const timer = setInterval(
        () => {
          for (const place of byPeer.values()) look(place, limits);
        },
        Math.min(longestLookMs, idleMs / 4, firstCallMs / 4, headersMs / 4),
      );
      timer.unref();
      server.once("close", () => clearInterval(timer));
    },
  };

  function remove(place: Place, peer: string): void {
    if (byPeer.get(peer) === place) byPeer.delete(peer);
    const neighbours = byNetwork.get(place.network);
    neighbours?.delete(place);
    if (neighbours?.size === 0) byNetwork.delete(place.network);
  }
}

const longestLookMs = 1_000;

// Unique among the open connections of a listener.
function peerOf({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string {
  return `${remoteAddress} ${remotePort}`;
}

function leastOf(byNetwork: ReadonlyMap<string, ReadonlySet<Place>>): Place | undefined {
  let most = 0;
  for (const places of byNetwork.values()) most = Math.max(most, places.size);
  let least: Place | undefined;
  let lowest = firm;
  for (const places of byNetwork.values()) {
    if (places.size < most) continue;
    for (const place of places) {
      const { standing } = place;
      if (standing === 0) return place;
      if (standing < lowest) {
        least = place;
        lowest = standing;
      }
    }
  }
  return least;
}

function look(place: Place, { idleMs, firstCallMs, headersMs }: Limits): void {
  const { session, socket, pingTime } = place;
  if (session === undefined || session.destroyed || session.closed) return;
  const now = performance.now();
  if (!place.isIdle) {
    place.pingTime = undefined;
    place.bytesSeen = socket.bytesRead;
  } else if (now - place.idleSince > (place.isAuthenticated ? idleMs : Math.min(firstCallMs, idleMs))) {
    session.close();
  } else if (pingTime !== undefined) {
    if (now - pingTime > headersMs) session.destroy();
  } else if (socket.bytesRead !== place.bytesSeen) {
    place.pingTime = now;
    session.ping(() => {
      place.pingTime = undefined;
      place.bytesSeen = socket.bytesRead;
    });
  }
}
