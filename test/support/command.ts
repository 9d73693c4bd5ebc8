import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How a command ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `clientele serve`. */
export interface Serving {
  readonly pid: number;
  readonly httpUrl: string;
  /** Host and port of the internal gRPC listener. */
  readonly grpcAddress: string;
  /** Undefined where the usual port of the metrics is taken. */
  readonly metricsUrl: string | undefined;
  /** The demo account's test key, as printed; undefined unless it is a first start. */
  readonly key: string | undefined;
  readonly welcome: string;
  /** Sends a signal and waits for the process to end. */
  end(signal: NodeJS.Signals): Promise<Ended>;
}

/** A data folder of its own, with the built command line on it. */
export interface Home extends AsyncDisposable {
  readonly dataDir: string;
  /** Starts a command. */
  start(args: readonly string[], environment?: Environment): Started;
  /** Runs a command to its end. */
  run(args: readonly string[], environment?: Environment): Promise<Ended>;
  /** Starts `serve` on free ports. Rejects if it ends before it serves. */
  serve(environment?: Environment): Promise<Serving>;
  /** The process id of the folder's Postgres; undefined when none runs. */
  postmaster(): number | undefined;
}

interface Started {
  readonly process: ChildProcess;
  readonly said: { readonly stdout: string; readonly stderr: string };
  readonly ended: Promise<Ended>;
}

type Environment = Readonly<Record<string, string>>;

/** Makes a folder. Disposing of it ends every process that was started on it. */
export async function createHome(): Promise<Home> {
  const dataDir = await mkdtemp(join(tmpdir(), "clientele-home-"));
  const children: ChildProcess[] = [];
  const start = (args: readonly string[], environment: Environment = {}) => {
    const env = { ...cleanEnvironment(), CLIENTELE_DATA_DIR: dataDir, ...anyPorts, ...environment };
    const child = startProcess([join(import.meta.dirname, "../../dist/src/main.js"), ...args], env);
    children.push(child.process);
    return child;
  };
  const postmaster = () => postmasterOf(dataDir);
  return {
    dataDir,
    postmaster,
    start,
    run: async (args, environment) => await start(args, environment).ended,
    async serve(environment) {
      const { process, said, ended } = start(["serve"], environment);
      while (!said.stdout.includes("Clientele serves") || !said.stdout.endsWith("\n")) {
        if (process.exitCode !== null) throw new Error(`serve ended: ${said.stderr}`);
        await sleep(20);
      }
      return {
        pid: process.pid!,
        httpUrl: /https?:\/\/\S+:\d+/.exec(said.stdout)![0],
        grpcAddress: /(\S+:\d+) {2}gRPC, internal/.exec(said.stdout)![1]!,
        metricsUrl: /(\S+\/metrics) {2}Prometheus/.exec(said.stdout)?.[1],
        key: /CLIENTELE_KEY=(\S+)/.exec(said.stdout)?.[1],
        welcome: said.stdout,
        async end(signal) {
          process.kill(signal);
          return await ended;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill("SIGKILL");
      const left = postmaster();
      if (left !== undefined) process.kill(left, "SIGQUIT");
      while (postmaster() !== undefined) await sleep(20);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

const anyPorts = {
  CLIENTELE_HTTP_PORT: "0",
  CLIENTELE_GRPC_PORT: "0",
  CLIENTELE_METRICS_PORT: "0",
  CLIENTELE_LOG_LEVEL: "warn",
  CLIENTELE_DRAIN_DELAY_SECONDS: "0",
};

/** The environment without anything that configures Clientele. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(CLIENTELE_|DATABASE_URL$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

function startProcess(args: readonly string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  const ended = once(child, "close").then(([code]): Ended => ({ code, ...said }));
  return { process: child, said, ended };
}

// A file may tell of a process that was killed.
function postmasterOf(dataDir: string): number | undefined {
  const file = join(dataDir, "postgres", "postmaster.pid");
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, "utf8").split("\n")[0]);
  try {
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}
