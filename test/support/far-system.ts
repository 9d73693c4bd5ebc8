import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** A system of somebody else, on a port of its own. */
export interface FarSystem extends AsyncDisposable {
  readonly url: string;
  /** The requests it received, in order. */
  readonly received: { readonly path: string; readonly headers: IncomingHttpHeaders; readonly body: string }[];
  /** How it behaves from now on. */
  behave(answer: RequestListener): void;
}

/** Starts a system that answers as it is told. */
export async function startFarSystem(answer: RequestListener): Promise<FarSystem> {
  const received: FarSystem["received"] = [];
  let present = answer;
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    received.push({ path: req.url ?? "", headers: req.headers, body: Buffer.concat(chunks).toString() });
    present(req, res);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    behave: (next) => {
      present = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Answers with JSON. */
export function json(body: unknown, status = 200): RequestListener {
  return (_, res) => {
    res.writeHead(status, { "content-type": "application/json" });
    res.end(JSON.stringify(body));
  };
}
