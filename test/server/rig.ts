import { once } from "node:events";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ConnectError,
  type ConnectRouter,
  createClient,
  type HandlerContext,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { pino } from "pino";
import { Registry } from "prom-client";
import {
  CustomerService,
  GetCustomerRequestSchema,
  GetCustomerResponseSchema,
} from "../../gen/clientele/v1/customers_pb.js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { Health } from "../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { recordKey } from "../../src/rpc/calls/call-record.js";
import { reasonOf, refused } from "../../src/rpc/errors.js";
import { type GrpcServerOptions, startGrpcServer } from "../../src/server/grpc/server.js";
import { createReadiness, healthService } from "../../src/server/health.js";
import { type HttpServerOptions, startHttpServer } from "../../src/server/http/server.js";
import { startMetricsServer } from "../../src/server/metrics.js";
import { createObserver } from "../../src/server/observe.js";
import { reflectionServices } from "../../src/server/reflection.js";
import { Echo } from "./echo.js";

export const name = "Zoë 100% a:b / ☕";
export const refusal = "Größe: 100% of “all” is too much / ☕";

export interface LogLine {
  readonly method: string;
  readonly protocol: string;
  readonly code: string;
  readonly reason?: string;
  readonly traceId: string;
  readonly level: number;
}

/** Both listeners, serving one tiny implementation; `gate` holds calls for `cus_gate` back, `aborted` hears of the cancelled. */
export async function startRig(http: Partial<HttpServerOptions> = {}, internal: Partial<GrpcServerOptions> = {}) {
  const lines: LogLine[] = [];
  const listeners = new Set<() => void>();
  const write = (text: string) => {
    lines.push(JSON.parse(text));
    for (const listener of listeners) listener();
  };
  const registry = new Registry();
  const observe = createObserver({ logger: pino({ level: "debug" }, { write }), registry });
  const readiness = createReadiness();
  readiness.set(true);
  const gate = deferred<void>();
  const aborted = deferred<string>();
  const seen: Headers[] = [];
  const begun = new Set<string>();
  let waiting = 0;
  const gated = new EventTarget();

  const routes = (router: ConnectRouter) => {
    const services = [CustomerService, Health, ServerReflection, ServerReflectionV1Alpha, Echo];
    const reflection = reflectionServices(services);
    router.service(CustomerService, { getCustomer: async ({ id }, ctx) => ({ customer: await customer(id, ctx) }) });
    router.service(
      Health,
      healthService(
        readiness,
        services.map((service) => service.typeName),
      ),
    );
    router.service(ServerReflection, reflection.v1);
    router.service(ServerReflectionV1Alpha, reflection.v1alpha);
    router.service(Echo, {
      unary: (request: object) => request,
      async *serverStream(request: object) {
        yield request;
        yield request;
      },
      async clientStream(requests: AsyncIterable<{ value: string }>) {
        let value = "";
        for await (const request of requests) value += request.value;
        return { value };
      },
      async *bidi(requests: AsyncIterable<object>) {
        yield* requests;
      },
    } as never);
  };

  async function customer(id: string, ctx: HandlerContext) {
    seen.push(ctx.requestHeader);
    begun.add(id);
    gated.dispatchEvent(new Event("call"));
    if (id === "cus_refused") throw refused("CUSTOMER_DISABLED", refusal);
    if (id === "cus_boom") throw new Error("SELECT secret FROM keys");
    if (id === "cus_slow") {
      await once(ctx.signal, "abort");
      aborted.resolve(ctx.signal.reason instanceof Error ? ctx.signal.reason.message : "");
      throw ctx.signal.reason;
    }
    if (id === "cus_gate") {
      waiting += 1;
      gated.dispatchEvent(new Event("call"));
      await gate.promise;
    }
    ctx.responseHeader.set("idempotency-replayed", "true");
    ctx.responseTrailer.set("x-trailer", "last");
    ctx.responseTrailer.set("x-data-bin", Buffer.from([0, 255, 1]).toString("base64"));
    return { id, name };
  }

  const interceptor: Interceptor = (next) => async (req) => {
    const record = req.contextValues.get(recordKey);
    if (record !== undefined) record.tenantId = "acc_1";
    return await next(req);
  };
  const shared = {
    routes,
    interceptors: { onHeader: [], onMessage: [interceptor] },
    host: "127.0.0.1",
    port: 0,
    observe,
  };
  const publicPort = await startHttpServer({ ...shared, allowedOrigins: [], readiness, ...http });
  const internalPort = await startGrpcServer({ ...shared, ...internal });
  const metrics = await startMetricsServer({ source: registry, host: "127.0.0.1", port: 0 });
  return {
    publicPort,
    internalPort,
    readiness,
    registry,
    lines,
    seen,
    gate,
    aborted: aborted.promise,
    metricsUrl: `http://127.0.0.1:${metrics.port}/metrics`,
    url: (path = "") => `http://127.0.0.1:${publicPort.port}${path}`,
    /** Resolves when that many calls wait at the gate. */
    async atGate(count: number) {
      while (waiting < count) await once(gated, "call");
    },
    /** Resolves when a call for that id has reached the implementation. */
    async started(id: string) {
      while (!begun.has(id)) await once(gated, "call");
    },
    /** Resolves with the first access log line that fits. */
    async line(fits: (line: LogLine) => boolean): Promise<LogLine> {
      while (true) {
        const found = lines.find(fits);
        if (found !== undefined) return found;
        await new Promise<void>((resolve) => listeners.add(resolve));
      }
    },
    async [Symbol.asyncDispose]() {
      gate.resolve();
      await Promise.all([publicPort.close(0), internalPort.close(0), metrics.close(0)]);
    },
  };
}

export type Rig = Awaited<ReturnType<typeof startRig>>;

/** What a client learns of a failed call, in whichever protocol. */
export interface Failure {
  readonly code: number;
  readonly message: string;
  readonly reason: string | undefined;
}

/** Every way to speak to the two ports. */
export const wires: { name: string; transport: (rig: Rig) => Transport }[] = [
  {
    name: "Connect JSON over HTTP/1.1",
    transport: (rig) => createConnectTransport({ baseUrl: rig.url(), httpVersion: "1.1" }),
  },
  {
    name: "Connect binary over HTTP/1.1",
    transport: (rig) => createConnectTransport({ baseUrl: rig.url(), httpVersion: "1.1", useBinaryFormat: true }),
  },
  {
    name: "Connect GET over HTTP/1.1",
    transport: (rig) => createConnectTransport({ baseUrl: rig.url(), httpVersion: "1.1", useHttpGet: true }),
  },
  {
    name: "Connect binary over HTTP/2",
    transport: (rig) => createConnectTransport({ baseUrl: rig.url(), httpVersion: "2", useBinaryFormat: true }),
  },
  {
    name: "gRPC-Web over HTTP/1.1",
    transport: (rig) => createGrpcWebTransport({ baseUrl: rig.url(), httpVersion: "1.1" }),
  },
  {
    name: "gRPC-Web over HTTP/2",
    transport: (rig) => createGrpcWebTransport({ baseUrl: rig.url(), httpVersion: "2" }),
  },
  { name: "gRPC of Connect, public port", transport: (rig) => createGrpcTransport({ baseUrl: rig.url() }) },
  {
    name: "gRPC of Connect, internal port",
    transport: (rig) => createGrpcTransport({ baseUrl: `http://127.0.0.1:${rig.internalPort.port}` }),
  },
];

export function customers(transport: Transport) {
  return createClient(CustomerService, transport);
}

/** A failed call as a ConnectError tells it. */
export async function failureOf(call: Promise<unknown>): Promise<Failure> {
  const error = (await call.then(
    () => expectFailure(),
    (thrown: unknown) => thrown,
  )) as ConnectError;
  return { code: error.code, message: error.rawMessage, reason: reasonOf(error) };
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function expectFailure(): never {
  throw new Error("The call did not fail.");
}

export const getCustomerPath = "/clientele.v1.CustomerService/GetCustomer";

/** A call of grpc-js: the answer with what came around it, or the failure. */
export async function grpcJs(port: number, id: string | Buffer, options: GrpcJsOptions = {}) {
  const client = new grpc.Client(`127.0.0.1:${port}`, options.credentials ?? grpc.credentials.createInsecure(), {
    "grpc.default_compression_algorithm": options.gzip ? 2 : 0,
    ...options.channel,
  });
  const request =
    typeof id === "string" ? toBinary(GetCustomerRequestSchema, create(GetCustomerRequestSchema, { id })) : id;
  let header = new grpc.Metadata();
  let trailer = new grpc.Metadata();
  try {
    return await new Promise<{ id: string; name: string; header: grpc.Metadata; trailer: grpc.Metadata }>(
      (resolve, reject) => {
        const call = client.makeUnaryRequest(
          options.path ?? getCustomerPath,
          (bytes: Uint8Array) => Buffer.from(bytes),
          (bytes) => fromBinary(GetCustomerResponseSchema, bytes),
          request,
          options.metadata ?? new grpc.Metadata(),
          options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs },
          (error, answer) => {
            if (error !== null) return reject(grpcJsFailure(error));
            const { id = "", name = "" } = answer?.customer ?? {};
            call.on("status", (status) => {
              trailer = status.metadata;
              resolve({ id, name, header, trailer });
            });
          },
        );
        call.on("metadata", (metadata) => {
          header = metadata;
        });
        options.started?.(call);
      },
    );
  } finally {
    client.close();
  }
}

export interface GrpcJsOptions {
  readonly path?: string;
  readonly gzip?: boolean;
  readonly deadlineMs?: number;
  readonly metadata?: grpc.Metadata;
  readonly channel?: grpc.ChannelOptions;
  readonly credentials?: grpc.ChannelCredentials;
  readonly started?: (call: grpc.ClientUnaryCall) => void;
}

function grpcJsFailure(error: grpc.ServiceError): Failure {
  const [details] = error.metadata.get("grpc-status-details-bin");
  const reason = Buffer.isBuffer(details) ? errorInfoIn(details) : undefined;
  return { code: error.code, message: error.details, reason };
}

// google.rpc.Status is not generated; an ErrorInfo is the value of its first Any.
function errorInfoIn(status: Buffer): string | undefined {
  const url = `type.googleapis.com/${ErrorInfoSchema.typeName}`;
  const at = status.indexOf(url) + url.length;
  const length = status[at + 1] ?? 0;
  return fromBinary(ErrorInfoSchema, status.subarray(at + 2, at + 2 + length)).reason;
}
