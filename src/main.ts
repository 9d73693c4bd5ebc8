#!/usr/bin/env node
import { Command } from "commander";
import { reasonOf } from "./commands/output.js";

// Only the command that is named is loaded, because to load all takes a second.
const commands = new Map<string, () => Promise<Command>>(
  Object.entries({
    serve: async () => (await import("./commands/serve.js")).serveCommand(),
    worker: async () => (await import("./commands/worker.js")).workerCommand(),
    migrate: async () => (await import("./commands/migrate.js")).migrateCommand(),
    account: async () => (await import("./commands/account.js")).accountCommand(),
    key: async () => (await import("./commands/key.js")).keyCommand(),
    import: async () => (await import("./commands/import.js")).importCommand(),
    export: async () => (await import("./commands/export.js")).exportCommand(),
    "export-person": async () => (await import("./commands/export-person.js")).exportPersonCommand(),
  }),
);

const program = new Command("clientele").description("An open customer service for commerce.").version("0.1.0");

try {
  const load = commands.get(process.argv[2] ?? "");
  for (const command of load === undefined ? commands.values() : [load]) program.addCommand(await command());
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exitCode = 1;
}
// A start that failed half-way may have left a listener or a connection behind; all that must end has ended.
process.exit();
