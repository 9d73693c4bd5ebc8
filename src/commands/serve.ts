import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { Command } from "commander";
import { type Config, readConfig } from "../config.js";
import { type Embedded, findEmbedded } from "../db/embedded.js";
import { createDemo } from "../operator.js";
import { withSecretKey } from "../secret-key.js";
import { type Service, serve } from "../serve.js";
import { welcome } from "../welcome.js";
import { migrateDatabase, operate, startPostgres } from "./database.js";
import { print, reasonOf } from "./output.js";
import { signal } from "./signal.js";

/** How often to look whether the embedded Postgres still runs. */
const reviveMs = 1_000;

/** `clientele serve`. */
export function serveCommand(): Command {
  return new Command("serve")
    .description("serve both ports; without DATABASE_URL on an embedded Postgres")
    .action(runServer);
}

async function runServer(): Promise<void> {
  const config = readConfig();
  // reasonOf reports a taken port.
  setLogVerbosity(logVerbosity.NONE);
  // Registered first, so that an early signal leaves no Postgres behind. A second signal ends the process at once.
  const signalled = signal();
  const stopped = signalled.then(() => undefined);
  const embedded = config.databaseUrl === undefined ? await keepEmbedded(config) : undefined;
  try {
    const databaseUrl = config.databaseUrl ?? embedded!.url;
    const service = await Promise.race([stopped, startService(config, databaseUrl)]);
    // At a terminal there is no balancer to wait for.
    await service?.stop((await signalled) === "SIGTERM" ? config.drainDelayMs : 0);
  } finally {
    await embedded?.stop();
  }
}

async function startService(config: Config, databaseUrl: string): Promise<Service> {
  await migrateDatabase(config, databaseUrl);
  const service = await serve(withSecretKey(config), databaseUrl);
  // Last, because the key is shown only once and a failed start must not use it up.
  const demo = config.databaseUrl === undefined ? await operate(databaseUrl, createDemo) : undefined;
  print(welcome(config, service, demo));
  return service;
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
