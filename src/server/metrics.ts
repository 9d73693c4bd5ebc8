import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecure } from "node:https";
import type { AddressInfo } from "node:net";
import { AggregatorRegistry, type Registry } from "prom-client";
import type { Config } from "../config.js";
import type { Logger } from "../rpc/log.js";
import type { RunningServer } from "./connections/drain.js";
import type { Certificate } from "./http/sockets.js";

/** The metrics as a text, with their content type. */
interface Metrics {
  readonly contentType: string;
  metrics(): Promise<string>;
}

const usualPort = 9464;

/**
 * Serves `GET /metrics` on a port of its own, because it asks for no credential: whoever reaches the public port does not
 * reach this one. Rejects if the port that is set cannot be bound. Undefined if none is set and the usual one is taken,
 * so that a second process on the machine starts without a setting.
 */
export async function startMetrics(
  source: Metrics,
  { host, metricsPort }: Pick<Config, "host" | "metricsPort">,
  logger: Logger,
  tls: Certificate | undefined,
): Promise<RunningServer | undefined> {
  try {
    return await startMetricsServer({ source, host, port: metricsPort ?? usualPort, tls });
  } catch (error) {
    if (metricsPort !== undefined || Object(error).code !== "EADDRINUSE") throw error;
    const message = `no metrics: port ${usualPort} is in use; CLIENTELE_METRICS_PORT names another`;
    logger.warn({ event: "metrics" }, message);
    return undefined;
  }
}

/** Lets the primary of a cluster ask this worker for its metrics. */
export function shareMetrics(registry: Registry): undefined {
  new AggregatorRegistry();
  AggregatorRegistry.setRegistries(registry);
}

/** The metrics of all workers together, in the primary of a cluster. */
export function sharedMetrics(): Metrics {
  const registry = new AggregatorRegistry();
  return { contentType: registry.contentType, metrics: () => registry.clusterMetrics() };
}

export interface MetricsServerOptions {
  readonly source: Metrics;
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Absent for clear text. */
  readonly tls?: Certificate | undefined;
}

/** Rejects if the port cannot be bound. */
export async function startMetricsServer({ source, host, port, tls }: MetricsServerOptions): Promise<RunningServer> {
  const answer: RequestListener = async (req, res) => {
    const isMetrics = req.method === "GET" && req.url?.split("?", 1)[0] === "/metrics";
    const text = isMetrics ? await source.metrics() : "There is nothing at this address.\n";
    const type = isMetrics ? source.contentType : "text/plain; charset=utf-8";
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
