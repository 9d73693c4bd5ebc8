import type { Writable } from "node:stream";
import { classify } from "../db/errors.js";

/** Writes a text, as slowly as it is read. */
export function write(output: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => output.write(text, (error) => (error ? reject(error) : resolve())));
}

/** Lets it pass that the reader has read enough, as `head` does. */
export function unlessClosed(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
}

/** Prints a line on standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Prints one JSON object on standard output. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** The message of an error for the operator. For a host with several addresses Node reports only that all failed. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("\n");
  if (!(error instanceof Error)) return String(error);
  const port = /EADDRINUSE\D.*:(\d+)/.exec(error.message)?.[1];
  if (port !== undefined) {
    return `Port ${port} is in use: end what uses it, or set CLIENTELE_HTTP_PORT, CLIENTELE_GRPC_PORT and CLIENTELE_METRICS_PORT to free ones.`;
  }
  // A missing certificate is a missing path, not a lost database.
  const lost = classify(error) === "unavailable" && !("path" in error);
  return lost ? `The database cannot be reached: ${error.message}` : error.message;
}
