import { type ChildProcess, fork, type Serializable, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { FloorSettings } from "./floor-store.js";
import type { Job, Measure, Report } from "./load.js";

const startMs = 20_000;

/** A server in a process of its own. */
export interface ServerProcess {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ServiceOptions {
  readonly url: string;
  readonly poolSize: number;
  /** Where its log goes. */
  readonly folder: string;
  /** Where its CPU profile goes; undefined for none. */
  readonly cpuProf: string | undefined;
}

/** Starts the built service as an operator would, on free ports. Its access log goes to a file. */
export async function startService({ url, poolSize, folder, cpuProf }: ServiceOptions) {
  const logFile = join(folder, "service.log");
  const log = openSync(logFile, "a");
  const profile = cpuProf === undefined ? [] : ["--cpu-prof", "--cpu-prof-dir", cpuProf];
  const child = spawn(process.execPath, [...profile, "dist/src/main.js", "serve"], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: url,
      CLIENTELE_HTTP_PORT: "0",
      CLIENTELE_GRPC_PORT: "0",
      CLIENTELE_METRICS_PORT: "0",
      CLIENTELE_POOL_SIZE: String(poolSize),
    },
    stdio: ["ignore", "pipe", log],
  });
  /** The last that it logged. */
  const lastWords = () => readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-5).join("\n");
  let said = "";
  const starting = started<{ httpPort: number; grpcPort: number }>("the service", child, (resolve) => {
    child.stdout?.on("data", (chunk) => {
      said += chunk;
      const [, http] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said) ?? [];
      const [, grpc] = /\s127\.0\.0\.1:(\d+)\s+gRPC, internal/.exec(said) ?? [];
      if (http !== undefined && grpc !== undefined) resolve({ httpPort: Number(http), grpcPort: Number(grpc) });
    });
  });
  const ports = await starting.catch((error) => {
    throw new Error(`${error.message}\n${lastWords()}`);
  });
  return { ...ports, lastWords, ...serverOf(child) };
}

/** Starts a floor server. `file` is its name in this folder. */
export async function startFloor(file: string, settings: FloorSettings) {
  const child = forkTs(file, [JSON.stringify(settings)]);
  const port = await started<number>(file, child, (resolve) => {
    child.once("message", (message: { port: number }) => resolve(message.port));
  });
  return { port, ...serverOf(child) };
}

/** Starts the load client. */
export function startLoad() {
  const child = forkTs("load.ts", []);
  return {
    /** Rejects if any call fails or is answered wrongly. */
    async run(job: Job): Promise<Measure> {
      const report = new Promise<Report>((resolve, reject) => {
        child.once("message", resolve);
        child.once("exit", (code) => reject(new Error(`the load client ended with ${code}`)));
      });
      child.send({ ...job } satisfies Serializable);
      const answer = await report.finally(() => child.removeAllListeners("message").removeAllListeners("exit"));
      if ("failure" in answer) throw new Error(answer.failure);
      return answer.measure;
    },
    stop: serverOf(child).stop,
  };
}

function forkTs(file: string, args: string[]): ChildProcess {
  return fork(join(import.meta.dirname, file), args, { execArgv: ["--import", "tsx"] });
}

async function started<T>(name: string, child: ChildProcess, listen: (resolve: (value: T) => void) => void) {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<T>((resolve, reject) => {
      listen(resolve);
      child.once("exit", (code) => reject(new Error(`${name} ended with ${code} instead of starting`)));
      timer = setTimeout(() => reject(new Error(`${name} did not start within ${startMs / 1000} s`)), startMs);
    });
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  } finally {
    clearTimeout(timer);
    child.removeAllListeners("exit");
  }
}

function serverOf(child: ChildProcess): ServerProcess {
  // Whatever happens to this process, it leaves none behind.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  return {
    pid: child.pid ?? 0,
    async stop() {
      process.off("exit", kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
    },
  };
}
