import { inTransaction } from "../../db/transaction.js";
import type { Call, TransactionCall } from "../callers/caller.js";

/**
 * Runs a change with its call bound to a transaction, or to a savepoint if the call is in a transaction already. A change
 * that lost against another runs again: see `inTransaction`.
 */
export async function transact<T>(call: Call, change: (call: TransactionCall) => Promise<T>): Promise<T> {
  return await inTransaction(call.db, (trx) => change({ ...call, db: trx }));
}

/** As `transact`, but in the call's own transaction if it has one. That saves a savepoint; a failure ends all of it. */
export async function joinTransaction<T>(call: Call, change: (call: TransactionCall) => Promise<T>): Promise<T> {
  return isInTransaction(call) ? await change(call) : await transact(call, change);
}

function isInTransaction(call: Call): call is TransactionCall {
  return call.db.isTransaction === true;
}
