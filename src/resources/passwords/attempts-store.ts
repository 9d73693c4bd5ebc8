import type { Knex } from "knex";

export interface AttemptsRow {
  tenant_id: string;
  subject: Buffer;
  failures: number;
  attempt_time: Date;
  retry_time: Date | null;
  trusted_until: Date | null;
  expire_time: Date;
}

/** How fast attempts may follow each other. */
export interface Pace {
  /** Failures that need no pause. */
  readonly free: number;
  /** The pause after that, in milliseconds. */
  readonly pauseMs: number;
  /** The factor of the pause for each further failure, and its maximum. */
  readonly growth: number;
  readonly longestMs: number;
}

/** After so long without an attempt the count begins anew. */
const memory = "24 hours";

/**
 * Counts an attempt as a failure, before it is known to be one, so that of many at a time no more pass than may.
 * Undefined, and not counted, if it is too early.
 */
export async function countAttempt(
  trx: Knex.Transaction,
  tenantId: string,
  subject: Buffer,
  { free, pauseMs, growth, longestMs }: Pace,
  now: Date,
): Promise<AttemptsRow | undefined> {
  const counted = `case when stored.attempt_time <= :now::timestamptz - interval '${memory}' then 1 else least(stored.failures, 1000) + 1 end`;
  const retry = (failures: string) => `case when ${failures} >= :free then
    :now::timestamptz + interval '1 ms' * least(:longestMs, :pauseMs * power(:growth::float8, least(${failures} - :free, 100))) end`;
  const result = await trx.raw(
    `insert into login_attempts as stored (tenant_id, subject, failures, attempt_time, retry_time, expire_time)
     values (:tenantId, :subject, 1, :now, ${retry("1")}, :now::timestamptz + interval '${memory}')
     on conflict (tenant_id, subject) do update set
       failures = ${counted}, attempt_time = excluded.attempt_time, retry_time = ${retry(`(${counted})`)},
       expire_time = greatest(stored.expire_time, excluded.expire_time)
     where stored.retry_time is null or stored.retry_time <= :now
     returning *`,
    { tenantId, subject, now, free, pauseMs, growth, longestMs },
  );
  return result.rows[0];
}

/** The count of a subject. */
export async function findAttempts(
  trx: Knex.Transaction,
  tenantId: string,
  subject: Buffer,
): Promise<AttemptsRow | undefined> {
  return await trx("login_attempts").where({ tenant_id: tenantId, subject }).first();
}

/** Takes back an attempt that was none, or no failure, with the pause that it began. */
export async function uncountAttempt(db: Knex, { tenant_id, subject, retry_time }: AttemptsRow): Promise<void> {
  await db("login_attempts")
    .where({ tenant_id, subject })
    .update({
      failures: db.raw("greatest(failures - 1, 0)"),
      retry_time: db.raw("nullif(retry_time, ?::timestamptz)", [retry_time]),
    });
}

/** Forgets the failures of a subject, and trusts it for a while. */
export async function trustSubject(db: Knex, tenantId: string, subject: Buffer, until: Date): Promise<void> {
  await db("login_attempts")
    .where({ tenant_id: tenantId, subject })
    .update({ failures: 0, retry_time: null, trusted_until: until, expire_time: until });
}

/** Deletes expired counters, and returns how many. Looks across tenants: for the job alone. */
export async function forgetAttempts(db: Knex, now: Date): Promise<number> {
  return await db("login_attempts").where("expire_time", "<=", now).delete();
}
