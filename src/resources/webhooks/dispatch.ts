import { setTimeout } from "node:timers/promises";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { eventFromRow } from "../events/convert.js";
import { lastNumber, listEventsBetween, numberEvents } from "../events/log-store.js";
import { nextAttempt } from "./backoff.js";
import { payloadOf } from "./convert.js";
import * as deliveries from "./deliveries-store.js";
import { secretOf, signatureOf } from "./signature.js";
import { lockEndpoint, updateEndpoint } from "./store.js";

type DispatchDeps = Pick<Deps, "db" | "clock" | "newId" | "randomBytes" | "logger" | "secretKey" | "webhookSender">;

const eventsAtOnce = 200;
const sendersAtOnce = 30;
const perEndpointAtOnce = 3;
const perTenantAtOnce = 6;
/** After that long, a delivery of which nothing was heard is taken for lost, with the process that sent it. */
const leaseMs = 60_000;
const lookMs = 500;
const keptMs = 30 * 24 * 60 * 60 * 1000;

/**
 * Makes deliveries of the events that are new; answers to how many endpoints. Those that are far behind take turns, and
 * one for which it fails does not stop the others; it is logged, and next time is near. It may run on several replicas at
 * a time, and ends early when `stopping` says so.
 */
export async function makeDeliveries(deps: DispatchDeps, stopping?: AbortSignal): Promise<number> {
  const served = new Set<string>();
  for (let isBehind = true; isBehind; ) {
    isBehind = false;
    for (const { tenant_id: tenantId, id } of await deliveries.listWaitingEndpoints(deps.db)) {
      if (stopping?.aborted) return served.size;
      served.add(id);
      try {
        isBehind = (await fanOut(deps, tenantId, id)) || isBehind;
      } catch (error) {
        deps.logger.error({ error, tenantId }, "deliveries of webhooks could not be made");
      }
    }
  }
  return served.size;
}

/** Forgets the deliveries of a month ago; answers how many. */
export async function forgetOldDeliveries({ db, clock }: Pick<Deps, "db" | "clock">): Promise<number> {
  return await deliveries.deleteOldDeliveries(db, new Date(clock().getTime() - keptMs));
}

// The deliveries and how far they go are one transaction: no event is lost, and none comes twice by this. Answers whether
// there may be more.
async function fanOut({ db, clock, newId }: DispatchDeps, tenantId: string, endpointId: string): Promise<boolean> {
  await numberEvents(db, tenantId);
  return await inTransaction(db, async (trx) => {
    const claimed = await deliveries.claimCursor(trx, tenantId, endpointId);
    if (claimed === undefined) return false;
    const upTo = await lastNumber(trx, tenantId);
    const filter = { types: claimed.event_types, resourceId: "", customerId: "", actorId: "" };
    const range = { after: claimed.cursor, upTo, limit: eventsAtOnce };
    const rows = await listEventsBetween(trx, tenantId, filter, range);
    const isFull = rows.length === eventsAtOnce;
    const cursor = (isFull && rows.at(-1)?.id) || upTo;
    const made = rows.map(eventFromRow).map((event) => ({
      id: newId("whd"),
      event_id: event.id,
      event_type: event.type,
      payload: payloadOf(event),
    }));
    await deliveries.insertDeliveries(trx, tenantId, endpointId, made, { cursor, now: clock() });
    return isFull;
  });
}

/**
 * Sends what is due, several deliveries at a time, until nothing is; answers how many. An endpoint that does not answer
 * keeps a few of the places, and a tenant whose endpoints do not a few more, never all. What fails here, and not at the
 * endpoint, ends the round, and so does `stopping`, once what is on its way has arrived. It may run on several replicas at
 * a time.
 */
export async function sendDeliveries(deps: DispatchDeps, stopping?: AbortSignal): Promise<number> {
  const { secretKey } = deps;
  if (secretKey === undefined) return 0;
  const flights = new Map<Promise<void>, deliveries.DueDelivery>();
  const failures: unknown[] = [];
  let sent = 0;
  for (;;) {
    const goesOn = failures.length === 0 && !stopping?.aborted;
    const due = goesOn && flights.size < sendersAtOnce ? await claim() : undefined;
    if (due !== undefined) {
      const flight: Promise<void> = attempt(deps, secretKey, due)
        .then(() => void sent++)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => flights.delete(flight));
      flights.set(flight, due);
    } else if (flights.size > 0) {
      // Something else may become due meanwhile.
      await Promise.race([...flights.keys(), setTimeout(lookMs)]);
    } else if (failures.length > 0) {
      throw failures[0];
    } else {
      return sent;
    }
  }

  async function claim() {
    const now = deps.clock();
    const inFlight = [...flights.values()];
    const endpoints = thoseThatKeep(
      inFlight.map((due) => due.endpoint_id),
      perEndpointAtOnce,
    );
    const tenants = thoseThatKeep(
      inFlight.map((due) => due.tenant_id),
      perTenantAtOnce,
    );
    const until = new Date(now.getTime() + leaseMs);
    return await deliveries.claimDelivery(deps.db, { now, until, busy: { endpoints, tenants } });
  }
}

// Which of the ids stand there so often, or more.
function thoseThatKeep(ids: readonly string[], places: number): string[] {
  return [...new Set(ids)].filter((id) => ids.filter((other) => other === id).length >= places);
}

async function attempt(deps: DispatchDeps, secretKey: Buffer, due: deliveries.DueDelivery): Promise<void> {
  const { tenant_id: tenantId, endpoint_id: endpointId } = due;
  const now = deps.clock();
  const body = JSON.stringify(due.payload);
  const versions = [due.secret_version];
  if (due.previous_secret_until !== null && due.previous_secret_until > now) versions.push(due.secret_version - 1);
  const secrets = versions.map((secretVersion) => secretOf(secretKey, { tenantId, endpointId, secretVersion }));
  const headers = {
    "content-type": "application/json",
    "user-agent": "Clientele-Webhooks/1",
    "clientele-event-id": due.event_id,
    "clientele-signature": signatureOf(secrets, body, now),
  };
  const result = await deps.webhookSender.send(due.url, headers, body);
  const duration_ms = Math.max(0, deps.clock().getTime() - now.getTime());
  const accepted = "status" in result && result.status >= 200 && result.status < 300;
  const first = new Date(due.attempts[0]?.time ?? now);
  const chance = (deps.randomBytes(1)[0] ?? 0) / 255;
  const nextAttemptTime = accepted ? null : (nextAttempt(first, due.attempts.length + 1, now, chance) ?? null);
  const state = accepted ? "succeeded" : nextAttemptTime === null ? "failed" : "pending";
  const tried = { time: now.toISOString(), ...result, duration_ms };
  await inTransaction(deps.db, async (trx) => {
    if (state === "failed") await disable(trx, tenantId, endpointId, { since: first, now });
    await deliveries.recordAttempt(trx, tenantId, due.id, tried, { state, nextAttemptTime });
  });
}

// Nothing got through in all the time that one delivery was tried. Who changed the endpoint meanwhile, such as by enabling
// it again, is given the time anew.
async function disable(
  trx: DispatchDeps["db"],
  tenantId: string,
  endpointId: string,
  { since, now }: { since: Date; now: Date },
): Promise<void> {
  const endpoint = await lockEndpoint(trx, tenantId, endpointId);
  if (endpoint?.enabled !== true || endpoint.update_time > since) return;
  if (await deliveries.acceptedSince(trx, tenantId, endpointId, since)) return;
  const event = { type: "webhook_endpoint.disabled", changedPaths: ["enabled", "disable_time"], time: now };
  const columns = { enabled: false, disable_time: now };
  await updateEndpoint(trx, tenantId, endpointId, columns, { ...event, actor: "system" });
}
