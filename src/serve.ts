import cluster from "node:cluster";
import { readFile } from "node:fs/promises";
import type { ConnectRouter } from "@connectrpc/connect";
import { Registry } from "prom-client";
import { Health } from "../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { accessOf, subjectName } from "./access.js";
import type { Config } from "./config.js";
import { watchDatabase } from "./db/probe.js";
import { buildDeps, type Deps, type Overrides } from "./deps.js";
import { createClientAddress } from "./formats/client-address.js";
import { startJobs } from "./jobs.js";
import { photoPage } from "./resources/photos/page.js";
import { createRoutes, services, uploads } from "./routes.js";
import { createInterceptors } from "./rpc/calls/interceptors.js";
import { drain, leave, type RunningServer } from "./server/connections/drain.js";
import { startGrpcServer } from "./server/grpc/server.js";
import { createReadiness, healthService } from "./server/health.js";
import { startHttpServer } from "./server/http/server.js";
import type { Certificate } from "./server/http/sockets.js";
import { shareMetrics, startMetrics } from "./server/metrics.js";
import { createObserver } from "./server/observe.js";
import { reflectionServices } from "./server/reflection.js";
import { createBodyBudget } from "./server/unary/body-budget.js";

/** Where a service answers. */
export interface Ports {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Undefined without metrics: the usual port is taken, or another process answers for this one. */
  readonly metricsPort: number | undefined;
}

/** A service at work on a database. */
export interface Service extends Ports {
  /**
   * Takes it out of service without failing a call in flight. For `leaveMs` milliseconds before, it still takes calls
   * and tells its clients to go elsewhere; not at all unless given.
   */
  stop(leaveMs?: number): Promise<void>;
}

/**
 * Starts the listeners on a migrated database. Rejects if a port is taken or a certificate cannot be read, and leaves
 * nothing behind then.
 */
export async function serve(config: Config, databaseUrl: string, overrides: Overrides = {}): Promise<Service> {
  const { deps, close } = await buildDeps(config, databaseUrl, overrides);
  const listeners: RunningServer[] = [];
  try {
    return await start(config, databaseUrl, deps, listeners, close);
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close(0)));
    await close();
    throw error;
  }
}

// Adds each started listener to `listeners`.
async function start(
  config: Config,
  databaseUrl: string,
  deps: Deps,
  listeners: RunningServer[],
  close: () => Promise<void>,
): Promise<Service> {
  const readiness = createReadiness();
  const registry = new Registry();
  const observe = createObserver({ logger: deps.logger, registry });
  let { httpPort } = config;
  const publicUrl = () => config.publicUrl ?? urlOf(config, httpPort);
  const authenticate = { key: deps.keyring.authenticate, token: deps.tokens.authenticate };
  const { announce } = deps.eventFeed;
  const ofTenant = async (tenantId: string) => (await deps.settings.read(deps.db, tenantId)).settings.allowedOrigins;
  const origins = { ofDeployment: config.allowedOrigins, ofTenant };
  const interceptors = createInterceptors({
    ...deps,
    publicUrl,
    authenticate,
    accessOf,
    subjectName,
    origins,
    announce,
  });
  const reflection = reflectionServices([...services, Health]);
  const names = services.map((service) => service.typeName);
  const ours = createRoutes(deps);
  const routes = (router: ConnectRouter) => {
    ours(router);
    router.service(Health, healthService(readiness, names));
    router.service(ServerReflection, reflection.v1);
    router.service(ServerReflectionV1Alpha, reflection.v1alpha);
  };
  const tls = await readCertificate(config);
  const clientCa = config.grpcClientCaFile === undefined ? undefined : await readFile(config.grpcClientCaFile);
  const { host, allowedOrigins } = config;
  const clientAddress = createClientAddress(config.trustedProxies);
  const bodies = createBodyBudget(config.bodyBytes);
  const common = { routes, interceptors, host, tls, observe, clientAddress, bodies };
  const limits = { connections: config.connections };
  const pages = { limits, uploads, extraHandler: photoPage(deps, observe) };
  const http = await startHttpServer({ ...common, ...pages, port: httpPort, allowedOrigins, readiness });
  listeners.push(http);
  httpPort = http.port;
  const grpc = await startGrpcServer({ ...common, port: config.grpcPort, clientCa });
  listeners.push(grpc);
  // The primary answers for its workers.
  const metrics = cluster.isWorker ? shareMetrics(registry) : await startMetrics(registry, config, deps.logger, tls);
  if (metrics !== undefined) listeners.push(metrics);
  const jobs = config.jobs ? await startJobs(deps, databaseUrl) : undefined;
  readiness.set(true);
  const probe = watchDatabase(databaseUrl, (writable) => {
    readiness.set(writable);
    deps.logger.warn(
      { event: "database" },
      writable ? "the database takes writes again" : "the database takes no writes",
    );
  });
  return {
    httpPort: http.port,
    grpcPort: grpc.port,
    metricsPort: metrics?.port,
    stop: async (leaveMs = 0) => {
      if (leaveMs > 0) await leave([http, grpc], readiness, leaveMs);
      // Watches never end by themselves; their clients reconnect elsewhere.
      deps.eventFeed.close();
      await Promise.all([drain([http, grpc], readiness, config.drainMs), jobs?.stop()]);
      await Promise.all([metrics?.close(0), probe.close(), close()]);
    },
  };
}

/** The certificate of the listeners; undefined for clear text. Rejects if it cannot be read. */
export async function readCertificate({ tls }: Config): Promise<Certificate | undefined> {
  return tls && { cert: await readFile(tls.certFile), key: await readFile(tls.keyFile) };
}

// Correct on the same machine only; a deployment sets CLIENTELE_PUBLIC_URL.
function urlOf({ host, tls }: Config, port: number): string {
  return `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
