import { Command } from "commander";
import { readConfig } from "../config.js";
import { buildDeps } from "../deps.js";
import { startJobs } from "../jobs.js";
import { withSecretKey } from "../secret-key.js";
import { migrateDatabase, onDatabase } from "./database.js";
import { print } from "./output.js";
import { signal } from "./signal.js";

/** `clientele worker`. */
export function workerCommand(): Command {
  return new Command("worker").description("run the jobs alone, beside servers that run none").action(runWorker);
}

async function runWorker(): Promise<void> {
  const config = readConfig();
  const stopped = signal();
  await onDatabase(config, async (databaseUrl) => {
    await migrateDatabase(config, databaseUrl);
    const { deps, close } = await buildDeps(withSecretKey(config), databaseUrl);
    const jobs = await startJobs(deps, databaseUrl);
    print("Clientele works on its jobs.");
    await stopped;
    await jobs.stop();
    await close();
  });
}
