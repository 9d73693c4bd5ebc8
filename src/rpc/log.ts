import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/**
 * The log of the process, one JSON object a line on standard error. Whatever is logged as `error` is cut down to what
 * holds no personal data: a driver's message holds SQL, its detail holds values.
 */
export function createLogger(level: string): Logger {
  const destination = pino.destination({ dest: 2, minLength: bufferedBytes, periodicFlush: flushMs, sync: true });
  process.once("exit", () => destination.flushSync());
  return pino({ level, base: null, serializers: { error: errorForLog, err: errorForLog } }, destination);
}

// A write for every line would cost more than the line. Lines wait for each other, a moment at most.
const bufferedBytes = 4096;
const flushMs = 50;

/** The loggable part of an error: class, SQLSTATE, constraint and stack frames; never its message. */
export function errorForLog(error: unknown): object {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code, constraint, table, routine } = error as Error & Record<string, unknown>;
  const frames = error.stack?.split("\n").filter((line) => /^\s+at /.test(line));
  return { type: error.name, code, constraint, table, routine, frames, cause: error.cause && errorForLog(error.cause) };
}
