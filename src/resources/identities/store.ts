import type { Knex } from "knex";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { changeWithEvent } from "../events/store.js";

/** An identity at a provider. */
export interface IdentityKey {
  readonly issuer: string;
  readonly subject: string;
}

export interface IdentityRow extends IdentityKey {
  tenant_id: string;
  id: string;
  customer_id: string;
  create_time: Date;
}

/** The active customer that an identity belongs to. */
export async function findCustomerId(
  db: Knex,
  tenantId: string,
  { issuer, subject }: IdentityKey,
): Promise<string | undefined> {
  const row = await db("customer_identities as identity")
    .join("customers", { "customers.tenant_id": "identity.tenant_id", "customers.id": "identity.customer_id" })
    .where({ "identity.tenant_id": tenantId, issuer, subject, delete_time: null })
    .first("customer_id");
  return row?.customer_id;
}

/** An active customer, and whether somebody can sign in as it already. */
export interface Candidate {
  readonly id: string;
  readonly signs_in: boolean;
}

/**
 * Locks up to two active customers with an e-mail address, in any case: first those as whom somebody signs in, then the
 * oldest. JavaScript makes the lower case: Postgres takes "İ" for "i", and so one mailbox for another.
 */
export async function lockCandidates(trx: Knex.Transaction, tenantId: string, email: string): Promise<Candidate[]> {
  const identities = trx("customer_identities as identity").whereRaw(
    "identity.tenant_id = customers.tenant_id and identity.customer_id = customers.id",
  );
  return await trx("customers")
    .where({ tenant_id: tenantId, delete_time: null })
    .whereRaw("lower(email) = ?", [email.trim().toLowerCase()])
    .orderByRaw("(password_id is not null or exists ?) desc", [identities])
    .orderBy(["create_time", "id"])
    .limit(2)
    .forUpdate()
    .select("id", trx.raw("password_id is not null or exists ? as signs_in", [identities]));
}

/** Gives an identity to a customer; away from one that is deleted, where it was that one's. */
export async function linkIdentity(
  trx: Knex.Transaction,
  tenantId: string,
  identity: IdentityKey & { readonly id: string; readonly customerId: string },
  event: EventDraft,
): Promise<void> {
  const { id, issuer, subject, customerId } = identity;
  const change = trx("customer_identities")
    .insert({ tenant_id: tenantId, id, issuer, subject, customer_id: customerId, create_time: event.time })
    .onConflict(["tenant_id", "issuer", "subject"])
    .merge(["id", "customer_id", "create_time"])
    .returning("*");
  await changeWithEvent<IdentityRow>(trx, tenantId, change, event);
}
