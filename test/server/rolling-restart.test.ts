import { Agent } from "node:http";
import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Backend, type Balancer, startBalancer } from "../support/balancer.js";
import { clientsOn, transports } from "../support/clientele.js";
import { createHome, type Home, type Serving } from "../support/command.js";
import { newEmail } from "../support/customers.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

// The goal is none of 4,000 over 8 restarts: RESTARTS=8 CALLS=4000 npx vitest run, with this file, takes two minutes.
const restarts = Number(process.env.RESTARTS ?? 2);
const calls = Number(process.env.CALLS ?? 1_000);
const pollMs = 200;
const clientsOfEachKind = 2;

// Each client of HTTP/1.1 has one connection, and it is in use: the end of an idle one cannot be announced.
const http1 = (baseUrl: string, key: string) => ({
  baseUrl,
  httpVersion: "1.1" as const,
  nodeOptions: { agent: new Agent({ keepAlive: true, maxSockets: 1 }) },
  interceptors: [withKey(key)],
});
const ways = {
  "Connect over HTTP/1.1": ({ httpUrl }: Backend, key: string) => createConnectTransport(http1(httpUrl, key)),
  "gRPC-Web over HTTP/1.1": ({ httpUrl }: Backend, key: string) => createGrpcWebTransport(http1(httpUrl, key)),
  "Connect over HTTP/2": transports["Connect in binary"]!,
  "gRPC on the public port": transports["gRPC on the public port"]!,
  "gRPC on the internal port": transports["gRPC on the internal port"]!,
};

let home: Home;
let database: TestDatabase;
let balancer: Balancer;
let environment: Record<string, string>;
beforeEach(async () => {
  home = await createHome();
  database = await createTestDatabase();
  balancer = await startBalancer(pollMs);
  environment = { DATABASE_URL: database.url, CLIENTELE_DRAIN_DELAY_SECONDS: "3" };
});
afterEach(async () => {
  await balancer[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
  await database.drop();
});

test(
  "a rolling restart behind a balancer that polls /readyz loses no call",
  async () => {
    const created = await home.run(["account", "create", "--name", "Acme", "--json"], environment);
    const key: string = JSON.parse(created.stdout).testKey;
    const processes = [await join(), await join()];
    let answered = 0;
    let restarting = true;
    const lost: string[] = [];
    const working = Object.entries(ways).flatMap(([name, open]) =>
      Array.from({ length: clientsOfEachKind }, async () => {
        const { customers } = clientsOn(open(balancer, key));
        while (restarting || answered + lost.length < calls) {
          await customers.createCustomer({ customer: { email: newEmail() } }).then(
            () => {
              answered += 1;
            },
            (error) => lost.push(`${name}: ${error}`),
          );
        }
      }),
    );
    for (let i = 1; i <= restarts; i++) {
      const { code } = await processes.shift()!.end("SIGTERM");
      expect(code).toBe(0);
      processes.push(await join());
      // The rest of the calls comes while the processes restart.
      const share = (i * calls) / restarts / 2;
      await expect.poll(() => answered + lost.length, { timeout: 100_000 }).toBeGreaterThan(share);
    }
    restarting = false;
    await Promise.all(working);
    expect(lost).toEqual([]);
    expect(answered).toBeGreaterThanOrEqual(calls);
  },
  restarts * 120_000,
);

async function join(): Promise<Serving> {
  const serving = await home.serve(environment);
  balancer.add(serving);
  await balancer.ready(serving);
  return serving;
}

function withKey(key: string): Interceptor {
  return (next) => async (req) => {
    req.header.set("api-key", key);
    return await next(req);
  };
}
