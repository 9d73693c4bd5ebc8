import type { EventEmitter } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Logger as JobLogger, run, type TaskList } from "graphile-worker";
import type { Deps } from "./deps.js";
import { expireDueCheckouts } from "./resources/checkouts/expire.js";
import { purgeDueCustomFields } from "./resources/custom-fields/purge.js";
import { forgetEndedTokens } from "./resources/customer-tokens/store.js";
import { listUnnumberedTenants, numberEvents } from "./resources/events/log-store.js";
import { forgetAttempts } from "./resources/passwords/attempts-store.js";
import { eraseDuePeople } from "./resources/privacy/erase.js";
import { purgeDueCustomers } from "./resources/privacy/purge.js";
import { verifyDueTaxIdentifiers } from "./resources/tax-identifiers/verify.js";
import { forgetOldDeliveries, makeDeliveries, sendDeliveries } from "./resources/webhooks/dispatch.js";
import { forgetExpiredKeys } from "./rpc/calls/idempotency.js";
import type { Logger } from "./rpc/log.js";
import { followTimetable } from "./timetable.js";

/** Jobs at work. */
export interface Jobs {
  /** The worker's own events, such as `job:complete`. */
  readonly events: EventEmitter;
  /** Lets the job in progress end, and starts no other. */
  stop(): Promise<void>;
}

// Minute, hour, day, month, weekday, in UTC. Of all replicas one runs each, mostly.
const crontab = `
* * * * * purge_customers ?max=3
* * * * * number_events ?max=3
* * * * * expire_checkouts ?max=3
* * * * * erase_customers ?max=3
17 * * * * forget_idempotency_keys ?max=3
47 * * * * purge_custom_fields ?max=3
27 4 * * * forget_webhook_deliveries ?max=3
27 * * * * forget_customer_tokens ?max=3
37 * * * * forget_login_attempts ?max=3
`;

// Jobs with work at any second: each repeats in a loop of its own.
const steady = ["make_webhook_deliveries", "send_webhook_deliveries", "verify_tax_identifiers"] as const;
const pauseMs = 1_000;

/** Starts what is done without a caller: see the table of jobs. It keeps its own schema, `graphile_worker`. */
export async function startJobs(deps: Deps, databaseUrl: string): Promise<Jobs> {
  const stopping = new AbortController();
  const taskList = tasksOf(deps, stopping.signal);
  const runner = await run({
    connectionString: databaseUrl,
    taskList,
    // None of its own: see the timetable.
    parsedCronItems: [],
    concurrency: 1,
    maxPoolSize: 3,
    noHandleSignals: true,
    logger: loggerOf(deps.logger),
  });
  // The worker logs its own failure, which must not end the process.
  runner.promise.catch(() => {});
  const stopTimetable = followTimetable(crontab, runner.addJob, deps.clock);
  const turns = steady.map((job) => repeat(taskList[job]!, stopping.signal));
  return {
    events: runner.events,
    stop: async () => {
      stopTimetable();
      stopping.abort();
      await Promise.all([runner.stop(), ...turns]);
    },
  };
}

// Does the work again and again, with a pause between. The job logs its own errors.
async function repeat(work: () => Promise<unknown>, stopping: AbortSignal): Promise<void> {
  while (!stopping.aborted) {
    await work().catch(() => {});
    await setTimeout(pauseMs, undefined, { signal: stopping }).catch(() => {});
  }
}

/** The jobs by name; each may run at any time, and more than once. One that may always find more ends by `stopping`. */
export function tasksOf(deps: Deps, stopping?: AbortSignal) {
  const { db, clock, logger } = deps;
  const jobs = {
    purge_customers: () => purgeDueCustomers(deps),
    number_events: () => numberAllEvents(deps),
    expire_checkouts: () => expireDueCheckouts(deps),
    purge_custom_fields: () => purgeDueCustomFields(deps),
    verify_tax_identifiers: () => verifyDueTaxIdentifiers(deps),
    erase_customers: () => eraseDuePeople(deps),
    forget_idempotency_keys: () => forgetExpiredKeys(db, clock()),
    forget_webhook_deliveries: () => forgetOldDeliveries(deps),
    make_webhook_deliveries: () => makeDeliveries(deps, stopping),
    send_webhook_deliveries: () => sendDeliveries(deps, stopping),
    forget_customer_tokens: () => forgetEndedTokens(db, clock()),
    forget_login_attempts: () => forgetAttempts(db, clock()),
  };
  return Object.fromEntries(
    Object.entries(jobs).map(([job, work]) => [
      job,
      async () => {
        try {
          const count = await work();
          const level = steady.some((name) => name === job) ? "debug" : "info";
          if (count > 0) logger[level]({ job, count }, "a job is done");
        } catch (error) {
          logger.error({ job, error }, "a job failed and will be tried again");
          // A driver's message may hold values, which must not be stored.
          throw new Error(`${job} failed`);
        }
      },
    ]),
  ) satisfies TaskList;
}

// Readers number events. Without readers this job does, so that the first reader does not meet a backlog of months.
async function numberAllEvents({ db }: Deps): Promise<number> {
  const tenants = await listUnnumberedTenants(db);
  for (const tenantId of tenants) await numberEvents(db, tenantId);
  return tenants.length;
}

// Its messages are of interest only when something is wrong.
function loggerOf(logger: Logger): JobLogger {
  return new JobLogger(() => (level, message) => {
    if (level === "error" || level === "warning") logger.warn({ event: "jobs" }, message);
    else logger.debug({ event: "jobs" }, message);
  });
}
