import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { type EmbeddedHost, prepareHost } from "./embedded-host.js";

/** A running embedded Postgres. */
export interface Embedded {
  /** Connection string of a superuser; it holds the password. */
  readonly url: string;
  /** Leaves it. The last one out stops it; while another process uses it, it goes on. */
  stop(): Promise<void>;
}

/** How to start an embedded Postgres. */
export interface EmbeddedOptions {
  /** Folder for the data, made when absent. The data survives a restart. */
  readonly dataDir: string;
  readonly log: (message: string) => void;
  /** Server settings over the usual ones, such as `{ fsync: "off" }` for throw-away data. */
  readonly settings?: Readonly<Record<string, string>>;
}

const user = "clientele";
const passwordFile = "clientele-password";
const startMs = 60_000;
const usualSettings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "200",
  shared_buffers: "128MB",
  // Statements and details of errors hold personal data.
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
};

/**
 * Starts the Postgres of a data folder, or joins it when it runs already: started by another process, or left behind by
 * one that was killed. Its port stays the same over restarts as long as it is free.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const host = prepareHost(options.dataDir, options.log);
  // Before looking for a running one, so that its last user does not stop it meanwhile.
  const leave = enter(resolve(options.dataDir));
  let child: ChildProcess | undefined;
  const leaveAtExit = () => {
    if (leave()) child?.kill("SIGINT");
  };
  process.once("exit", leaveAtExit);
  try {
    let url = await findEmbedded(options.dataDir);
    if (url === undefined) {
      if (!fs.existsSync(join(host.folder, "PG_VERSION"))) await initialize(host);
      ({ url, child } = await launch(host, options));
    }
    options.log(child === undefined ? "joined the running embedded Postgres" : "started the embedded Postgres");
    return {
      url,
      async stop() {
        process.off("exit", leaveAtExit);
        if (leave()) await shutDown(options.dataDir, host.folder);
      },
    };
  } catch (error) {
    process.off("exit", leaveAtExit);
    leave();
    throw error;
  }
}

/** The connection string of the Postgres that runs in a data folder, or undefined when none answers. */
export async function findEmbedded(dataDir: string): Promise<string | undefined> {
  const folder = join(resolve(dataDir), "postgres");
  const postmaster = readPostmaster(folder);
  const password = read(join(folder, passwordFile));
  if (postmaster === undefined || !postmaster.ready || password === undefined) return undefined;
  const url = `postgres://${user}:${password}@127.0.0.1:${postmaster.port}/postgres`;
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return url;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}

// Into a folder beside, so that a folder with the right name is always complete.
async function initialize({ bin, folder, identity }: EmbeddedHost): Promise<void> {
  const fresh = `${folder}.${process.pid}.${randomBytes(4).toString("hex")}`;
  const secret = `${fresh}.password`;
  fs.mkdirSync(fresh, { mode: 0o700 });
  fs.writeFileSync(secret, randomBytes(24).toString("base64url"), { mode: 0o600 });
  if (identity.uid !== undefined && identity.gid !== undefined) {
    for (const path of [fresh, secret]) fs.chownSync(path, identity.uid, identity.gid);
  }
  const locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"];
  const access = ["--auth=scram-sha-256", `--username=${user}`, `--pwfile=${secret}`];
  try {
    await promisify(execFile)(join(bin, "initdb"), ["-D", fresh, ...access, ...locale], { ...identity, cwd: "/" });
    fs.renameSync(secret, join(fresh, passwordFile));
    fs.renameSync(fresh, folder);
  } catch (cause) {
    fs.rmSync(fresh, { recursive: true, force: true });
    fs.rmSync(secret, { force: true });
    // Another process may have been faster.
    if (!fs.existsSync(join(folder, "PG_VERSION"))) throw new Error(`initdb failed: ${cause}`, { cause });
  }
}

async function launch(host: EmbeddedHost, options: EmbeddedOptions): Promise<{ url: string; child?: ChildProcess }> {
  const logFile = join(resolve(options.dataDir), "postgres.log");
  const settings = Object.entries({ ...usualSettings, ...options.settings }).flatMap((s) => ["-c", s.join("=")]);
  const until = Date.now() + startMs;
  while (Date.now() < until) {
    const port = String(await freePort(host.folder));
    const before = fs.statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
    const output = fs.openSync(logFile, before > 10_000_000 ? "w" : "a", 0o600);
    // In a group of its own, so that Ctrl-C ends this program first and Postgres by stop().
    const child = spawn(join(host.bin, "postgres"), ["-D", host.folder, "-p", port, ...settings], {
      ...host.identity,
      cwd: "/",
      detached: true,
      stdio: ["ignore", output, output],
    });
    fs.closeSync(output);
    child.unref();
    let ended = false;
    child.once("exit", () => (ended = true)).once("error", () => (ended = true));
    while (!ended && Date.now() < until) {
      const url = await findEmbedded(options.dataDir);
      if (url !== undefined) return { url, child };
      await sleep(20);
    }
    const said = (read(logFile) ?? "").slice(before > 10_000_000 ? 0 : before);
    const passing =
      /pre-existing shared memory block|could not create any TCP|lock file "postmaster.pid" already exists/;
    if (!passing.test(said)) throw new Error(`Postgres did not start; ${logFile} says:\n${said.trim().slice(-2_000)}`);
    await sleep(100);
    const url = await findEmbedded(options.dataDir);
    if (url !== undefined) return { url };
  }
  throw new Error(`Postgres did not start within ${startMs / 1000} s; see ${logFile}`);
}

async function shutDown(dataDir: string, folder: string): Promise<void> {
  if ((await findEmbedded(dataDir)) === undefined) return;
  const postmaster = readPostmaster(folder);
  if (postmaster === undefined) return;
  process.kill(postmaster.pid, "SIGINT");
  const until = Date.now() + startMs;
  while (readPostmaster(folder) !== undefined && Date.now() < until) await sleep(10);
}

let entries = 0;

/** Notes that this process uses the folder. The returned function takes that back; true when no living process is left. */
function enter(home: string): () => boolean {
  const users = join(home, "users");
  const mine = `${process.pid}-${++entries}`;
  fs.mkdirSync(users, { recursive: true, mode: 0o700 });
  fs.writeFileSync(join(users, mine), "");
  let left = false;
  return () => {
    if (left) return false;
    left = true;
    fs.rmSync(join(users, mine), { force: true });
    const dead = fs.readdirSync(users).filter((name) => !isAlive(Number.parseInt(name, 10)));
    for (const name of dead) fs.rmSync(join(users, name), { force: true });
    return fs.readdirSync(users).length === 0;
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function readPostmaster(folder: string): { pid: number; port: number; ready: boolean } | undefined {
  const lines = read(join(folder, "postmaster.pid"))?.split("\n");
  return lines && { pid: Number(lines[0]), port: Number(lines[3]), ready: lines[7]?.startsWith("ready") === true };
}

async function freePort(folder: string): Promise<number> {
  const last = Number(/"-p" "(\d+)"/.exec(read(join(folder, "postmaster.opts")) ?? "")?.[1] ?? 0);
  return (await listenOnce(last)) ?? (await listenOnce(0)) ?? 0;
}

function listenOnce(port: number): Promise<number | undefined> {
  return new Promise((done) => {
    const server = createServer().once("error", () => done(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" ? address?.port : undefined));
    });
  });
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
