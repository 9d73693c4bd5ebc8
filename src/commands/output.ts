import type { Writable } from "node:stream";

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
