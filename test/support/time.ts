import { afterAll, beforeAll } from "vitest";
import { type Clientele, useClientele } from "./clientele.js";
import { createWorker } from "./jobs.js";

/** More than the busiest machine needs for what takes no time, and far less than what a test would wait for in vain. */
export const generousMs = 5_000;

export const day = 24 * 60 * 60 * 1000;

/** A service whose time the test decides, and its jobs to run at any of it. */
export interface TimedClientele {
  readonly clientele: Clientele;
  now(): Date;
  pass(ms: number): void;
  runJob(name: string): Promise<void>;
}

/** Starts one service for all tests of a file, at noon of the first of March 2026, and stops it after them. */
export function useTimedClientele(): TimedClientele {
  let now = new Date("2026-03-01T12:00:00Z");
  const clock = () => now;
  const clientele = useClientele({ clock });
  let worker: Awaited<ReturnType<typeof createWorker>> | undefined;
  beforeAll(async () => {
    worker = await createWorker(clientele, { clock });
  });
  afterAll(() => worker?.[Symbol.asyncDispose]());
  return {
    clientele,
    now: clock,
    pass: (ms) => {
      now = new Date(now.getTime() + ms);
    },
    runJob: async (name) => await worker!.run(name),
  };
}
