import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import type { Clientele } from "../support/clientele.js";
import { createHome, type Home, type Serving } from "../support/command.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { type Call, ways } from "../support/ways.js";

const { createCustomer, updateCustomer } = CustomerService.method;
// The ways in by programs; each `open` is a client with a connection of its own.
const programs = ways.filter(({ name }) => !name.startsWith("buf curl"));

let home: Home;
let database: TestDatabase;
let db: pg.Client;
let key: string;
let serving: Serving;
beforeEach(async () => {
  home = await createHome();
  database = await createTestDatabase();
  db = new pg.Client({ connectionString: database.url });
  await db.connect();
  // The load must not decide whether a statement gets its connection in time.
  const patient = { CLIENTELE_POOL_SIZE: "40", CLIENTELE_DATABASE_WAIT_SECONDS: "9" };
  const environment = { DATABASE_URL: database.url, CLIENTELE_LOG_LEVEL: "info", ...patient };
  key = JSON.parse((await home.run(["account", "create", "--name", "Acme", "--json"], environment)).stdout).testKey;
  serving = await home.serve(environment);
});
afterEach(async () => {
  await db.end();
  await home[Symbol.asyncDispose]();
  await database.drop();
});

test("SIGTERM lets every call in flight succeed, takes no new one, and ends the process", async () => {
  const each = 6;
  const clients = programs.flatMap((way) => Array.from({ length: each }, () => open(way)));
  const ids = await Promise.all(clients.map((client) => create(client, newEmail())));
  await closeGate();
  const inFlight = clients.map((client, i) => client(updateCustomer, { customer: { id: ids[i]!, name: "Bea" } }));
  await expect.poll(waiting).toBe(clients.length);

  const ended = serving.end("SIGTERM");
  await expect
    .poll(() =>
      fetch(`${serving.httpUrl}/healthz`).then(
        () => "answers",
        () => "refused",
      ),
    )
    .toBe("refused");
  await expect(create(open(programs[0]!), newEmail())).rejects.toThrow();
  await db.query("delete from gate");

  const answers = await Promise.all(inFlight);
  expect(answers).toHaveLength(30);
  for (const answer of answers) expect(answer).toMatchObject({ customer: { name: "Bea" } });
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  expect(failuresIn(stderr)).toEqual([]);
});

test("SIGTERM under load fails only calls that never began", async () => {
  const created: string[] = [];
  const refused: { way: string; late: boolean; error: string }[] = [];
  let ended: ReturnType<Serving["end"]> | undefined;
  const working = programs.flatMap((way) =>
    Array.from({ length: 6 }, async () => {
      const client = open(way);
      while (true) {
        const email = newEmail();
        try {
          await create(client, email);
          created.push(email);
        } catch (error) {
          refused.push({ way: way.name, late: ended !== undefined, error: chainOf(error) });
          return;
        }
      }
    }),
  );
  await expect.poll(() => created.length, { timeout: 20_000 }).toBeGreaterThan(200);
  ended = serving.end("SIGTERM");
  const { code, stderr } = await ended;
  expect(code).toBe(0);
  await Promise.all(working);

  // A client that lost its race against the end tells so in many ways. The service tells which calls it began.
  expect(refused.filter(({ late }) => !late)).toEqual([]);
  expect(failuresIn(stderr)).toEqual([]);
  expect(callsIn(stderr)).toHaveLength(created.length);
  const stored = await db.query<{ email: string }>("select email from customers");
  expect(stored.rows.map(({ email }) => email).sort()).toEqual(created.sort());
});

function open(way: (typeof ways)[number]): Call {
  return way.open(serving as unknown as Clientele, key);
}

async function create(client: Call, email: string): Promise<string> {
  const { customer } = (await client(createCustomer, { customer: { email } })) as { customer: { id: string } };
  return customer.id;
}

function failuresIn(log: string): object[] {
  return linesOf(log).filter(({ msg, code }) => msg !== "call" || code !== "OK");
}

function callsIn(log: string): object[] {
  return linesOf(log).filter(({ msg }) => msg === "call");
}

function linesOf(log: string): { msg: string; code?: string }[] {
  return log.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
}

function newEmail(): string {
  return `${randomUUID()}@example.com`;
}

// Holds up every change of a customer until the row of the gate is deleted.
async function closeGate(): Promise<void> {
  await db.query(`
    create table gate as select true as closed;
    create function wait_at_gate() returns trigger language plpgsql as $$ begin
      while exists (select from gate) loop perform pg_sleep(0.02); end loop;
      return new;
    end $$;
    create trigger wait_at_gate before update on customers for each row execute function wait_at_gate();`);
}

async function waiting(): Promise<number> {
  const sql = `select count(*)::int from pg_stat_activity
    where datname = current_database() and state = 'active' and pid <> pg_backend_pid()`;
  return (await db.query<{ count: number }>(sql)).rows[0]!.count;
}

// What went wrong, and why, and why that.
function chainOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  return `${error.message} ${"code" in error ? error.code : ""} < ${chainOf(error.cause)}`;
}
