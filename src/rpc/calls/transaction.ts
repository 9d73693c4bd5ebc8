import type { Knex } from "knex";
import { inTransaction, isTransaction } from "../../db/transaction.js";
import type { Call, TransactionCall } from "../callers/caller.js";

/** A call, or the part of one that a job or an operator has, bound to a transaction. */
type Bound<Scope> = Omit<Scope, "db"> & { readonly db: Knex.Transaction };

/**
 * Runs a change with its call bound to a transaction, or to a savepoint if the call is in a transaction already. A change
 * that lost against another runs again: see `inTransaction`.
 */
export async function transact<Scope extends { readonly db: Knex }, T>(
  scope: Scope,
  change: (scope: Bound<Scope>) => Promise<T>,
): Promise<T> {
  return await inTransaction(scope.db, (trx) => change({ ...scope, db: trx }));
}

/** As `transact`, but in the call's own transaction if it has one. That saves a savepoint; a failure ends all of it. */
export async function joinTransaction<T>(call: Call, change: (call: TransactionCall) => Promise<T>): Promise<T> {
  return isInTransaction(call) ? await change(call) : await transact(call, change);
}

function isInTransaction(call: Call): call is TransactionCall {
  return isTransaction(call.db);
}
