import type { Knex } from "knex";
import { notify } from "../../db/notifications.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";

export interface CustomerTokenRow {
  tenant_id: string;
  id: string;
  customer_id: string;
  method: "password" | "secret_key" | "identity_provider";
  secret_hash: Buffer;
  last4: string;
  version: number;
  create_time: Date;
  update_time: Date;
  expire_time: Date;
  revoke_time: Date | null;
}

export type CustomerTokenColumns = Omit<CustomerTokenRow, "tenant_id" | "version" | "revoke_time">;

/** A token that is not revoked, with what its tenant adds. */
export interface TokenCredentialRow extends Pick<CustomerTokenRow, "id" | "customer_id" | "expire_time"> {
  account_id: string;
  live_mode: boolean;
  page_token_key: Buffer;
}

/** Notified with the `holderOf` tokens that end. */
export const tokensChannel = "clientele_tokens";

/** Names a customer among those of all tenants. */
export function holderOf(tenantId: string, customerId: string): string {
  return `${tenantId} ${customerId}`;
}

/**
 * Inserts a token of an active customer; undefined if there is no such customer. With a `passwordId` only while that is
 * the customer's password: a change of it waits for this statement, or this one for the change.
 */
export async function insertCustomerToken(
  db: Knex,
  tenantId: string,
  columns: CustomerTokenColumns,
  passwordId: string | undefined,
  event: EventDraft,
): Promise<CustomerTokenRow | undefined> {
  const names = Object.keys(columns);
  const change = db.raw(
    `insert into customer_tokens (tenant_id, ${names.map(() => "??").join(", ")})
     select tenant_id, ${names.map(() => "?").join(", ")}
     from (select tenant_id from customers
       where tenant_id = ? and id = ? and delete_time is null and password_id is not distinct from coalesce(?, password_id)
       for share) customer
     returning *`,
    [...names, ...Object.values(columns), tenantId, columns.customer_id, passwordId ?? null],
  );
  const [row] = await changeWithEvent<CustomerTokenRow>(db, tenantId, change, event);
  return row;
}

export async function findCustomerToken(
  db: Knex,
  tenantId: string,
  customerId: string,
  id: string,
): Promise<CustomerTokenRow | undefined> {
  return await db("customer_tokens").where({ tenant_id: tenantId, customer_id: customerId, id }).first();
}

/** A page of a customer's tokens; undefined if there is no such customer. One statement. */
export async function listCustomerTokens(
  db: Knex,
  tenantId: string,
  customerId: string,
  page: Page,
): Promise<CustomerTokenRow[] | undefined> {
  const ofCustomer = db("customer_tokens").where({ tenant_id: tenantId, customer_id: customerId });
  const query = db("customers")
    .leftJoin(selectPage(ofCustomer, "customer_tokens", page).as("page"), "page.customer_id", "customers.id")
    .where({ "customers.tenant_id": tenantId, "customers.id": customerId, purged: false })
    .select("page.*");
  const rows: CustomerTokenRow[] = await orderPage(query, "page", page);
  return rows.length === 0 ? undefined : rows.filter((row) => row.id !== null);
}

/** Revokes one token; undefined if there is none of that id that is not revoked yet. */
export async function revokeCustomerToken(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  id: string,
  event: EventDraft,
): Promise<CustomerTokenRow | undefined> {
  const [row] = await revoke(trx, tenantId, customerId, event, { id });
  return row;
}

/** Revokes the valid tokens of a customer, with an event for each, and tells every replica when it is committed. */
export async function revokeCustomerTokensOf(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  event: EventDraft,
): Promise<CustomerTokenRow[]> {
  return await revoke(trx, tenantId, customerId, event, trx.raw("expire_time > ?", [event.time]));
}

async function revoke(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  event: EventDraft,
  which: Knex.Raw | { readonly id: string },
): Promise<CustomerTokenRow[]> {
  const change = trx("customer_tokens")
    .where({ tenant_id: tenantId, customer_id: customerId, revoke_time: null })
    .where(which)
    .update({ revoke_time: event.time, update_time: event.time, version: trx.raw("version + 1") })
    .returning("*");
  const rows = await changeWithEvent<CustomerTokenRow>(trx, tenantId, change, event);
  if (rows.length > 0) await notify(trx, tokensChannel, holderOf(tenantId, customerId));
  return rows;
}

const selectTokenCredential = defineStatement<TokenCredentialRow, { readonly tenantId: string; readonly hash: Buffer }>(
  (db, { tenantId, hash }) =>
    db("customer_tokens")
      .join("tenants", "tenants.tenant_id", "customer_tokens.tenant_id")
      .where({ "customer_tokens.tenant_id": tenantId, secret_hash: hash, revoke_time: null })
      .select("customer_tokens.id", "customer_id", "expire_time", "account_id", "live_mode", "page_token_key"),
);

export async function findTokenCredential(
  db: Knex,
  tenantId: string,
  hash: Buffer,
): Promise<TokenCredentialRow | undefined> {
  return (await selectTokenCredential(db, { tenantId, hash }))[0];
}

const keptMs = 30 * 24 * 60 * 60 * 1000;

/** Deletes the tokens that expired 30 days ago; says how many. Looks across tenants: for the job alone. */
export async function forgetEndedTokens(db: Knex, now: Date): Promise<number> {
  return await db("customer_tokens")
    .where("expire_time", "<=", new Date(now.getTime() - keptMs))
    .delete();
}
