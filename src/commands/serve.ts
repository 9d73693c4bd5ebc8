import cluster from "node:cluster";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { Command } from "commander";
import { type Config, readConfig } from "../config.js";
import { type Embedded, findEmbedded } from "../db/embedded.js";
import { createDemo } from "../operator.js";
import { withSecretKey } from "../secret-key.js";
import { type Ports, serve } from "../serve.js";
import { welcome } from "../welcome.js";
import { migrateDatabase, operate, startPostgres } from "./database.js";
import { print, reasonOf } from "./output.js";
import { signal } from "./signal.js";
import { reportServing, startWorkers } from "./workers.js";

/** How often to look whether the embedded Postgres still runs. */
const reviveMs = 1_000;

/** `clientele serve`. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("serve both ports; without DATABASE_URL on an embedded Postgres")
    .option("--workers <count>", "processes that serve, or auto for one a core; as CLIENTELE_WORKERS")
    .action(runServer);
}

async function runServer({ workers }: { readonly workers?: string }): Promise<void> {
  const config = readConfig(undefined, workers === undefined ? {} : { CLIENTELE_WORKERS: workers });
  // reasonOf reports a taken port.
  setLogVerbosity(logVerbosity.NONE);
  // Registered first, so that an early signal leaves no Postgres behind. A second signal ends the process at once.
  const signalled = signal();
  const stopped = signalled.then(() => undefined);
  const embedded = config.databaseUrl === undefined ? await keepEmbedded(config) : undefined;
  try {
    const databaseUrl = config.databaseUrl ?? embedded!.url;
    const service = await Promise.race([stopped, startService(config, databaseUrl)]);
    await service?.stop(await signalled);
  } finally {
    await embedded?.stop();
  }
}

type Running = Ports & { stop(signal: NodeJS.Signals): Promise<void> };

async function startService(config: Config, databaseUrl: string): Promise<Running> {
  if (cluster.isWorker) return await startProcess(config, databaseUrl);
  await migrateDatabase(config, databaseUrl);
  const whole = withSecretKey(config);
  const service = await (config.workers > 1 ? startWorkers : startProcess)(whole, databaseUrl);
  // Last, because the key is shown only once and a failed start must not use it up.
  const demo = config.databaseUrl === undefined ? await operate(databaseUrl, createDemo) : undefined;
  print(welcome(config, service, demo));
  return service;
}

async function startProcess(config: Config, databaseUrl: string): Promise<Running> {
  const service = await serve(config, databaseUrl);
  reportServing(service);
  // At a terminal there is no balancer to wait for.
  return { ...service, stop: (signal) => service.stop(signal === "SIGTERM" ? config.drainDelayMs : 0) };
}

// Starts the embedded Postgres, and starts it again when something kills it.
async function keepEmbedded(config: Config): Promise<Embedded> {
  let postgres = await startPostgres(config);
  let round = Promise.resolve();
  const timer = setInterval(() => {
    round = round.then(revive).catch((error) => void process.stderr.write(`${reasonOf(error)}\n`));
  }, reviveMs);
  return {
    url: postgres.url,
    async stop() {
      clearInterval(timer);
      await round;
      await postgres.stop();
    },
  };

  async function revive(): Promise<void> {
    if ((await findEmbedded(config.dataDir)) !== undefined) return;
    const before = postgres;
    postgres = await startPostgres(config);
    await before.stop();
  }
}
