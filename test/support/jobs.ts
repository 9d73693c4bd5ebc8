import { readConfig } from "../../src/config.js";
import type { Overrides } from "../../src/deps.js";
import { buildDeps } from "../../src/deps.js";
import { tasksOf } from "../../src/jobs.js";
import type { Clientele } from "./clientele.js";

/** A worker whose jobs run when the test says so. */
export interface Worker extends AsyncDisposable {
  /** Runs a job to its end, as the worker does. */
  run(job: string): Promise<void>;
}

/** A worker on the database of a service, with the clock that it has. */
export async function createWorker({ databaseUrl }: Clientele, overrides: Overrides = {}): Promise<Worker> {
  const { deps, close } = await buildDeps(readConfig({ CLIENTELE_LOG_LEVEL: "silent" }), databaseUrl, overrides);
  const tasks = tasksOf(deps);
  return { run: async (job) => await tasks[job]!(), [Symbol.asyncDispose]: close };
}
