/** The watches that wait for the next event. */
export interface Waiters {
  /** Waits for `wake`, for the signal, or for so long. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Resumes everyone who waits. */
  wake(): void;
}

export function createWaiters(): Waiters {
  const waiting = new Set<() => void>();
  return {
    async wait(ms, signal) {
      if (signal.aborted) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resume, ms);
        waiting.add(resume);
        signal.addEventListener("abort", resume, { once: true });
        function resume() {
          clearTimeout(timer);
          waiting.delete(resume);
          signal.removeEventListener("abort", resume);
          resolve();
        }
      });
    },
    wake() {
      for (const resume of [...waiting]) resume();
    },
  };
}
