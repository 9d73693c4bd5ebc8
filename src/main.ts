#!/usr/bin/env node
import { randomBytes } from "node:crypto";
import { toJson } from "@bufbuild/protobuf";
import { logVerbosity, setLogVerbosity } from "@grpc/grpc-js";
import { Command, Option } from "commander";
import { SettingsPreset } from "../gen/clientele/v1/accounts_pb.js";
import { type ApiKey, ApiKeyKind, ApiKeySchema } from "../gen/clientele/v1/api_keys_pb.js";
import { exportCommand } from "./commands/export.js";
import { exportPersonCommand } from "./commands/export-person.js";
import { importCommand } from "./commands/import.js";
import { type Config, readConfig } from "./config.js";
import { connect } from "./db/connection.js";
import { type Embedded, findEmbedded, startEmbedded } from "./db/embedded.js";
import { classify } from "./db/errors.js";
import { migrate } from "./db/migrate.js";
import { migrations } from "./db/migrations/index.js";
import { buildDeps } from "./deps.js";
import { startJobs } from "./jobs.js";
import { createDemo, createKey, listKeys, requireNoCardNumber, revokeKey } from "./operator.js";
import { createAccount } from "./resources/accounts/create.js";
import { createNewId } from "./rpc/ids.js";
import { withSecretKey } from "./secret-key.js";
import { type Service, serve } from "./serve.js";
import { welcome } from "./welcome.js";

const presets = Object.keys(SettingsPreset).filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED");
const json = new Option("--json", "print one JSON object, for programs");
const account = new Option("--account <account>", "the account's id or name, if there are several");
const mode = new Option("--mode <mode>", "which half of the account").choices(["test", "live"]).default("test");

/** How often to look whether the embedded Postgres still runs. */
const reviveMs = 1_000;

interface KeyOptions {
  readonly account?: string;
  readonly mode: "test" | "live";
  readonly json?: boolean;
}

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

const accounts = program.command("account").description("manage accounts");
accounts
  .command("create")
  .description("create an account with a test and a live tenant, and print a secret key for each")
  .requiredOption("--name <name>", "the merchant's name")
  .addOption(new Option("--preset <preset>", "the settings to start with").choices(presets).default("OPEN"))
  .addOption(json)
  .action(async (options: { name: string; preset: keyof typeof SettingsPreset; json?: boolean }) => {
    await withDatabase(async (deps) => {
      requireNoCardNumber(options.name, "name");
      const created = await createAccount(deps, options.name, SettingsPreset[options.preset]);
      if (options.json) printJson(created);
      else print(`Account ${created.accountId}\nTest key ${created.testKey}\nLive key ${created.liveKey}`);
    });
  });

const keys = program.command("key").description("manage API keys");
keys
  .command("create")
  .description("make a key and print its secret, this once")
  .addOption(account)
  .addOption(mode)
  .addOption(new Option("--kind <kind>", "what the key may do").choices(["secret", "publishable"]).default("secret"))
  .option("--label <label>", "what the key is for", "")
  .addOption(json)
  .action(async (options: KeyOptions & { kind: "secret" | "publishable"; label: string }) => {
    await withDatabase(async (deps) => {
      const kind = options.kind === "secret" ? ApiKeyKind.SECRET : ApiKeyKind.PUBLISHABLE;
      const { apiKey, secret } = await createKey(deps, choiceOf(options), kind, options.label);
      if (options.json) printJson({ apiKey: toJson(ApiKeySchema, apiKey), secret });
      else print(`${describe(apiKey)}\n${secret}`);
    });
  });
keys
  .command("list")
  .description("list the keys of a tenant, without their secrets")
  .addOption(account)
  .addOption(mode)
  .addOption(json)
  .action(async (options: KeyOptions) => {
    await withDatabase(async (deps) => {
      const found = await listKeys(deps, choiceOf(options));
      if (options.json) printJson({ apiKeys: found.map((apiKey) => toJson(ApiKeySchema, apiKey)) });
      else for (const apiKey of found) print(describe(apiKey));
    });
  });
keys
  .command("revoke <id>")
  .description("end a key for ever")
  .addOption(account)
  .addOption(mode)
  .addOption(json)
  .action(async (id: string, options: KeyOptions) => {
    await withDatabase(async (deps) => {
      const apiKey = await revokeKey(deps, choiceOf(options), id);
      if (options.json) printJson({ apiKey: toJson(ApiKeySchema, apiKey) });
      else print(describe(apiKey));
    });
  });

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
  // What it would say of a port that is taken is said by reasonOf.
  setLogVerbosity(logVerbosity.NONE);
  // From the first moment on, so that an early signal leaves no Postgres behind. A second one ends the process at once.
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
  // Last, because its key is shown this once, so not if the start fails.
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

// Runs a command on the configured database, or on the embedded one: the running one, else for as long as it takes.
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

// Resolves when the process is asked to end. For a second it takes no other signal for a second one: `npm start` passes on
// the Ctrl-C that the terminal has sent already.
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

// In words for the operator. Of a host with several addresses Node says only that all of them failed.
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("\n");
  if (!(error instanceof Error)) return String(error);
  const port = /EADDRINUSE\D.*:(\d+)/.exec(error.message)?.[1];
  if (port !== undefined) {
    return `Port ${port} is in use: end what uses it, or set CLIENTELE_HTTP_PORT and CLIENTELE_GRPC_PORT to free ones.`;
  }
  // A certificate that is absent is a path that is absent, and no lost database.
  const lost = classify(error) === "unavailable" && !("path" in error);
  return lost ? `The database cannot be reached: ${error.message}` : error.message;
}

type OperatorDeps = Parameters<typeof createAccount>[0];

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

function choiceOf({ account, mode }: KeyOptions) {
  return { account, liveMode: mode === "live" };
}

function describe({ id, kind, label, last4, revokeTime }: ApiKey): string {
  const revoked = revokeTime === undefined ? "" : " revoked";
  return `${id} ${ApiKeyKind[kind].toLowerCase()} …${last4}${revoked} ${label}`.trimEnd();
}

function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
