#!/usr/bin/env node
import { randomBytes } from "node:crypto";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { Command } from "commander";
import { accountCommand } from "./commands/account.js";
import { exportCommand } from "./commands/export.js";
import { exportPersonCommand } from "./commands/export-person.js";
import { importCommand } from "./commands/import.js";
import { keyCommand } from "./commands/key.js";
import { print } from "./commands/output.js";
import { type Config, readConfig } from "./config.js";
import { connect } from "./db/connection.js";
import { type Embedded, findEmbedded, startEmbedded } from "./db/embedded.js";
import { classify } from "./db/errors.js";
import { migrate } from "./db/migrate.js";
import { migrations } from "./db/migrations/index.js";
import { buildDeps } from "./deps.js";
import { startJobs } from "./jobs.js";
import { createDemo, type OperatorDeps } from "./operator.js";
import { createNewId } from "./rpc/ids.js";
import { withSecretKey } from "./secret-key.js";
import { type Service, serve } from "./serve.js";
import { welcome } from "./welcome.js";

/** How often to look whether the embedded Postgres still runs. */
const reviveMs = 1_000;

const program = new Command("clientele").description("An open customer service for commerce.").version("0.1.0");

program
  .command("serve")
  .description("serve both ports; without DATABASE_URL on an embedded Postgres")
  .action(runServer);

program.command("worker").description("run the jobs alone, beside servers that run none").action(runWorker);

program
  .command("migrate")
  .description("bring the database's schema up to date")
  .action(async () => {
    await withDatabase(async (_deps, applied) => {
      print(applied.length === 0 ? "The schema is up to date." : `Applied ${applied.join(", ")}.`);
    });
  });

program.addCommand(accountCommand(withDatabase));
program.addCommand(keyCommand(withDatabase));
program.addCommand(importCommand(withDatabase));
program.addCommand(exportCommand(withDatabase));
program.addCommand(exportPersonCommand(withDatabase));

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = 1;
}
// A start that failed half-way may have left a listener or a connection behind; all that must end has ended.
process.exit();

async function runServer(): Promise<void> {
  const config = readConfig();
  // reasonOf reports a taken port.
  setLogVerbosity(logVerbosity.NONE);
  // Registered first, so that an early signal leaves no Postgres behind. A second signal ends the process at once.
  const stopped = signal().then(() => undefined);
  const embedded = config.databaseUrl === undefined ? await keepEmbedded(config) : undefined;
  try {
    const databaseUrl = config.databaseUrl ?? embedded!.url;
    const service = await Promise.race([stopped, startService(config, databaseUrl)]);
    await stopped;
    await service?.stop();
  } finally {
    await embedded?.stop();
  }
}

async function runWorker(): Promise<void> {
  const config = readConfig();
  const stopped = signal();
  await onDatabase(config, async (databaseUrl) => {
    await migrate(databaseUrl, migrations);
    const { deps, close } = await buildDeps(withSecretKey(config), databaseUrl);
    const jobs = await startJobs(deps, databaseUrl);
    print("Clientele works on its jobs.");
    await stopped;
    await jobs.stop();
    await close();
  });
}

async function startService(config: Config, databaseUrl: string): Promise<Service> {
  await migrate(databaseUrl, migrations);
  const service = await serve(withSecretKey(config), databaseUrl);
  // Last, because the key is shown only once and a failed start must not use it up.
  const demo = config.databaseUrl === undefined ? await operate(databaseUrl, createDemo) : undefined;
  print(welcome(config, service, demo));
  return service;
}

// Starts the embedded Postgres, and starts it again when something kills it.
async function keepEmbedded(config: Config): Promise<Embedded> {
  let present = await start(config);
  let round = Promise.resolve();
  const timer = setInterval(() => {
    round = round.then(revive).catch((error) => void process.stderr.write(`${reasonOf(error)}\n`));
  }, reviveMs);
  return {
    url: present.url,
    async stop() {
      clearInterval(timer);
      await round;
      await present.stop();
    },
  };

  async function revive(): Promise<void> {
    if ((await findEmbedded(config.dataDir)) !== undefined) return;
    const before = present;
    present = await start(config);
    await before.stop();
  }
}

// Runs a command on the configured database, or on the embedded one, which it starts for the time of the command if
// necessary.
async function withDatabase(command: (deps: OperatorDeps, applied: string[]) => Promise<void>): Promise<void> {
  const config = readConfig();
  const stopped = signal().then((name) => Promise.reject(new Error(`Ended by ${name}.`)));
  stopped.catch(() => {});
  await onDatabase(config, async (databaseUrl) => {
    const done = migrate(databaseUrl, migrations).then((applied) =>
      operate(databaseUrl, (deps) => command(deps, applied)),
    );
    await Promise.race([stopped, done]);
  });
}

async function onDatabase(config: Config, work: (databaseUrl: string) => Promise<void>): Promise<void> {
  const running = config.databaseUrl ?? (await findEmbedded(config.dataDir));
  const embedded = running === undefined ? await start(config) : undefined;
  try {
    await work(running ?? embedded!.url);
  } finally {
    await embedded?.stop();
  }
}

// Resolves at the first signal. It ignores others for a second, because `npm start` repeats the Ctrl-C that the terminal
// sent already.
function signal(): Promise<string> {
  const names = ["SIGTERM", "SIGINT"] as const;
  return new Promise((resolve) => {
    const asked = (name: string) => {
      resolve(name);
      setTimeout(() => {
        for (const name of names) process.off(name, asked);
      }, 1_000).unref();
    };
    for (const name of names) process.on(name, asked);
  });
}

// The message for the operator. For a host with several addresses Node reports only that all of them failed.
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("\n");
  if (!(error instanceof Error)) return String(error);
  const port = /EADDRINUSE\D.*:(\d+)/.exec(error.message)?.[1];
  if (port !== undefined) {
    return `Port ${port} is in use: end what uses it, or set CLIENTELE_HTTP_PORT and CLIENTELE_GRPC_PORT to free ones.`;
  }
  // A missing certificate is a missing path, not a lost database.
  const lost = classify(error) === "unavailable" && !("path" in error);
  return lost ? `The database cannot be reached: ${error.message}` : error.message;
}

async function operate<T>(databaseUrl: string, operation: (deps: OperatorDeps) => Promise<T>): Promise<T> {
  const db = connect({ connectionString: databaseUrl, poolSize: 1, namedStatements: false });
  const clock = () => new Date();
  try {
    return await operation({ db, clock, randomBytes, newId: createNewId(clock, randomBytes) });
  } finally {
    await db.destroy();
  }
}

async function start(config: Config): Promise<Embedded> {
  return await startEmbedded({ dataDir: config.dataDir, log: (message) => process.stderr.write(`${message}\n`) });
}
