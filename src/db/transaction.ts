import { setTimeout as sleep } from "node:timers/promises";
import type { Knex } from "knex";
import { deadlineLeft } from "./deadline.js";
import { classify } from "./errors.js";

const retries = 3;
const pauseMs = 20;

/**
 * Runs `fn` in a transaction, or in a savepoint when `db` is a transaction, and commits unless it throws. When the
 * transaction lost against another, all of `fn` is run again, up to three times; so it must have no effect outside of
 * the database. Throws what `fn` threw, not what ROLLBACK made of it.
 */
export async function inTransaction<T>(db: Knex, fn: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
  for (let retry = 0; ; retry++) {
    let thrown: { error: unknown } | undefined;
    try {
      return await db.transaction(async (trx) => {
        // Knex goes on after a failed BEGIN; its error is thrown then, not this one.
        if (trx.isCompleted()) throw new Error("the transaction did not begin");
        try {
          return await fn(trx);
        } catch (error) {
          thrown = { error };
          throw error;
        }
      });
    } catch (last) {
      const error = thrown === undefined ? last : thrown.error;
      const pause = pauseMs * (retry + Math.random());
      const tooLate = (deadlineLeft() ?? Number.POSITIVE_INFINITY) <= pause;
      if (isTransaction(db) || retry === retries || tooLate || classify(error) !== "retry") throw error;
      await sleep(pause);
    }
  }
}

/** Whether queries run in a transaction, or each on a connection of the pool. */
export function isTransaction(db: Knex): db is Knex.Transaction {
  return db.isTransaction === true;
}
