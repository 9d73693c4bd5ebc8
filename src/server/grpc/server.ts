import type { ConnectRouter } from "@connectrpc/connect";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { type ClientAddress, createClientAddress } from "../../formats/client-address.js";
import type { Interceptors } from "../../rpc/calls/unary.js";
import type { RunningServer } from "../connections/drain.js";
import { defaultLimits, type Limits } from "../connections/limits.js";
import type { Certificate } from "../http/sockets.js";
import type { Observer } from "../observe.js";
import { type BodyBudget, createBodyBudget } from "../unary/body-budget.js";
import { specsOf, unaryMethodsOf } from "../unary/methods.js";
import { registerStreams } from "./calls.js";
import { watchStreams } from "./streams.js";

export interface GrpcServerOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: Interceptors;
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  /** Absent for clear text. */
  readonly tls?: Certificate | undefined;
  /** With TLS: the authority, in PEM, that must have signed the client's certificate. Absent to ask for none. */
  readonly clientCa?: Buffer | undefined;
  readonly observe: Observer;
  /** Where calls come from; by the peer alone unless given. */
  readonly clientAddress?: ClientAddress;
  readonly limits?: Partial<Limits>;
  /** The budget of the process; one of its own unless given. */
  readonly bodies?: BodyBudget;
}

const keepaliveMs = 60_000;
const keepaliveTimeoutMs = 20_000;

/**
 * Starts the internal port: gRPC only. Unary calls are answered on their HTTP/2 streams, the others by grpc-js. It serves
 * the same implementations through the same interceptors as the public port. Rejects if the port cannot be bound.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<RunningServer> {
  const { routes, interceptors, observe, tls, clientCa } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const specs = specsOf(routes, limits.readMaxBytes);
  const unary = unaryMethodsOf(specs, interceptors);
  const clientAddress = options.clientAddress ?? createClientAddress();
  const bodies = options.bodies ?? createBodyBudget(limits.bodyBytes);
  const streams = watchStreams({ unary, observe, limits, bodies, clientAddress });
  const server = new Server({
    "grpc.max_receive_message_length": limits.readMaxBytes,
    "grpc.max_send_message_length": limits.writeMaxBytes,
    "grpc.max_concurrent_streams": limits.streamsPerSession,
    "grpc.max_connection_idle_ms": limits.idleMs,
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    "grpc.enable_channelz": 0,
    interceptors: [streams.interceptor],
  });
  const methods = registerStreams(server, specs, interceptors, observe);
  const port = await bind(server, `${options.host}:${options.port}`, credentials(tls, clientCa));
  const sessions = streams.attach(server, methods);
  return { port, leave: sessions.leave, close: (graceMs) => close(server, sessions, graceMs) };
}

function credentials(tls: Certificate | undefined, clientCa: Buffer | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const pairs = [{ cert_chain: tls.cert, private_key: tls.key }];
  return ServerCredentials.createSsl(clientCa ?? null, pairs, clientCa !== undefined);
}

async function bind(server: Server, address: string, by: ServerCredentials): Promise<number> {
  return await new Promise((resolve, reject) => {
    server.bindAsync(address, by, (error, port) => (error === null ? resolve(port) : reject(error)));
  });
}

async function close(
  server: Server,
  sessions: { close(): Promise<void>; destroy(): void },
  graceMs: number,
): Promise<void> {
  const timer = setTimeout(sessions.destroy, graceMs);
  await sessions.close();
  // Nothing is left to shut down but timers. tryShutdown would wait for ever for a session that is already destroyed.
  server.forceShutdown();
  clearTimeout(timer);
}
