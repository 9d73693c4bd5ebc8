import { Agent, type RequestOptions, request as sendHttp } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuOf, cpuOfChildren } from "./cpu.js";
import { quantile } from "./latency.js";
import type { Measure } from "./load.js";
import { medianOf } from "./table.js";

export interface HttpOptions {
  readonly url: string;
  readonly method: string;
  readonly header: readonly string[];
  readonly body?: string;
  readonly pid: number;
  readonly postmaster?: number;
  readonly concurrency: number;
  readonly seconds: number;
  readonly rounds: number;
}

const warmupMs = 2_000;

/** Puts a closed loop of requests on a server of any kind, and prints what each costs. Every answer must be a 2xx. */
export async function measureHttp(options: HttpOptions): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.concurrency });
  const headers = Object.fromEntries(options.header.map((header) => header.split(/:\s*(.*)/s).slice(0, 2)));
  // No two requests of the whole run are alike, also after an earlier run on the same database.
  let sent = Date.now();
  let latencies: number[] = [];
  let goesOn = true;
  async function requestInTurn(): Promise<void> {
    while (goesOn) {
      const n = String(sent++);
      const start = performance.now();
      await send({ agent, method: options.method, headers }, options.url.replaceAll("{n}", n), bodyOf(options, n));
      latencies.push(performance.now() - start);
    }
  }
  const callers = Promise.all(Array.from({ length: options.concurrency }, requestInTurn));
  try {
    await Promise.race([sleep(warmupMs), callers]);
    const runs: Measure[] = [];
    for (let round = 0; round < options.rounds; round++) {
      latencies = [];
      const before = clocks(options);
      await Promise.race([sleep(options.seconds * 1000), callers]);
      runs.push(measureOf(before, clocks(options), latencies));
    }
    goesOn = false;
    await callers;
    print(medianOf(runs));
  } finally {
    goesOn = false;
    agent.destroy();
  }
}

function bodyOf({ body }: HttpOptions, n: string): string | undefined {
  return body?.replaceAll("{n}", n);
}

function send(options: RequestOptions, url: string, body: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = sendHttp(url, options, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      res.on("error", reject);
      res.on("end", () => {
        const { statusCode = 0 } = res;
        if (statusCode >= 200 && statusCode < 300) resolve();
        else reject(new Error(`HTTP ${statusCode}: ${text.slice(0, 500)}`));
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function clocks({ pid, postmaster }: HttpOptions) {
  const { user, system } = process.cpuUsage();
  const postgres = postmaster === undefined ? 0 : cpuOfChildren(postmaster);
  return { time: performance.now(), server: cpuOf(pid) + cpuOfChildren(pid), postgres, client: user + system };
}

type Clocks = ReturnType<typeof clocks>;

function measureOf(before: Clocks, after: Clocks, latencies: readonly number[]): Measure {
  const sorted = [...latencies].sort((a, b) => a - b);
  const count = sorted.length;
  if (count === 0) throw new Error("no request ended in time");
  return {
    perSecond: (count * 1000) / (after.time - before.time),
    serverCpu: (after.server - before.server) / count,
    postgresCpu: (after.postgres - before.postgres) / count,
    clientCpu: (after.client - before.client) / count,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
  };
}

function print({ perSecond, serverCpu, postgresCpu, clientCpu, p50, p99 }: Measure): void {
  process.stdout.write(
    `${perSecond.toFixed(0)} requests/s; server CPU ${serverCpu.toFixed(0)} µs, Postgres CPU ${postgresCpu.toFixed(0)} µs, client CPU ` +
      `${clientCpu.toFixed(0)} µs a request; p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms\n`,
  );
}
