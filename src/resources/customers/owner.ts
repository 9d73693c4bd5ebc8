import type { Caller } from "../../rpc/callers/caller.js";

/** The condition of every query for a caller that reaches one customer's rows alone. */
export interface Owner {
  readonly customer_id?: string;
}

/** The rows that a caller reaches, where the request does not name their customer: all of the tenant's, or its own. */
export function ownerOf({ subjectId }: Caller): Owner {
  return subjectId === undefined ? {} : { customer_id: subjectId };
}

/** Whether an owner reaches a row. */
export function isOf(owner: Owner, row: { readonly customer_id: string | null }): boolean {
  return owner.customer_id === undefined || owner.customer_id === row.customer_id;
}
