import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHome, type Home, type Serving } from "../support/command.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

let home: Home;
let database: TestDatabase;
let db: pg.Client;
let key: string;
let serving: Serving;
beforeAll(async () => {
  home = await createHome();
  database = await createTestDatabase();
  db = new pg.Client({ connectionString: database.url });
  await db.connect();
  const environment = { DATABASE_URL: database.url, CLIENTELE_WORKERS: "2", CLIENTELE_LOG_LEVEL: "info" };
  key = JSON.parse((await home.run(["account", "create", "--name", "Acme", "--json"], environment)).stdout).testKey;
  serving = await home.serve(environment);
});
afterAll(async () => {
  await db.end();
  await home[Symbol.asyncDispose]();
  await database.drop();
});

test("workers share both ports, and what one does holds for all", async () => {
  expect(workers()).toHaveLength(2);
  const customer = { email: "ada@example.com" };
  const idempotencyKey = randomUUID();
  const answers = await many(() =>
    call("Customer/CreateCustomer", { customer }, { "idempotency-key": idempotencyKey }),
  );
  expect(new Set(answers.map(({ body }) => body.customer.id)).size).toBe(1);
  const { id } = answers[0]!.body.customer;

  await many((n) => call("Customer/CreateCustomer", { customer: { email: `c${n}@example.com` } }));
  const { body: first } = await call("Customer/ListCustomers", { pageSize: 5 });
  const pages = await many(() => call("Customer/ListCustomers", { pageSize: 5, pageToken: first.nextPageToken }));
  expect(new Set(pages.map(({ body }) => JSON.stringify(body.customers))).size).toBe(1);

  const { body: added } = await call("ApiKey/CreateApiKey", { apiKey: { kind: "SECRET" } });
  const withAdded = { "api-key": added.secret };
  expect(statuses(await many(() => call("Customer/GetCustomer", { id }, withAdded)))).toEqual([200]);
  await call("ApiKey/RevokeApiKey", { id: added.apiKey.id });
  await expect
    .poll(async () => statuses(await many(() => call("Customer/GetCustomer", { id }, withAdded))))
    .toEqual([401]);

  const metrics = await (await fetch(serving.metricsUrl!)).text();
  expect(metrics).toMatch(/rpc_server_call_duration_seconds_count\{.*RevokeApiKey.*\} 1\n/);
  expect(metrics).toMatch(/rpc_server_call_duration_seconds_count\{.*CreateCustomer.*"OK".*\} 40\n/);

  expect(await connections()).toBeLessThanOrEqual(10);
});

test("a worker that dies is replaced, and its place is taken meanwhile", async () => {
  const [killed, kept] = workers();
  process.kill(killed!, "SIGKILL");
  await expect.poll(() => workers().includes(killed!)).toBe(false);
  expect(statuses(await many((n) => create(n)))).toEqual([200]);
  await expect.poll(() => workers().length, { timeout: 30_000 }).toBe(2);
  expect(workers()).toContain(kept);
  expect(statuses(await many((n) => create(100 + n)))).toEqual([200]);
});

test("a worker that cannot serve ends all, with the reason", async () => {
  const port = new URL(serving.httpUrl).port;
  const environment = { DATABASE_URL: database.url, CLIENTELE_HTTP_PORT: port };
  const { code, stderr } = await home.run(["serve", "--workers", "2"], environment);
  expect(code).toBe(1);
  expect(stderr).toContain(`Port ${port} is in use`);
  expect(stderr).toContain("A worker could not serve.");
});

test("SIGTERM drains every worker", async () => {
  const created: string[] = [];
  let ending: Promise<{ code: number | null; stderr: string }> | undefined;
  const working = Array.from({ length: 8 }, async (_, caller) => {
    for (let n = 0; ; n++) {
      const email = `drain-${caller}-${n}@example.com`;
      const answer = await call("Customer/CreateCustomer", { customer: { email } }).catch((error) => {
        if (ending === undefined) throw error;
      });
      if (answer === undefined) return;
      expect(answer.status).toBe(200);
      created.push(email);
    }
  });
  await expect.poll(() => created.length, { timeout: 20_000 }).toBeGreaterThan(100);
  ending = serving.end("SIGTERM");
  const { code, stderr } = await ending;
  await Promise.all(working);
  expect(code).toBe(0);
  expect(
    logOf(stderr).filter(
      ({ msg, code, method }) => msg === "call" && method?.endsWith("/CreateCustomer") && code !== "OK",
    ),
  ).toEqual([]);
  const { rows } = await db.query<{ email: string }>("select email from customers where email like 'drain-%'");
  expect(rows.map(({ email }) => email).sort()).toEqual(created.sort());
  expect(await connections()).toBe(0);
});

async function connections(): Promise<number> {
  const sql = `select count(*)::int from pg_stat_activity
    where datname = current_database() and application_name = 'clientele'`;
  return (await db.query<{ count: number }>(sql)).rows[0]!.count;
}

function workers(): number[] {
  const { pid } = serving;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").filter(Boolean).map(Number);
}

// Each on a connection of its own, so that all workers take part.
async function many(one: (n: number) => ReturnType<typeof call>) {
  return await Promise.all(Array.from({ length: 20 }, (_, n) => one(n)));
}

function create(n: number) {
  return call("Customer/CreateCustomer", { customer: { email: `n${n}@example.com` } });
}

function statuses(answers: readonly { readonly status: number }[]): number[] {
  return [...new Set(answers.map(({ status }) => status))];
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of several calls.
async function call(name: string, body: object, header: object = {}): Promise<{ status: number; body: any }> {
  const [service, method] = name.split("/");
  const sent = request(`${serving.httpUrl}/clientele.v1.${service}Service/${method}`, {
    method: "POST",
    agent: false,
    headers: { "content-type": "application/json", "api-key": key, ...header },
  });
  sent.end(JSON.stringify(body));
  const [response] = await once(sent, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(chunks).toString()) };
}

interface Line {
  readonly msg: string;
  readonly method?: string;
  readonly code?: string;
}

function logOf(stderr: string): Line[] {
  return stderr.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
}
