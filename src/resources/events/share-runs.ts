import { setTimeout as sleep } from "node:timers/promises";

/**
 * Lets all callers share the runs of `work`. A run that is under way may have looked too early for a new caller, so it
 * waits for the next one, which begins `pauseMs` later for all who came meanwhile.
 */
export function shareRuns(work: () => Promise<void>, pauseMs: number): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  return async () => {
    if (running === undefined) return await run();
    next ??= running
      .catch(() => {})
      .then(() => sleep(pauseMs))
      .then(() => {
        next = undefined;
        return running ?? run();
      });
    await next;
  };

  function run(): Promise<void> {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  }
}
