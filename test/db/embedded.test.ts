import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connect } from "../../src/db/connection.js";
import { type Embedded, findEmbedded, startEmbedded } from "../../src/db/embedded.js";
import { classify } from "../../src/db/errors.js";

let dataDir: string;
const started: Embedded[] = [];
const programs: ChildProcess[] = [];

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "clientele-embedded-"));
});
afterEach(async () => {
  for (const program of programs.splice(0)) if (program.kill("SIGKILL")) await once(program, "exit");
  for (const embedded of started.splice(0)) await embedded.stop();
  await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
});

async function start(): Promise<Embedded> {
  const embedded = await startEmbedded({ dataDir, log: () => {} });
  started.push(embedded);
  return embedded;
}

async function startProgram(): Promise<{ url: string; program: ChildProcess }> {
  const args = ["--import", "tsx", join(import.meta.dirname, "embedded-owner.ts"), dataDir];
  const program = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  programs.push(program);
  const [url] = await once(createInterface(program.stdout), "line");
  return { url, program };
}

async function ask(url: string, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

async function postmasterPid(): Promise<number> {
  return Number.parseInt(await readFile(join(dataDir, "postgres", "postmaster.pid"), "utf8"), 10);
}

test("its data survives a stop and a start, under the same address", async () => {
  const first = await start();
  await ask(first.url, "create table kept as select 7 as n");
  await first.stop();
  expect(await findEmbedded(dataDir)).toBeUndefined();
  const second = await start();
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, "select n from kept")).toEqual([[7]]);
});

test("it knows Unicode, keeps its promises and listens on this machine only", async () => {
  const { url } = await start();
  const settings =
    "select lower('ÀÖẞ'), current_setting('fsync'), current_setting('synchronous_commit'), current_setting('listen_addresses')";
  expect(await ask(url, settings)).toEqual([["àöß", "on", "on", "127.0.0.1"]]);
  expect((await stat(join(dataDir, "postgres", "clientele-password"))).mode & 0o777).toBe(0o600);
  await expect(ask(url.replace(/:[^:@]+@/, ":guessed@"), "select 1")).rejects.toThrow("password");
});

test("a second start joins the first, and the last to leave stops it", async () => {
  const [first, second] = await Promise.all([start(), start()]);
  expect(second.url).toBe(first.url);
  expect(await findEmbedded(dataDir)).toBe(first.url);
  await first.stop();
  expect(await ask(second.url, "select 1")).toEqual([[1]]);
  await second.stop();
  await second.stop();
  expect(await findEmbedded(dataDir)).toBeUndefined();
});

test("a server that a killed program left behind is taken over with its data", async () => {
  const { url, program } = await startProgram();
  await ask(url, "create table kept as select 7 as n");
  program.kill("SIGKILL");
  await once(program, "exit");
  const adopted = await start();
  expect(adopted.url).toBe(url);
  expect(await ask(adopted.url, "select n from kept")).toEqual([[7]]);
  await adopted.stop();
  expect(await findEmbedded(dataDir)).toBeUndefined();
});

test("a server that another program uses goes on when this one leaves", async () => {
  const { url } = await startProgram();
  const joined = await start();
  await joined.stop();
  expect(await findEmbedded(dataDir)).toBe(url);
  await start();
});

test.for(["SIGTERM", "SIGHUP"] as const)("it ends with a program that exits on %s", async (signal) => {
  const { program } = await startProgram();
  program.kill(signal);
  await once(program, "exit");
  await expect.poll(() => findEmbedded(dataDir)).toBeUndefined();
});

test("after a crash of Postgres what was committed is there, and the pools heal", async () => {
  const crashed = await start();
  const db = connect({ connectionString: crashed.url, poolSize: 2, namedStatements: true });
  await db.raw("create table kept as select 7 as n");
  process.kill(await postmasterPid(), "SIGKILL");
  await expect.poll(() => db("kept").catch(classify)).toBe("unavailable");
  await start();
  await expect.poll(() => db("kept").catch(classify)).toEqual([{ n: 7 }]);
  await db.destroy();
});

test("pools heal after a restart of Postgres", async () => {
  const before = await start();
  const db = connect({ connectionString: before.url, poolSize: 2, namedStatements: true });
  await Promise.all([1, 2].map((n) => db.raw("select ?::int, pg_sleep(0.05)", [n])));
  await before.stop();
  expect(await db.raw("select 1").catch(classify)).toBe("unavailable");
  await start();
  expect((await db.raw("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await db.destroy();
});

test("a folder that holds no database of ours is an error that says why", async () => {
  await start().then(({ stop }) => stop());
  await rm(join(dataDir, "postgres", "global"), { recursive: true });
  await expect(start()).rejects.toThrow(/postgres\.log says:\n.*global/s);
});
