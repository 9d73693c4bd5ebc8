// `serve` in several processes:
//
//  1. The first process, the primary, keeps the embedded Postgres, migrates, and starts the workers.
//  2. A worker is `serve` on the database of the primary, with its share of the connections. The first one runs the jobs.
//  3. All workers listen on the same two ports; the primary hands out the connections in turn.
//  4. A worker tells the primary when it serves. The welcome is printed when all do.
//  5. A worker that dies is replaced, at once if it had served, else after a pause that doubles.
//  6. The primary serves the metrics of all workers together.
//  7. At a signal the primary passes it on, and ends when the last worker has drained.
//  8. When the primary dies, its workers end too.
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.js";
import { createLogger, type Logger } from "../rpc/log.js";
import { type Ports, readCertificate } from "../serve.js";
import { sharedMetrics, startMetrics } from "../server/metrics.js";

/** The processes that serve. */
export interface Workers extends Ports {
  /** Passes a signal on. Resolves when the last process has ended. */
  stop(signal: NodeJS.Signals): Promise<void>;
}

const firstPauseMs = 1_000;
const longestPauseMs = 30_000;

/** Starts as many processes as the configuration says. Rejects, and leaves none behind, if one of them cannot serve. */
export async function startWorkers(config: Config, databaseUrl: string): Promise<Workers> {
  const logger = createLogger(config.logLevel);
  const metrics = await startMetrics(sharedMetrics(), config, logger, await readCertificate(config));
  const crew = createCrew(config, databaseUrl, logger);
  const firsts = Array.from({ length: config.workers }, (_, index) => crew.start(index));
  const ports = await Promise.all(firsts.map(({ serving }) => serving));
  const stop = async (signal: NodeJS.Signals) => {
    await crew.stop(signal);
    await metrics?.close(0);
  };
  const [serving] = ports;
  if (serving === undefined || ports.includes(undefined)) {
    await stop("SIGKILL");
    throw new Error("A worker could not serve.");
  }
  for (const [index, { worker }] of firsts.entries()) void crew.keep(index, worker);
  return { ...serving, metricsPort: metrics?.port, stop };
}

function createCrew(config: Config, databaseUrl: string, logger: Logger) {
  const workers = new Set<Worker>();
  let stopping = false;
  cluster.setupPrimary({ args: ["serve"] });
  return { start, keep, stop };

  function start(index: number) {
    const worker = cluster.fork(environmentOf(config, databaseUrl, index));
    workers.add(worker);
    worker.once("exit", () => workers.delete(worker));
    return { worker, serving: untilServing(worker) };
  }

  // Replaces a worker whenever it ends.
  async function keep(index: number, first: Worker): Promise<void> {
    let pauseMs = firstPauseMs;
    for (let worker = first; ; ) {
      if (!worker.isDead()) await once(worker, "exit");
      if (stopping) return;
      const { pid, exitCode, signalCode } = worker.process;
      logger.error({ event: "worker", pid, exitCode, signalCode }, "a worker ended and is replaced");
      const next = start(index);
      worker = next.worker;
      const isServing = (await next.serving) !== undefined;
      if (!isServing) await sleep(pauseMs, undefined, { ref: false });
      pauseMs = isServing ? firstPauseMs : Math.min(pauseMs * 2, longestPauseMs);
    }
  }

  async function stop(signal: NodeJS.Signals): Promise<void> {
    stopping = true;
    const ended = [...workers].map((worker) => once(worker, "exit"));
    for (const worker of workers) worker.process.kill(signal);
    await Promise.all(ended);
  }
}

/** Tells the primary that this worker serves; nothing in a process that is none. */
export function reportServing({ httpPort, grpcPort, metricsPort }: Ports): void {
  process.send?.({ httpPort, grpcPort, metricsPort } satisfies Ports);
}

// The first message of a worker is its ports. Undefined if it ends instead.
async function untilServing(worker: Worker): Promise<Ports | undefined> {
  const ended = once(worker, "exit").then(() => undefined);
  const said = once(worker, "message").then(([ports]) => ports as Ports);
  return await Promise.race([said, ended]);
}

function environmentOf(config: Config, databaseUrl: string, index: number): NodeJS.ProcessEnv {
  const { workers, poolSize, jobs, secretKey } = config;
  return {
    DATABASE_URL: databaseUrl,
    CLIENTELE_WORKERS: "1",
    CLIENTELE_POOL_SIZE: String(Math.floor((poolSize + workers - 1 - index) / workers)),
    CLIENTELE_JOBS: String(jobs && index === 0),
    ...(secretKey !== undefined && { CLIENTELE_SECRET_KEY: secretKey.toString() }),
  };
}
