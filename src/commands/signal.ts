/**
 * Resolves at the first signal to end. It ignores others for a second, because `npm start` repeats the Ctrl-C that the
 * terminal sent already.
 */
export function signal(): Promise<NodeJS.Signals> {
  const names = ["SIGTERM", "SIGINT"] as const;
  return new Promise((resolve) => {
    const onSignal = (name: NodeJS.Signals) => {
      resolve(name);
      setTimeout(() => {
        for (const name of names) process.off(name, onSignal);
      }, 1_000).unref();
    };
    for (const name of names) process.on(name, onSignal);
  });
}
