import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethodUnary, JsonValue } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AddressService } from "../../gen/clientele/v1/addresses_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { findEmbedded } from "../../src/db/embedded.js";
import type { Clientele } from "../support/clientele.js";
import { createHome, type Home, type Serving } from "../support/command.js";
import { type Call, ways } from "../support/ways.js";

const { createCustomer, updateCustomer } = CustomerService.method;
const { createAddress } = AddressService.method;
const programs = ways.filter(({ name }) => !name.startsWith("buf curl"));
const writers = 10;
const rounds = 4;

// What a client is told while something is down, and shortly after.
const passing = new Set(["CONFLICT", "DEADLINE_EXCEEDED", "UNAVAILABLE", "no answer"]);

/** A change that a client asked for until it was answered, or once if it has no key. */
interface Change {
  readonly method: DescMethodUnary;
  readonly request: JsonValue;
  readonly key?: string;
  /** What it leaves in the database, by a name of its own; renamings of one customer share theirs. */
  readonly effect: string;
  /** Absent when nobody knows whether it happened. */
  answer?: JsonValue;
}

let home: Home;
let serving: Serving;
let key: string;
let changes: Change[];
let stopped: boolean;
beforeEach(async () => {
  home = await createHome();
  // No rule of this preset would hide a customer that was created twice.
  const account = await home.run(["account", "create", "--name", "Acme", "--preset", "DIGITAL_RIVER", "--json"]);
  key = JSON.parse(account.stdout).testKey;
  serving = await home.serve();
  changes = [];
  stopped = false;
});
afterEach(() => home[Symbol.asyncDispose]());

describe("every change is there once, with its event, and nothing else is,", () => {
  test("when the server is killed in the middle of writes", async () => {
    await whileWriting(async () => {
      await serving.end("SIGKILL");
      serving = await home.serve();
    });
    await expectTheTruth();
  }, 120_000);

  test("when Postgres is killed in the middle of writes, and the service heals by itself", async () => {
    await whileWriting(async () => {
      const before = home.postmaster()!;
      process.kill(before, "SIGKILL");
      await expect.poll(() => home.postmaster() ?? before, { timeout: 20_000 }).not.toBe(before);
    });
    await expectTheTruth();
  }, 120_000);
});

// Each round waits until every client has been answered again since the last crash, and crashes in the middle.
async function whileWriting(crash: () => Promise<void>): Promise<void> {
  const answered = new Array<number>(writers).fill(0);
  const working = answered.map(async (_, writer) => {
    const write = writes(writer);
    while (!stopped) {
      await write();
      answered[writer]! += 1;
    }
  });
  const allAnswered = async () => {
    const goals = answered.map((count) => count + 3);
    const done = () => answered.every((count, writer) => count >= goals[writer]!);
    await expect.poll(done, { timeout: 30_000, interval: 5 }).toBe(true);
  };
  const crashing = async () => {
    try {
      for (let round = 0; round < rounds; round++) {
        await allAnswered();
        await sleep(Math.random() * 50);
        await crash();
      }
      await allAnswered();
    } finally {
      stopped = true;
    }
  };
  await Promise.all([crashing(), ...working]);
}

// A client that makes customers, renames them and gives them addresses. Every third one uses no Idempotency-Key.
function writes(writer: number): () => Promise<void> {
  const keyed = writer % 3 !== 2;
  const way = programs[writer % programs.length]!;
  let own: { id: string; change: string } | undefined;
  let count = 0;
  let client: Call | undefined;
  let clientOf: Serving | undefined;

  return async () => {
    count += 1;
    const change = { ...nextChange(`${writer}-${count}`), ...(keyed ? { key: randomUUID() } : {}) };
    changes.push(change);
    const answer = await send(change);
    if (change.method === createCustomer && answer !== undefined) {
      own = { id: (answer as { customer: { id: string } }).customer.id, change: change.effect };
    }
  };

  function nextChange(name: string): Change {
    if (own === undefined || count % 4 === 0) {
      return { method: createCustomer, request: { customer: { metadata: { change: name } } }, effect: name };
    }
    if (count % 4 === 1) {
      return {
        method: createAddress,
        request: { customerId: own.id, address: { label: name, line1: "1 Main St" } },
        effect: name,
      };
    }
    const effect = `${own.change} renamed`;
    return { method: updateCustomer, request: { customer: { id: own.id, name } }, effect };
  }

  async function send(change: Change): Promise<JsonValue | undefined> {
    while (true) {
      if (client === undefined || clientOf !== serving) client = open(way);
      clientOf = serving;
      try {
        change.answer = await client(change.method, change.request, headersOf(change));
        return change.answer;
      } catch (error) {
        if (!passing.has(reasonOf(error)) || stopped) throw error;
        await sleep(200);
        if (change.key === undefined) return undefined;
      }
    }
  }
}

async function expectTheTruth(): Promise<void> {
  const keyed = changes.filter((change) => change.key !== undefined);
  const client = open(programs[0]!);
  for (const change of keyed) {
    expect(await client(change.method, change.request, headersOf(change))).toEqual(change.answer);
  }

  const db = new pg.Client({ connectionString: await findEmbedded(home.dataDir) });
  await db.connect();
  try {
    await expectEachOnce(db);
    await expectNoHalfWork(db);
    const keys = await db.query("select count(*)::int, count(response)::int as answered from idempotency_keys");
    expect(keys.rows).toEqual([{ count: keyed.length, answered: keyed.length }]);
  } finally {
    await db.end();
  }
}

// I1 and I2: once each change that was answered, at most once each that was not.
async function expectEachOnce(db: pg.Client): Promise<void> {
  const { rows } = await db.query<{ name: string; count: number }>(`
    select name, count(*)::int from (
      select metadata->>'change' as name from customers
      union all select label from addresses
      union all select c.metadata->>'change' || ' renamed' from customers c
        join events e on e.tenant_id = c.tenant_id and e.resource_id = c.id and e.type = 'customer.updated'
    ) effects group by name`);
  const stored = new Map(rows.map(({ name, count }) => [name, count]));
  const asked = new Set(changes.map(({ effect }) => effect));
  const wrong = [...asked].filter((effect) => {
    const all = changes.filter((change) => change.effect === effect);
    const count = stored.get(effect) ?? 0;
    return count > all.length || count < all.filter(({ answer }) => answer !== undefined).length;
  });
  expect(wrong).toEqual([]);
  expect([...stored.keys()].filter((effect) => !asked.has(effect))).toEqual([]);
}

// I3: every row has its events, and no event is without its row.
async function expectNoHalfWork(db: pg.Client): Promise<void> {
  const rows = "(select 'customer.created', id from customers union all select 'address.created', id from addresses)";
  const events = "(select type, resource_id from events where type in ('customer.created', 'address.created'))";
  expect((await db.query(`${rows} except all ${events}`)).rows).toEqual([]);
  expect((await db.query(`${events} except all ${rows}`)).rows).toEqual([]);
  const versions = await db.query(`
    select id from customers c where version <> 1 + (
      select count(*) from events e
      where e.tenant_id = c.tenant_id and e.resource_id = c.id and e.type = 'customer.updated')`);
  expect(versions.rows).toEqual([]);
}

function open(way: (typeof ways)[number]): Call {
  return way.open(serving as unknown as Clientele, key);
}

function headersOf({ key }: Change): Record<string, string> {
  return key === undefined ? {} : { "idempotency-key": key };
}

function reasonOf(error: unknown): string {
  const info = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0] : undefined;
  return info?.reason ?? "no answer";
}
