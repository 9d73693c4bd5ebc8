const seconds = 1_000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

// How long to wait after each attempt; the last one is repeated.
const delays = [
  5 * seconds,
  30 * seconds,
  2 * minutes,
  10 * minutes,
  30 * minutes,
  1 * hours,
  2 * hours,
  4 * hours,
  8 * hours,
];

/** How long a delivery is tried. */
export const giveUpAfterMs = 72 * hours;

/**
 * When a delivery is tried again, up to a fifth later than the table says, so that many do not come at once; undefined
 * when it has been tried for long enough. `chance` is from 0 to 1.
 */
export function nextAttempt(firstAttempt: Date, attempts: number, now: Date, chance: number): Date | undefined {
  const delay = delays[Math.min(attempts, delays.length) - 1] ?? 0;
  const next = now.getTime() + delay * (1 + chance / 5);
  return next - firstAttempt.getTime() > giveUpAfterMs ? undefined : new Date(Math.round(next));
}
