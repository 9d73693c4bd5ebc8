import { TaxIdentifierState } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import type { Deps } from "../../deps.js";
import { Unreachable } from "../../external/http-json.js";
import { systemEvent } from "../../rpc/calls/event-draft.js";
import { stateToColumn } from "./convert.js";
import { type ClaimedRow, claimDueTaxIdentifiers, updateState } from "./verification-store.js";

type VerifyDeps = Pick<Deps, "db" | "clock" | "logger" | "taxVerifier">;

const batchSize = 10;
const longestPause = 360;
/** After each attempt, in how many minutes the next is due: twice as many each time, up to six hours; three days in all. */
const pauses: readonly number[] = Array.from({ length: 20 }, (_, at) => Math.min(2 ** at, longestPause));
/** After those, a day: whoever cannot be reached is back some time, and a merchant has nothing to do for it. */
const lastingPause = 1_440;

/**
 * Asks the verifier about the tax identifiers that are due, and writes what it says; answers how many it settled. It may
 * run on several replicas at a time. While nobody can say, they stay PENDING, and each is asked about again later; when a
 * whole batch fails, the others wait for the next run.
 */
export async function verifyDueTaxIdentifiers(deps: VerifyDeps): Promise<number> {
  const liveModes = [false, true].filter((liveMode) => deps.taxVerifier.serves(liveMode));
  let settled = 0;
  for (;;) {
    const now = deps.clock();
    const due = await claimDueTaxIdentifiers(deps.db, { now, limit: batchSize, liveModes, pauses, lastingPause });
    const outcomes = await Promise.all(due.map((row) => settle(deps, row)));
    const count = outcomes.filter((done) => done).length;
    settled += count;
    if (due.length < batchSize || count === 0) return settled;
  }
}

// No transaction is open meanwhile: the verifier may take its time.
async function settle({ db, clock, logger, taxVerifier }: VerifyDeps, row: ClaimedRow): Promise<boolean> {
  const { tenant_id: tenantId, id, live_mode: liveMode, attempts: attempt } = row;
  try {
    const isValid = await taxVerifier.verify(row, { liveMode, attempt });
    const state = isValid ? TaxIdentifierState.VERIFIED : TaxIdentifierState.NOT_VALID;
    const type = isValid ? "tax_identifier.verified" : "tax_identifier.refused";
    const event = systemEvent(clock())(type, ["state", "state_transitions"]);
    return await updateState(db, tenantId, id, stateToColumn(state), event);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    const context = { tenantId, id, attempt, reason: error.message };
    // Once, however long it takes from then on.
    const level = attempt === pauses.length + 1 ? "error" : "warn";
    logger[level](context, "a tax identifier could not be verified, it is tried again");
    return false;
  }
}
