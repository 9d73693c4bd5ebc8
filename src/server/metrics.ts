import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecure } from "node:https";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import type { RunningServer } from "./connections/drain.js";
import type { Certificate } from "./http/sockets.js";

export interface MetricsServerOptions {
  readonly registry: Registry;
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Absent for clear text. */
  readonly tls?: Certificate | undefined;
}

/**
 * Serves `GET /metrics` on a port of its own, because it asks for no credential: whoever reaches the public port does not
 * reach this one. Rejects if the port cannot be bound.
 */
export async function startMetricsServer({ registry, host, port, tls }: MetricsServerOptions): Promise<RunningServer> {
  const answer: RequestListener = async (req, res) => {
    const isMetrics = req.method === "GET" && req.url?.split("?", 1)[0] === "/metrics";
    const text = isMetrics ? await registry.metrics() : "There is nothing at this address.\n";
    const type = isMetrics ? registry.contentType : "text/plain; charset=utf-8";
    res.writeHead(isMetrics ? 200 : 404, { "content-type": type }).end(text);
  };
  const server = tls === undefined ? createServer(answer) : createSecure(tls, answer);
  server.listen(port, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    leave() {},
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
