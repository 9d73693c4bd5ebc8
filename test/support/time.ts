import { type Clientele, startClientele } from "./clientele.js";
import { createWorker } from "./jobs.js";

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
  const worker = await createWorker(clientele, { clock });
  return {
    clientele,
    now: clock,
    pass: (ms) => {
      now = new Date(now.getTime() + ms);
    },
    runJob: (name) => worker.run(name),
    stop: async () => {
      await worker[Symbol.asyncDispose]();
      await clientele.stop();
    },
  };
}
