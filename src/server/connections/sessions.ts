import type { ServerHttp2Session } from "node:http2";

/** Ends a session whose client has not shown in `ms` milliseconds that it speaks HTTP/2. */
export function limitPreface(session: ServerHttp2Session, ms: number): void {
  // Its settings are the first thing that a client sends, right behind the preface.
  const timer = setTimeout(() => session.destroy(), ms);
  const stop = () => clearTimeout(timer);
  session.once("remoteSettings", stop);
  session.once("close", stop);
}
