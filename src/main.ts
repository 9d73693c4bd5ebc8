#!/usr/bin/env node
import { randomBytes } from "node:crypto";
import { toJson } from "@bufbuild/protobuf";
import { Command, Option } from "commander";
import { SettingsPreset } from "../gen/clientele/v1/accounts_pb.js";
import { type ApiKey, ApiKeyKind, ApiKeySchema } from "../gen/clientele/v1/api_keys_pb.js";
import { type Config, readConfig } from "./config.js";
import { connect } from "./db/connection.js";
import { findEmbedded, startEmbedded } from "./db/embedded.js";
import { migrate } from "./db/migrate.js";
import { migrations } from "./db/migrations/index.js";
import { createKey, listKeys, revokeKey } from "./operator.js";
import { createAccount } from "./resources/accounts/create.js";
import { listTenants } from "./resources/accounts/store.js";
import { createNewId } from "./rpc/ids.js";
import { serve } from "./serve.js";
import { welcome } from "./welcome.js";

const presets = Object.keys(SettingsPreset).filter((name) => Number.isNaN(Number(name)) && name !== "UNSPECIFIED");
const json = new Option("--json", "print one JSON object, for programs");
const account = new Option("--account <account>", "the account's id or name, if there are several");
const mode = new Option("--mode <mode>", "which half of the account").choices(["test", "live"]).default("test");

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

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function runServer(): Promise<void> {
  const config = readConfig();
  const embedded = config.databaseUrl === undefined ? await start(config) : undefined;
  const databaseUrl = config.databaseUrl ?? embedded!.url;
  await migrate(databaseUrl, migrations);
  const demo = await operate(databaseUrl, async (deps) => {
    const isNew = embedded !== undefined && (await listTenants(deps.db)).length === 0;
    return isNew ? await createAccount(deps, "Demo", SettingsPreset.OPEN) : undefined;
  });
  const service = await serve(config, databaseUrl);
  print(welcome(config, service, demo));

  // A second signal ends the process at once.
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve());
  });
  await service.stop();
  await embedded?.stop();
}

// Runs a command on the configured database, or on the embedded one: the running one, else for as long as it takes.
async function withDatabase(command: (deps: OperatorDeps, applied: string[]) => Promise<void>): Promise<void> {
  const config = readConfig();
  const running = config.databaseUrl ?? (await findEmbedded(config.dataDir));
  const embedded = running === undefined ? await start(config) : undefined;
  try {
    const databaseUrl = running ?? embedded!.url;
    const applied = await migrate(databaseUrl, migrations);
    await operate(databaseUrl, (deps) => command(deps, applied));
  } finally {
    await embedded?.stop();
  }
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

async function start(config: Config) {
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
