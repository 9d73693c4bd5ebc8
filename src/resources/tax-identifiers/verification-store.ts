import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { changeWithEvent } from "../events/store.js";
import type { TaxIdentifierRow } from "./store.js";

/** A tax identifier that a verifier is to be asked about. */
export interface ClaimedRow extends TaxIdentifierRow {
  readonly live_mode: boolean;
}

interface Claim {
  readonly now: Date;
  readonly limit: number;
  /** The halves of accounts that there is a verifier for. */
  readonly liveModes: readonly boolean[];
  /** In how many minutes after each attempt the next is due. */
  readonly pauses: readonly number[];
  /** The same for all attempts after those, without end. */
  readonly lastingPause: number;
}

/**
 * Takes tax identifiers whose verification is due, the longest due first, each for one of the callers. The next attempt is
 * noted before this one is made, so that nothing is lost if the process ends. Looks across tenants: for the job alone.
 */
export async function claimDueTaxIdentifiers(db: Knex, claim: Claim): Promise<ClaimedRow[]> {
  const { now, limit, liveModes, pauses, lastingPause } = claim;
  const claimed = await db.raw<{ rows: ClaimedRow[] }>(
    `update tax_identifiers identifier
     set attempts = attempts + 1,
       next_attempt_time = ?::timestamptz + make_interval(mins => coalesce((?::int[])[attempts + 1], ?))
     from (
       select due.tenant_id, due.id, tenants.live_mode
       from tax_identifiers due join tenants on tenants.tenant_id = due.tenant_id
       where due.next_attempt_time <= ? and tenants.live_mode = any(?)
       order by due.next_attempt_time limit ? for update of due skip locked) due
     where identifier.tenant_id = due.tenant_id and identifier.id = due.id
     returning identifier.*, due.live_mode`,
    [now, [...pauses], lastingPause, now, [...liveModes], limit],
  );
  return claimed.rows;
}

/** Writes what the verifier said, unless somebody did already, or removed the tax identifier; answers whether it did. */
export async function updateState(
  db: Knex,
  tenantId: string,
  id: string,
  state: string,
  event: EventDraft,
): Promise<boolean> {
  const transition = JSON.stringify([{ state, time: event.time }]);
  const change = db("tax_identifiers")
    .where({ tenant_id: tenantId, id, state: "pending" })
    .update({
      state,
      state_transitions: db.raw("state_transitions || ?::jsonb", [transition]),
      next_attempt_time: null,
      version: db.raw("version + 1"),
      update_time: event.time,
    })
    .returning("*");
  return (await changeWithEvent(db, tenantId, change, event)).length > 0;
}
