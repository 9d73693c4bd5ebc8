import { EventEmitter, once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** One request that a receiver got. */
export interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A merchant's server that events are posted to. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly received: readonly Received[];
  /** Decides what it answers from now on: a status, or whatever is done with the response. */
  answer(by: number | ((res: ServerResponse) => void)): void;
  /** Resolves when it has got so many requests. */
  got(count: number): Promise<void>;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const arrivals = new EventEmitter();
  let by: number | ((res: ServerResponse) => void) = 200;
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    received.push({ headers: req.headers, body: Buffer.concat(chunks).toString() });
    if (typeof by === "number") res.writeHead(by).end();
    else by(res);
    arrivals.emit("arrival");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`,
    received,
    answer(next) {
      by = next;
    },
    async got(count) {
      while (received.length < count) await once(arrivals, "arrival");
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
