import type { Writable } from "node:stream";

/** Writes a text, as slowly as it is read. */
export function write(output: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => output.write(text, (error) => (error ? reject(error) : resolve())));
}

/** Lets it pass that the reader has read enough, as `head` does. */
export function unlessClosed(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
}
