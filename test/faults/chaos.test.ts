import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { ConnectError, createClient } from "@connectrpc/connect";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { type Event, EventService } from "../../gen/clientele/v1/events_pb.js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { findEmbedded } from "../../src/db/embedded.js";
import { type Clientele, transports } from "../support/clientele.js";
import { createHome, type Home, type Serving } from "../support/command.js";
import { numbersOf } from "../support/watching.js";
import { type Call, ways } from "../support/ways.js";

// CHAOS_ROUNDS=50 is what was asked for before a release; a few show what a mistake would break.
const rounds = Number(process.env.CHAOS_ROUNDS ?? 5);
const { createCustomer, updateCustomer } = CustomerService.method;
const programs = ways.filter(({ name }) => !name.startsWith("buf curl"));
const writers = 20;
const watchers = 5;

// What a client is told while something is down, and shortly after.
const passing = new Set(["CONFLICT", "DEADLINE_EXCEEDED", "UNAVAILABLE", "no answer"]);

/** A change that was answered: the reason that its event bears, and the version that it made of its customer. */
interface Change {
  readonly customer: string;
  readonly reason: string;
  readonly version: number;
}

let home: Home;
let serving: Serving;
let key: string;
let stopped = false;
const changes: Change[] = [];
const asked = new Set<string>();
beforeEach(async () => {
  home = await createHome();
  const account = await home.run(["account", "create", "--name", "Acme", "--preset", "DIGITAL_RIVER", "--json"]);
  key = JSON.parse(account.stdout).testKey;
  serving = await home.serve();
});
afterEach(() => home[Symbol.asyncDispose]());

test(
  "every watch sees every change once, those of a customer in order, however often the server or Postgres is killed",
  async () => {
    const first = programs[0]!.open(serving as unknown as Clientele, key);
    const customers: string[] = [];
    for (let i = 0; i < 6; i++) {
      const { customer } = (await first(createCustomer, { customer: {} })) as { customer: { id: string } };
      customers.push(customer.id);
    }
    const answered = new Array<number>(writers).fill(0);
    const writing = answered.map(async (_, writer) => {
      const write = writes(writer, customers);
      while (!stopped) {
        await write();
        answered[writer]! += 1;
      }
    });
    const watching = Array.from({ length: watchers }, (_, i) => watches(i));
    const settled = async () => {
      const goals = [...answered.map((count) => count + 2), ...watching.map(({ events }) => events.length + 1)];
      const done = () => [...answered, ...watching.map(({ events }) => events.length)].every((n, i) => n >= goals[i]!);
      await expect.poll(done, { timeout: 60_000, interval: 5 }).toBe(true);
    };
    try {
      for (let round = 0; round < rounds; round++) {
        await settled();
        await sleep(Math.random() * 50);
        if (Math.random() < 0.5) await killServer();
        else await killPostgres();
      }
      await settled();
    } catch (error) {
      throw new Error(`the server said: ${(await serving.end("SIGKILL")).stderr}`, { cause: error });
    } finally {
      stopped = true;
      await Promise.allSettled(writing);
    }
    await Promise.all(writing);

    const { stored, versions } = await truth();
    // No event without its change, and none twice.
    const reasons = stored.map(({ reason }) => reason).filter((reason) => reason !== null);
    expect(reasons.filter((reason) => !asked.has(reason))).toEqual([]);
    expect(new Set(reasons).size).toBe(reasons.length);
    for (const id of customers) {
      expect(stored.filter((event) => event.resource_id === id)).toHaveLength(versions.get(id)!);
    }
    // No change without its event, in the order of the versions that the changes made.
    expect(changes.filter(({ reason }) => !reasons.includes(reason))).toEqual([]);
    for (const watch of watching) {
      await expect.poll(() => watch.events.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(stored.length);
      await watch.stop();
      expect(numbersOf(watch.events)).toEqual(stored.map((_, i) => i + 1));
      for (const id of customers) {
        const seen = watch.events.filter((event) => event.resourceId === id).map(({ reason }) => reason);
        for (const { customer, reason, version } of changes) {
          if (customer === id) expect(seen[version - 1]).toBe(reason);
        }
      }
    }
  },
  60_000 + rounds * 30_000,
);

async function killServer(): Promise<void> {
  await serving.end("SIGKILL");
  serving = await home.serve();
}

async function killPostgres(): Promise<void> {
  const before = home.postmaster()!;
  process.kill(before, "SIGKILL");
  await expect.poll(() => home.postmaster() ?? before, { timeout: 30_000 }).not.toBe(before);
}

// Renames one customer after the other, each time until it is answered, with one Idempotency-Key.
function writes(writer: number, customers: readonly string[]): () => Promise<void> {
  const way = programs[writer % programs.length]!;
  let count = 0;
  let client: Call | undefined;
  let clientOf: Serving | undefined;
  return async () => {
    count += 1;
    const id = customers[Math.floor(Math.random() * customers.length)]!;
    const reason = `w${writer}-${count}`;
    const headers = { "idempotency-key": randomUUID(), "x-reason": reason };
    asked.add(reason);
    while (true) {
      if (client === undefined || clientOf !== serving) client = way.open(serving as unknown as Clientele, key);
      clientOf = serving;
      try {
        const answer = await client(updateCustomer, { customer: { id, name: reason } }, headers);
        const { etag } = (answer as { customer: { etag: string } }).customer;
        changes.push({ customer: id, reason, version: Number.parseInt(etag.slice(1), 36) });
        return;
      } catch (error) {
        if (!passing.has(reasonOf(error))) throw error;
        if (stopped) return;
        await sleep(200);
      }
    }
  };
}

// Watches from the first event on, and after any end of a stream from where it was.
function watches(index: number) {
  const [, open] = Object.entries(transports)[index % Object.keys(transports).length]!;
  const events: Event[] = [];
  const controller = new AbortController();
  let cursor = "";
  const watching = (async () => {
    while (!controller.signal.aborted) {
      const client = createClient(EventService, open(serving as unknown as Clientele, key));
      try {
        const from = cursor === "" ? { fromBeginning: true } : { cursor };
        for await (const message of client.watchEvents(from, { signal: controller.signal })) {
          events.push(...message.events);
          cursor = message.cursor;
        }
        expect.fail("a watch ended without an error");
      } catch (error) {
        if (!controller.signal.aborted && !passing.has(reasonOf(error))) throw error;
        await sleep(200);
      }
    }
  })();
  const stop = async () => {
    controller.abort();
    await watching;
  };
  return { events, stop };
}

async function truth() {
  const db = new pg.Client({ connectionString: await findEmbedded(home.dataDir) });
  await db.connect();
  try {
    const { rows: stored } = await db.query<{ reason: string | null; resource_id: string }>(
      `select reason, resource_id from events where tenant_id = (select tenant_id from customers limit 1)`,
    );
    const { rows } = await db.query<{ id: string; version: string }>("select id, version from customers");
    return { stored, versions: new Map(rows.map(({ id, version }) => [id, Number(version)])) };
  } finally {
    await db.end();
  }
}

// What a failure means, as far as its client was told; a lost connection tells nothing.
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === "AssertionError") return error.message;
  const info = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0] : undefined;
  return info?.reason ?? "no answer";
}
