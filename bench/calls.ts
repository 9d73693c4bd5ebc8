import { availableParallelism, cpus } from "node:os";
import type { Target } from "./clients.js";
import { type Database, startDatabase } from "./database.js";
import type { Job, Measure } from "./load.js";
import { startFloor, startLoad, startService } from "./processes.js";
import { type Call, pageSize } from "./requests.js";
import { medianOf, type Row, table } from "./table.js";

export interface CallsOptions {
  readonly rows: number;
  readonly connections: number;
  readonly concurrency: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly rounds: number;
  readonly only: readonly Call[];
  readonly on: readonly (keyof typeof ports)[];
  readonly cpuProf?: string;
}

/** The ways in, by what `--on` calls them. */
export const ports = {
  internal: "internal gRPC",
  public: "public gRPC",
  json: "Connect JSON",
} as const;

const poolSize = 10;
// Connections that were idle, or are new, need a moment; not counted.
const settleMs = 200;

/** Measures customers' calls on every port beside the floor of the port. */
export async function benchCalls(options: CallsOptions): Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  const interrupt = () => void stopAll().finally(() => process.exit(130));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const database = await startDatabase(options.rows);
    stops.push(database.stop);
    await measureAll(database, options, stops);
  } finally {
    await stopAll();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function measureAll(database: Database, options: CallsOptions, stops: (() => Promise<void>)[]): Promise<void> {
  const { url, folder, seeded, growing, postmasterPid } = database;
  const service = await startService({ url, poolSize, folder, cpuProf: options.cpuProf });
  stops.push(service.stop);
  const floor = { url, poolSize, seededTenant: seeded.tenantId, growingTenant: growing.tenantId };
  const floorGrpc = await startFloor("floor-grpc.ts", floor);
  stops.push(floorGrpc.stop);
  const floorHttp = await startFloor("floor-http.ts", floor);
  stops.push(floorHttp.stop);
  const load = startLoad();
  stops.push(load.stop);

  const { rows, connections, concurrency } = options;
  const sides: Record<keyof typeof ports, { protocol: Target["protocol"]; port: number; floor: typeof floorGrpc }> = {
    internal: { protocol: "grpc", port: service.grpcPort, floor: floorGrpc },
    public: { protocol: "grpc", port: service.httpPort, floor: floorGrpc },
    json: { protocol: "json", port: service.httpPort, floor: floorHttp },
  };
  const clientCpu: number[] = [];
  for (const on of options.on) {
    const { protocol, port, floor } = sides[on];
    const measured: Row[] = [];
    for (const call of options.only) {
      const { key } = call === "CreateCustomer" ? growing : seeded;
      const common = { protocol, key, connections, concurrency, call, rows, postmasterPid };
      const row = await measureRow(
        (job) => load.run({ ...common, ...job, port, serverPid: service.pid }),
        (job) => load.run({ ...common, ...job, port: floor.port, serverPid: floor.pid }),
        options,
      ).catch((error) => {
        throw new Error(`${ports[on]}: ${error.message}\nThe service said last:\n${service.lastWords()}`);
      });
      measured.push({ call, ...row });
      clientCpu.push(row.service.clientCpu, row.floor.clientCpu);
    }
    print(`${table(ports[on], measured)}\n`);
  }
  print(notes(database, options, clientCpu));
}

type Times = Pick<Job, "warmupMs" | "measureMs">;

// In turn, so that a drift of the machine meets both sides alike.
async function measureRow(
  runService: (times: Times) => Promise<Measure>,
  runFloor: (times: Times) => Promise<Measure>,
  { rounds, seconds, warmup }: CallsOptions,
) {
  const service: Measure[] = [];
  const floor: Measure[] = [];
  for (let round = 0; round < rounds; round++) {
    const times = { warmupMs: round === 0 ? warmup * 1000 : settleMs, measureMs: seconds * 1000 };
    service.push(await runService(times));
    floor.push(await runFloor(times));
  }
  return { service: medianOf(service), floor: medianOf(floor) };
}

function notes({ settings }: Database, options: CallsOptions, clientCpu: readonly number[]): string {
  const { rows, connections, concurrency, rounds, seconds } = options;
  const micros = `${Math.min(...clientCpu).toFixed(0)} to ${Math.max(...clientCpu).toFixed(0)} µs`;
  return `Closed loop, ${concurrency} calls in flight, gRPC on ${connections} connections, HTTP/1.1 on one per call, ${rows} customers, lists of the
first ${pageSize}. Medians of ${rounds} runs of ${seconds} s, service and floor in turn. Every answer was checked.
Floor: a bare grpc-js server, or a bare node:http one, with one prepared statement of pg a call, on the same table and a
pool of the same size (${poolSize}). It does not authenticate, validate, log, count, write an event or open a transaction.
Server CPU is that of its process, user and system, from /proc/<pid>/stat; Postgres CPU that of all its processes.
Machine: ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"}), Node ${process.version}. Client, server and Postgres share them, so
requests/s is what all three leave each other, and the ratio of CPU tells more. The client takes ${micros} a request.
Postgres: ${settings}.${options.cpuProf === undefined ? "" : "\nThe service was profiled, which slows it down: do not compare."}`;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
