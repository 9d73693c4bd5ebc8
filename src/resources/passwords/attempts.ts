import { createHmac } from "node:crypto";
import type { Knex } from "knex";
import { withoutDeadline } from "../../db/deadline.js";
import { inTransaction } from "../../db/transaction.js";
import { networkOf } from "../../formats/client-address.js";
import type { Call } from "../../rpc/callers/caller.js";
import { createTurnsByKey } from "../../rpc/calls/fair-queue.js";
import { queueFull, rpcError } from "../../rpc/errors.js";
import * as store from "./attempts-store.js";

/** Whose secret is tried, and from which IP address. */
export interface Attempt {
  readonly whose: string;
  readonly from: string;
}

/** The result of a verification. */
export interface Verified<T> {
  readonly match: T;
  /** Whether the secret matches one subject alone: then the address is trusted from now on. */
  readonly isSole: boolean;
}

// From one address: five failures, then pauses of 30 s, 1 min, 2 min, up to a quarter of an hour.
const ownPace: store.Pace = { free: 5, pauseMs: 30_000, growth: 2, longestMs: 900_000 };
// From all addresses together, without those that are trusted: then one attempt in 15 s, whoever comes first. So guessing
// from many addresses is slow, and yet nobody is locked out for good.
const commonPace: store.Pace = { free: 100, pauseMs: 15_000, growth: 1, longestMs: 15_000 };
const trustMs = 30 * 24 * 60 * 60 * 1000;

type AttemptCall = Pick<Call, "tenantId" | "now" | "tenantKey">;

/**
 * Verifies a secret that somebody may be guessing; undefined if it is wrong. `verify` gets the number of the attempt from
 * this network since the last success, from 1 on. Throws RESOURCE_EXHAUSTED, reason LOGIN_DELAYED, after too many failures.
 */
export type CountedAttempt = <T>(
  call: AttemptCall,
  attempt: Attempt,
  verify: (attemptNumber: number) => Promise<Verified<T> | undefined>,
) => Promise<T | undefined>;

/**
 * Makes the counter of attempts. One is counted before it is made, so that of many at a time no more pass than may, and in
 * a transaction of its own, on the pool: what becomes of the call does not undo it. In one process those that are alike
 * take turns, so that right ones are not refused for those that are still being verified.
 */
export function createAttemptCounter(pool: Knex): CountedAttempt {
  const inTurn = createTurnsByKey({ places: 1, queue: 64, full: queueFull });
  return async (call, attempt, verify) => {
    const own = subjectOf(call, attempt.whose, networkOf(attempt.from));
    return await inTurn(own.toString("hex"), () => verifyCounted(pool, call, attempt.whose, own, verify));
  };
}

async function verifyCounted<T>(
  pool: Knex,
  call: AttemptCall,
  whose: string,
  subject: Buffer,
  verify: (attemptNumber: number) => Promise<Verified<T> | undefined>,
): Promise<T | undefined> {
  const counted = await count(pool, call, whose, subject);
  const uncount = async (rows: readonly store.AttemptsRow[]) => {
    for (const row of rows) await store.uncountAttempt(pool, row);
  };
  let verified: Verified<T> | undefined;
  try {
    verified = await verify(counted[0]?.failures ?? 1);
  } catch (error) {
    // Nothing was tried. The call may have ended meanwhile.
    await withoutDeadline(() => uncount(counted)).catch(() => {});
    throw error;
  }
  if (verified === undefined) return undefined;
  if (verified.isSole) {
    await store.trustSubject(pool, call.tenantId, subject, new Date(call.now.getTime() + trustMs));
    await uncount(counted.slice(1));
  } else {
    await uncount(counted);
  }
  return verified.match;
}

async function count(pool: Knex, call: AttemptCall, whose: string, subject: Buffer): Promise<store.AttemptsRow[]> {
  const { tenantId, now } = call;
  return await inTransaction(pool, async (trx) => {
    const own = await counted(trx, subject, ownPace);
    if (own.trusted_until !== null && own.trusted_until > now) return [own];
    return [own, await counted(trx, subjectOf(call, whose), commonPace)];
  });

  async function counted(trx: Knex.Transaction, subject: Buffer, pace: store.Pace): Promise<store.AttemptsRow> {
    const row = await store.countAttempt(trx, tenantId, subject, pace, now);
    if (row !== undefined) return row;
    const retryTime = (await store.findAttempts(trx, tenantId, subject))?.retry_time ?? now;
    const retryAfterMs = Math.max(1, retryTime.getTime() - now.getTime());
    throw rpcError("LOGIN_DELAYED", "There were too many failed attempts, try again later.", { retryAfterMs });
  }
}

// Keyed with what only the tenant has, so that the table tells of no e-mail address that it was tried.
function subjectOf({ tenantKey }: AttemptCall, ...parts: readonly string[]): Buffer {
  return createHmac("sha256", tenantKey)
    .update(JSON.stringify(["login", ...parts]))
    .digest();
}
