import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { cleanEnvironment, type Ended } from "./command.js";

/** A command of the built command line, at work on a database. */
export interface Running {
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts `clientele ARGS`, on a database and with an input. */
export function startCommand(databaseUrl: string, args: readonly string[], input?: Readable): Running {
  const main = join(import.meta.dirname, "../../dist/src/main.js");
  const env = { ...cleanEnvironment(), DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  // It may end without having read all.
  child.stdin.on("error", () => {});
  if (input === undefined) child.stdin.end();
  else input.pipe(child.stdin);
  const ended = once(child, "close").then(([code]): Ended => ({ code, ...said }));
  return { ended, kill: (signal) => void child.kill(signal) };
}
