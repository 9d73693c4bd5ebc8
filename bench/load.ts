import { setTimeout as sleep } from "node:timers/promises";
import { open, type Target } from "./clients.js";
import { cpuOf, cpuOfChildren } from "./cpu.js";
import { type Call, exchangeOf } from "./requests.js";

/** One run of load: which call, against what, for how long. */
export interface Job extends Target {
  readonly call: Call;
  /** Seeded customers. */
  readonly rows: number;
  readonly warmupMs: number;
  readonly measureMs: number;
  readonly serverPid: number;
  readonly postmasterPid: number;
}

/** The figures of a run. CPU is microseconds a request, latencies are milliseconds. */
export interface Measure {
  readonly perSecond: number;
  readonly serverCpu: number;
  readonly postgresCpu: number;
  readonly clientCpu: number;
  readonly p50: number;
  readonly p99: number;
}

export type Report = { readonly measure: Measure } | { readonly failure: string };

// The load client: a process of its own, which runs one job at a time.
process.on("message", (job: Job) => {
  run(job).then(
    (measure) => report({ measure }),
    (error) => report({ failure: `${job.call}: ${error instanceof Error ? error.message : String(error)}` }),
  );
});

// No two requests of the whole bench are alike.
let sent = 0;

// Closed loop: a call is sent when another is answered. Counted is what ends between two readings of the CPU clocks, while
// the load goes on, so that neither its start nor its end is measured.
async function run(job: Job): Promise<Measure> {
  const exchange = exchangeOf(job.call, job.rows);
  const connections = open(job, exchange);
  const latencies: number[] = [];
  let goesOn = true;
  async function callInTurn() {
    while (goesOn) {
      const n = sent++;
      const start = performance.now();
      const answer = await connections.call(n);
      latencies.push(performance.now() - start);
      if (!exchange.isRight(answer, n)) throw new Error(`an answer is not as expected: ${JSON.stringify(answer)}`);
    }
  }
  try {
    const callers = Promise.all(Array.from({ length: job.concurrency }, callInTurn));
    await Promise.race([sleep(job.warmupMs), callers]);
    latencies.length = 0;
    const before = clocks(job);
    await Promise.race([sleep(job.measureMs), callers]);
    const after = clocks(job);
    const counted = latencies.slice().sort((a, b) => a - b);
    goesOn = false;
    await callers;
    const count = counted.length;
    if (count === 0) throw new Error("no call ended in time");
    return {
      perSecond: (count * 1000) / (after.time - before.time),
      serverCpu: (after.server - before.server) / count,
      postgresCpu: (after.postgres - before.postgres) / count,
      clientCpu: (after.client - before.client) / count,
      p50: counted[Math.floor(count * 0.5)]!,
      p99: counted[Math.floor(count * 0.99)]!,
    };
  } finally {
    goesOn = false;
    connections.close();
  }
}

function clocks({ serverPid, postmasterPid }: Job) {
  const { user, system } = process.cpuUsage();
  return {
    time: performance.now(),
    server: cpuOf(serverPid),
    postgres: cpuOfChildren(postmasterPid),
    client: user + system,
  };
}

function report(message: Report): void {
  process.send?.(message);
}
