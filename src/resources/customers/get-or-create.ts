import type { Knex } from "knex";
import {
  type Customer,
  CustomerLookup,
  type GetOrCreateCustomerRequest,
} from "../../../gen/clientele/v1/customers_pb.js";
import type { Deps } from "../../deps.js";
import { normalEmail } from "../../formats/emails.js";
import type { Call } from "../../rpc/callers/caller.js";
import { transact } from "../../rpc/calls/transaction.js";
import { conflict, invalidField, reasonOf, requiredMessage } from "../../rpc/errors.js";
import { customerFromRow } from "./convert.js";
import { createCustomer, type PreparedParts } from "./create.js";
import * as lookups from "./lookup-store.js";
import type { ShownCustomerRow } from "./store.js";

/** The value that a customer is looked up by. */
export interface Lookup {
  /** The same text for every caller that looks up the same customer. */
  readonly key: string;
  readonly find: (trx: Knex.Transaction, tenantId: string, lock: boolean) => Promise<ShownCustomerRow | undefined>;
  /** The reason of the error if a customer with the value exists already. */
  readonly taken: string;
}

const attempts = 3;

/**
 * Finds a customer or makes it. Callers with the same lookup take turns. A CreateCustomer between them violates the unique
 * key; then the next attempt finds its customer.
 */
export async function getOrCreate(
  deps: Pick<Deps, "settings" | "newId">,
  call: Call,
  given: Customer,
  lookup: Lookup,
  parts: PreparedParts,
) {
  const { customFields, settings } = await deps.settings.read(call.db, call.tenantId);
  for (let attempt = 0; attempt < attempts; attempt++) {
    const answer = await transact(call, async (inside) => {
      await lookups.lockLookup(inside.db, inside.tenantId, lookup.key);
      // An answer that is stored for an Idempotency-Key must not outlive the erasure of its customer.
      const row = await lookup.find(inside.db, inside.tenantId, call.db.isTransaction === true);
      if (row !== undefined) {
        return { customer: customerFromRow(row, { ...call, customFields, settings }, row.shipping), created: false };
      }
      return { customer: await createCustomer(deps, inside, given, parts), created: true };
    }).catch((error: unknown) => {
      if (reasonOf(error) !== lookup.taken || attempt === attempts - 1) throw error;
    });
    if (answer !== undefined) return answer;
  }
  throw conflict();
}

/** Whether a lookup finds a customer, for a call that must not wait for others while it prepares a new one. */
export async function isFound(call: Call, lookup: Lookup): Promise<boolean> {
  return await transact(call, async ({ db, tenantId }) => (await lookup.find(db, tenantId, false)) !== undefined);
}

/** The lookup of a request. Throws INVALID_ARGUMENT if the customer lacks the value. */
export function lookupOf(customer: Customer, { lookup, externalReferenceName: name }: LookupFields): Lookup {
  if (lookup === CustomerLookup.EXTERNAL_REFERENCE) return lookupByReference(customer, name);
  if (name !== "") throw invalidField("external_reference_name", "must be empty for a lookup by e-mail address");
  const email = normalEmail(customer.email ?? "") ?? customer.email?.trim() ?? "";
  if (email === "") throw invalidField("customer.email", requiredMessage);
  return {
    key: `email ${email.toLowerCase()}`,
    find: (trx, tenantId, lock) => lookups.findCustomerByEmail(trx, tenantId, email, lock),
    taken: "EMAIL_TAKEN",
  };
}

type LookupFields = Pick<GetOrCreateCustomerRequest, "lookup" | "externalReferenceName">;

function lookupByReference({ externalReferences }: Customer, name: string): Lookup {
  const [reference, other] = externalReferences.filter((one) => name === "" || one.name === name);
  if (reference === undefined) throw invalidField("customer.external_references", requiredMessage);
  if (other !== undefined && name === "") throw invalidField("external_reference_name", requiredMessage);
  return {
    key: `reference ${reference.name} ${reference.id}`,
    find: (trx, tenantId, lock) => lookups.findCustomerByReference(trx, tenantId, reference, lock),
    taken: "EXTERNAL_REFERENCE_TAKEN",
  };
}
