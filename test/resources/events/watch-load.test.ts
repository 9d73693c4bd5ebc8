import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { encodeEnvelope } from "@connectrpc/connect/protocol";
import { beforeAll, expect, test } from "vitest";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import {
  EventService,
  WatchEventsRequestSchema,
  WatchEventsResponseSchema,
} from "../../../gen/clientele/v1/events_pb.js";
import { startClientele, type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { generousMs } from "../../support/time.js";
import { numbersOf, watch } from "../../support/watching.js";

const watches = 1_000;

let account: TestAccount;
const clientele = useClientele({}, { CLIENTELE_WATCHES_PER_TENANT: String(watches) });
beforeAll(async () => {
  account = await clientele.createAccount();
});

/** Adds events as a job does: nobody is told. */
async function addEvents(count: number, to = clientele): Promise<void> {
  await to.db.raw(
    `insert into events (tenant_id, type, resource_id, changed_paths, actor, actor_kind, create_time)
     select tenant_id, 'customer.updated', 'c' || n, '{name}', 'system', 'system', now()
     from tenants, generate_series(1, ?) n where not live_mode`,
    [count],
  );
}

// Connections to the database that wait in a transaction or run something, but the one that asks.
async function busyConnections(): Promise<number> {
  const { rows } = await clientele.db.raw(
    `select count(*)::int from pg_stat_activity
     where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`,
  );
  return rows[0].count;
}

test("a thousand watches on one process all see every event, and calls go on beside them", async () => {
  const each = 100;
  const clients = Array.from({ length: watches / each }, (_, i) => {
    const open = transports[i % 2 === 0 ? "gRPC on the internal port" : "Connect in binary"]!;
    return createClient(EventService, open(clientele, account.testKey));
  });
  const all = clients.flatMap((client) => Array.from({ length: each }, () => watch(client)));
  await Promise.all(all.map(({ started }) => started));
  const customers = 10;
  const before = performance.now();
  for (let i = 0; i < customers; i++) {
    await account.test.customers.createCustomer({ customer: { email: `c${i}@example.com` } });
  }
  const calls = performance.now() - before;
  await Promise.all(all.map((one) => one.until(customers, 30_000)));
  const [first] = all;
  const numbers = numbersOf(first!.events);
  expect(numbers).toEqual(Array.from({ length: customers }, (_, i) => numbers[0]! + i));
  for (const { events } of all) expect(numbersOf(events)).toEqual(numbers);
  expect(calls / customers).toBeLessThan(generousMs);

  await Promise.all(all.map((one) => one.stop()));
  await expect.poll(busyConnections).toBe(0);
  // Their places are free again.
  const again = watch(account.test.events);
  await again.started;
  await again.stop();
}, 120_000);

/** A watch over HTTP/2 by hand, whose client reads only what it is told to. */
function slowWatch(
  url: string,
  key = account.testKey,
  request: MessageInitShape<typeof WatchEventsRequestSchema> = {},
) {
  const session: ClientHttp2Session = connect(url, { settings: { initialWindowSize: 1_000 } });
  session.on("error", () => {});
  const stream: ClientHttp2Stream = session.request({
    ":method": "POST",
    ":path": `/${EventService.typeName}/WatchEvents`,
    "content-type": "application/grpc",
    "api-key": key,
    te: "trailers",
  });
  stream.on("error", () => {});
  stream.end(encodeEnvelope(0, toBinary(WatchEventsRequestSchema, create(WatchEventsRequestSchema, request))));
  return { session, stream };
}

test.for(["public", "internal"])(
  "a client on the %s port that reads nothing holds no connection to the database, and sees all when it reads again",
  { timeout: 90_000 },
  async (which) => {
    const url = which === "public" ? clientele.httpUrl : `http://${clientele.grpcAddress}`;
    const { session, stream } = slowWatch(url);
    await once(stream, "response");
    stream.pause();
    const quick = watch(account.test.events);
    await quick.started;
    const count = 30_000;
    await addEvents(count);
    await quick.until(count, 30_000);
    await quick.stop();
    await expect.poll(busyConnections).toBe(0);
    let bytes = 0;
    let seen = 0;
    let rest = Buffer.alloc(0);
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
        const end = 5 + rest.readUInt32BE(1);
        seen += fromBinary(WatchEventsResponseSchema, rest.subarray(5, end)).events.length;
        rest = rest.subarray(end);
      }
    });
    stream.resume();
    await expect.poll(() => seen, { timeout: 30_000 }).toBe(count);
    expect(bytes).toBeGreaterThan(1_000_000);
    session.destroy();
  },
);

test("a client that reads nothing frees its place when it disconnects", async () => {
  const own = await startClientele({}, { CLIENTELE_WATCHES_PER_TENANT: "1" });
  const { testKey, test: clients } = await own.createAccount();
  for (const url of [own.httpUrl, `http://${own.grpcAddress}`]) {
    const { session, stream } = slowWatch(url, testKey);
    await once(stream, "response");
    stream.pause();
    // More than the windows and the buffers on the way hold.
    await addEvents(1_500, own);
    await expect.poll(() => stream.readableLength).toBeGreaterThan(500);
    session.destroy();
    const next = () => {
      const watching = watch(clients.events);
      return watching.started.then(() => watching.stop());
    };
    await expect
      .poll(
        () =>
          next().then(
            () => "watches",
            () => "refused",
          ),
        { timeout: 5_000 },
      )
      .toBe("watches");
  }
  await own.stop();
});

test.for(["public", "internal"])(
  "a client on the %s port that always has more to read, and reads it slowly, is ended with its key all the same",
  { timeout: 60_000 },
  async (port) => {
    const { test: clients } = account;
    await addEvents(20_000);
    const { apiKey, secret } = await clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET } });
    const url = port === "public" ? clientele.httpUrl : `http://${clientele.grpcAddress}`;
    const { session, stream } = slowWatch(url, secret!, { fromBeginning: true });
    let status: unknown;
    stream.once("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    let [bytes, since] = [0, 0];
    for await (const chunk of stream) {
      bytes += chunk.length;
      if (since === 0 && bytes > 100_000) {
        await clients.apiKeys.revokeApiKey({ id: apiKey!.id });
        since = performance.now();
      }
      await sleep(200);
    }
    session.destroy();
    expect(status).toBe(String(Code.Unauthenticated));
    expect(performance.now() - since).toBeLessThan(2 * generousMs);
  },
);
