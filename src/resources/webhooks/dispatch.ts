import { toJson } from "@bufbuild/protobuf";
import { EventSchema } from "../../../gen/clientele/v1/events_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { eventFromRow } from "../events/convert.js";
import { lastNumber, listEventsBetween, numberEvents } from "../events/log-store.js";
import { nextAttempt } from "./backoff.js";
import * as deliveries from "./deliveries-store.js";
import { secretOf, signatureOf } from "./signature.js";
import { lockEndpoint, updateEndpoint } from "./store.js";

type DispatchDeps = Pick<Deps, "db" | "clock" | "newId" | "randomBytes" | "logger" | "secretKey" | "webhookSender">;

const eventsAtOnce = 200;
const sendersAtOnce = 10;
const perEndpointAtOnce = 3;
/** After that long, a delivery of which nothing was heard is taken for lost, with the process that sent it. */
const leaseMs = 60_000;
const keptMs = 30 * 24 * 60 * 60 * 1000;

/**
 * Makes deliveries of the events that are new, and sends what is due; answers how many it sent. It may run on several
 * replicas at a time.
 */
export async function dispatchWebhooks(deps: DispatchDeps): Promise<number> {
  if (deps.secretKey === undefined) return 0;
  for (const { tenant_id: tenantId, id } of await deliveries.listWaitingEndpoints(deps.db)) {
    while (await fanOut(deps, tenantId, id));
  }
  return await sendDue(deps, deps.secretKey);
}

/** Forgets the deliveries of a month ago that are done; answers how many. */
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
      payload: toJson(EventSchema, event) as deliveries.NewDelivery["payload"],
    }));
    await deliveries.insertDeliveries(trx, tenantId, endpointId, made, { cursor, now: clock() });
    return isFull;
  });
}

// Each sender takes one delivery after the other until none is due. An endpoint that does not answer keeps a few of them
// busy, never all.
async function sendDue(deps: DispatchDeps, secretKey: Buffer): Promise<number> {
  const inFlight = new Map<string, number>();
  let sent = 0;
  const sender = async () => {
    for (;;) {
      const now = deps.clock();
      const busy = [...inFlight].filter(([, count]) => count >= perEndpointAtOnce).map(([id]) => id);
      const until = new Date(now.getTime() + leaseMs);
      const due = await deliveries.claimDelivery(deps.db, { now, until, busy });
      if (due === undefined) return;
      inFlight.set(due.endpoint_id, (inFlight.get(due.endpoint_id) ?? 0) + 1);
      try {
        await attempt(deps, secretKey, due);
        sent += 1;
      } finally {
        inFlight.set(due.endpoint_id, (inFlight.get(due.endpoint_id) ?? 1) - 1);
      }
    }
  };
  await Promise.all(Array.from({ length: sendersAtOnce }, sender));
  return sent;
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

// Nothing got through in all the time that one delivery was tried.
async function disable(
  trx: DispatchDeps["db"],
  tenantId: string,
  endpointId: string,
  { since, now }: { since: Date; now: Date },
): Promise<void> {
  const endpoint = await lockEndpoint(trx, tenantId, endpointId);
  if (endpoint?.enabled !== true || (await deliveries.acceptedSince(trx, tenantId, endpointId, since))) return;
  const event = { type: "webhook_endpoint.disabled", changedPaths: ["enabled", "disable_time"], time: now };
  const columns = { enabled: false, disable_time: now };
  await updateEndpoint(trx, tenantId, endpointId, columns, { ...event, actor: "system" });
}
