import type { Knex } from "knex";
import { notFound, refused } from "../../rpc/errors.js";
import type { CustomerRow } from "./fields.js";
import { lockCustomer } from "./store.js";

/** Locks a customer that is to be changed, or that something is added to. Throws NOT_FOUND, or if it is deleted. */
export async function lockActiveCustomer(trx: Knex.Transaction, tenantId: string, id: string): Promise<CustomerRow> {
  return requireActive(await lockCustomer(trx, tenantId, id));
}

/** Refuses a customer that is absent or deleted. Throws NOT_FOUND or FAILED_PRECONDITION. */
export function requireActive<Row extends CustomerRow>(customer: Row | undefined): Row {
  if (customer === undefined) throw notFound("customer");
  if (customer.delete_time !== null) throw refused("CUSTOMER_DELETED", "The customer is deleted.");
  return customer;
}
