import { readConfig } from "../../src/config.js";
import { buildDeps } from "../../src/deps.js";
import { tasksOf } from "../../src/jobs.js";
import { type Clientele, startClientele } from "./clientele.js";

export const day = 24 * 60 * 60 * 1000;

/** A service whose time the test decides, and its jobs to run at any of it. */
export interface TimedClientele {
  readonly clientele: Clientele;
  now(): Date;
  pass(ms: number): void;
  runJob(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a service at noon of the first of March 2026. Stop it in `afterAll`. */
export async function startTimed(): Promise<TimedClientele> {
  let now = new Date("2026-03-01T12:00:00Z");
  const clock = () => now;
  const clientele = await startClientele({ clock });
  const config = readConfig({ CLIENTELE_LOG_LEVEL: "silent" });
  const { deps, close } = await buildDeps(config, clientele.databaseUrl, { clock });
  return {
    clientele,
    now: clock,
    pass: (ms) => {
      now = new Date(now.getTime() + ms);
    },
    // As the worker runs it; what it is told of the job does not matter to ours.
    runJob: async (name) => await tasksOf(deps)[name]!(),
    stop: async () => {
      await close();
      await clientele.stop();
    },
  };
}
