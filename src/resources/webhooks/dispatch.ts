import { setTimeout } from "node:timers/promises";
import type { Knex } from "knex";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { systemEvent } from "../../rpc/calls/event-draft.js";
import { eventFromRow } from "../events/convert.js";
import { lastNumber, listEventsBetween, numberEvents } from "../events/log-store.js";
import { nextAttempt } from "./backoff.js";
import { payloadOf } from "./convert.js";
import * as deliveries from "./deliveries-store.js";
import { secretOf, signatureOf } from "./signature.js";
import { lockEndpoint, updateEndpoint } from "./store.js";

type DispatchDeps = Pick<Deps, "db" | "clock" | "newId" | "randomBytes" | "logger" | "secretKey" | "webhookSender">;
type DueDelivery = deliveries.DueDelivery;

const eventsAtOnce = 200;
/** Posts that began within `promptMs`. A slower one leaves its place to others, so a few stalls hold nobody up. */
const promptPosts = 30;
const promptMs = 1_000;
const places: deliveries.Places = { all: 150, stalled: 10, perTenant: 6, perEndpoint: 3 };
/** A delivery without a result after that long is lost, with the process that posted it. */
const leaseMs = 60_000;
const lookMs = 500;
const storedMs = 30 * 24 * 60 * 60 * 1000;

/**
 * Makes deliveries of new events; answers to how many endpoints. Endpoints with a backlog take turns. A failure for one
 * endpoint is logged and does not stop the others; the job runs again within a second. Several replicas may run it at the
 * same time. It ends early when `stopping` is aborted.
 */
export async function makeDeliveries(deps: DispatchDeps, stopping?: AbortSignal): Promise<number> {
  const served = new Set<string>();
  for (let isBehind = true; isBehind; ) {
    isBehind = false;
    for (const endpoint of await deliveries.listWaitingEndpoints(deps.db)) {
      if (stopping?.aborted) return served.size;
      served.add(endpoint.id);
      try {
        isBehind = (await fanOut(deps, endpoint)) || isBehind;
      } catch (error) {
        deps.logger.error({ error, tenantId: endpoint.tenant_id }, "deliveries of webhooks could not be made");
      }
    }
  }
  return served.size;
}

/** Deletes the deliveries older than 30 days; answers how many. */
export async function forgetOldDeliveries({ db, clock }: Pick<Deps, "db" | "clock">): Promise<number> {
  return await deliveries.deleteOldDeliveries(db, new Date(clock().getTime() - storedMs));
}

// The deliveries and the cursor are one transaction, so no event is lost or doubled here. Answers whether there may be more.
async function fanOut(
  { db, clock, newId }: DispatchDeps,
  { tenant_id: tenantId, id: endpointId, live_mode: liveMode }: { tenant_id: string; id: string; live_mode: boolean },
): Promise<boolean> {
  await numberEvents(db, tenantId);
  return await inTransaction(db, async (trx) => {
    const claimed = await deliveries.claimCursor(trx, tenantId, endpointId);
    if (claimed === undefined) return false;
    const upTo = await lastNumber(trx, tenantId);
    const filter = { eventTypes: claimed.event_types, resourceId: "", customerId: "", actorId: "" };
    const range = { after: claimed.cursor, upTo, limit: eventsAtOnce };
    const rows = await listEventsBetween(trx, tenantId, filter, range);
    const isFull = rows.length === eventsAtOnce;
    const cursor = (isFull && rows.at(-1)?.id) || upTo;
    const made = rows.map((row) => {
      const event = eventFromRow(row, liveMode);
      return { id: newId("whd"), event_id: event.id, event_type: event.type, payload: payloadOf(event) };
    });
    await deliveries.insertDeliveries(trx, tenantId, endpointId, made, { cursor, now: clock() });
    return isFull;
  });
}

/** A post under way. */
interface Flight {
  readonly due: DueDelivery;
  readonly began: number;
}

/**
 * Posts what is due, several deliveries at a time, until nothing is; answers how many. A failure of the service, unlike
 * one of an endpoint, ends the round, and so does `stopping`; posts under way are waited for. Several replicas may run it
 * at the same time.
 */
export async function sendDeliveries(deps: DispatchDeps, stopping?: AbortSignal): Promise<number> {
  const { secretKey } = deps;
  if (secretKey === undefined) return 0;
  const flights = new Map<Promise<void>, Flight>();
  const failures: unknown[] = [];
  let sent = 0;
  for (;;) {
    const goesOn = failures.length === 0 && !stopping?.aborted;
    const under = [...flights.values()];
    const claimed = goesOn ? await claim(deps, under) : [];
    for (const due of claimed) start(due);
    // A post that ended during the claim has left its place since.
    if (claimed.length > 0 || flights.size < under.length) continue;
    if (flights.size > 0) {
      // Another delivery may become due, or a place free, meanwhile.
      await Promise.race([...flights.keys(), setTimeout(lookMs)]);
    } else if (failures.length > 0) {
      throw failures[0];
    } else {
      return sent;
    }
  }

  function start(due: DueDelivery): void {
    const flight: Promise<void> = attempt(deps, secretKey!, due)
      .then(() => void sent++)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => flights.delete(flight));
    flights.set(flight, { due, began: performance.now() });
  }
}

async function claim({ db, clock }: DispatchDeps, flights: readonly Flight[]): Promise<DueDelivery[]> {
  const slow = flights.filter(({ began }) => performance.now() - began > promptMs).length;
  const all = Math.min(places.all, slow + promptPosts);
  if (flights.length >= all) return [];
  const now = clock();
  const until = new Date(now.getTime() + leaseMs);
  const under = flights.map(({ due }) => due);
  return await deliveries.claimDeliveries(db, { now, until, places: { ...places, all }, flights: under });
}

async function attempt(deps: DispatchDeps, secretKey: Buffer, due: DueDelivery): Promise<void> {
  const { tenant_id: tenantId, endpoint_id: endpointId } = due;
  const now = deps.clock();
  const body = JSON.stringify(due.payload);
  const result = await deps.webhookSender.send(due.url, headersOf(due, body, secretKey, now), body);
  const duration_ms = Math.max(0, deps.clock().getTime() - now.getTime());
  const accepted = "status" in result && result.status >= 200 && result.status < 300;
  const first = new Date(due.attempts[0]?.time ?? now);
  const chance = (deps.randomBytes(1)[0] ?? 0) / 255;
  const nextAttemptTime = accepted ? null : (nextAttempt(first, due.attempts.length + 1, now, chance) ?? null);
  const state = accepted ? "succeeded" : nextAttemptTime === null ? "failed" : "pending";
  const stalled = "error" in result && result.error === "timeout";
  const columns = { time: now.toISOString(), ...result, duration_ms };
  await inTransaction(deps.db, async (trx) => {
    // The endpoint is locked before its delivery, as in an erasure.
    if (stalled !== due.stalled) await deliveries.markStalled(trx, tenantId, endpointId, stalled);
    if (state === "failed") await disable(trx, tenantId, endpointId, { since: first, now });
    await deliveries.recordAttempt(trx, tenantId, due.id, columns, { state, nextAttemptTime });
  });
}

function headersOf(due: DueDelivery, body: string, secretKey: Buffer, now: Date): Record<string, string> {
  const { tenant_id: tenantId, endpoint_id: endpointId, secret_version: current, previous_secret_until: overlap } = due;
  const versions = overlap !== null && overlap > now ? [current, current - 1] : [current];
  const secrets = versions.map((secretVersion) => secretOf(secretKey, { tenantId, endpointId, secretVersion }));
  return {
    "content-type": "application/json",
    "user-agent": "Clientele-Webhooks/1",
    "clientele-event-id": due.event_id,
    "clientele-signature": signatureOf(secrets, body, now),
  };
}

// Disables an endpoint that accepted nothing for as long as one delivery was tried. An endpoint that was changed
// meanwhile, such as one that was enabled again, gets that time once more.
async function disable(
  trx: Knex.Transaction,
  tenantId: string,
  endpointId: string,
  { since, now }: { since: Date; now: Date },
): Promise<void> {
  const endpoint = await lockEndpoint(trx, tenantId, endpointId);
  if (endpoint?.enabled !== true || endpoint.update_time > since) return;
  if (await deliveries.acceptedSince(trx, tenantId, endpointId, since)) return;
  const disabled = systemEvent(now)("webhook_endpoint.disabled", ["enabled", "disable_time"]);
  const columns = { enabled: false, disable_time: now };
  await updateEndpoint(trx, tenantId, endpointId, columns, disabled);
}
