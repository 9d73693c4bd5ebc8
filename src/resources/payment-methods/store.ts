import type { Knex } from "knex";
import { PaymentMethodDetachment } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Keys, shareRead } from "../../db/shared-reads.js";
import { defineStatement } from "../../db/statements.js";
import type { EventDraft } from "../../rpc/calls/event-draft.js";
import { orderPage, type Page, selectPage } from "../../rpc/lists/paging.js";
import { changeWithEvent } from "../events/store.js";

export interface PaymentMethodRow {
  tenant_id: string;
  id: string;
  customer_id: string | null;
  /** The customer from whom it was detached and consumed. */
  former_customer_id: string | null;
  type: string;
  brand: string;
  last4: string;
  exp_month: number;
  exp_year: number;
  label: string | null;
  billing: Readonly<Record<string, string>> | null;
  consume_time: Date | null;
  version: number;
  create_time: Date;
  update_time: Date;
}

export type PaymentMethodColumns = Pick<
  PaymentMethodRow,
  "id" | "type" | "brand" | "last4" | "exp_month" | "exp_year" | "label" | "billing"
>;

/** A payment method beside its customer's default. */
export interface PaymentMethodOfCustomerRow extends PaymentMethodRow {
  default_payment_method_id: string | null;
}

// The id of an erased token is gone; its hash is kept.
const ofToken = "token_key = token_key_of(?)";

/** Gives a token to a customer; undefined if a customer has it, or it is consumed. */
export async function insertPaymentMethod(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  columns: PaymentMethodColumns,
  event: EventDraft,
): Promise<PaymentMethodRow | undefined> {
  const times = { create_time: event.time, update_time: event.time };
  const change = trx("payment_methods")
    .insert({ tenant_id: tenantId, customer_id: customerId, ...columns, ...times })
    .onConflict()
    .ignore()
    .returning("*");
  const [row] = await changeWithEvent<PaymentMethodRow>(trx, tenantId, change, event);
  return row;
}

/** A token, of any customer or none. */
export async function findToken(db: Knex, tenantId: string, id: string): Promise<PaymentMethodRow | undefined> {
  return await db("payment_methods").where({ tenant_id: tenantId }).whereRaw(ofToken, [id]).first();
}

/** Locks a token, of any customer or none. */
export async function lockToken(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
): Promise<PaymentMethodRow | undefined> {
  return await trx("payment_methods").where({ tenant_id: tenantId }).whereRaw(ofToken, [id]).forUpdate().first();
}

const readPaymentMethod = shareRead(
  defineStatement<PaymentMethodOfCustomerRow, Keys>((db, { tenantId, keys }) =>
    db("payment_methods")
      .join("customers", {
        "customers.tenant_id": "payment_methods.tenant_id",
        "customers.id": "payment_methods.customer_id",
      })
      .where("payment_methods.tenant_id", tenantId)
      .whereRaw("payment_methods.id = any(?)", [keys])
      .select("payment_methods.*", "default_payment_method_id"),
  ),
  ({ id }) => id,
);

export async function findPaymentMethod(
  db: Knex,
  tenantId: string,
  customerId: string,
  id: string,
): Promise<PaymentMethodOfCustomerRow | undefined> {
  const row = await readPaymentMethod(db, tenantId, id);
  return row?.customer_id === customerId ? row : undefined;
}

/** A page of a customer's payment methods; undefined if there is no such customer. One statement. */
export async function listPaymentMethods(
  db: Knex,
  tenantId: string,
  customerId: string,
  page: Page,
): Promise<PaymentMethodOfCustomerRow[] | undefined> {
  const ofCustomer = db("payment_methods").where({ tenant_id: tenantId, customer_id: customerId });
  const query = db("customers")
    .leftJoin(selectPage(ofCustomer, "payment_methods", page).as("page"), "page.customer_id", "customers.id")
    .where({ "customers.tenant_id": tenantId, "customers.id": customerId, purged: false })
    .select("page.*", "default_payment_method_id");
  const rows: PaymentMethodOfCustomerRow[] = await orderPage(query, "page", page);
  return rows.length === 0 ? undefined : rows.filter((row) => row.id !== null);
}

/** Whether a locked customer has any payment method. */
export async function hasPaymentMethods(db: Knex, tenantId: string, customerId: string): Promise<boolean> {
  return (
    (await db("payment_methods").where({ tenant_id: tenantId, customer_id: customerId }).first("id")) !== undefined
  );
}

export async function updateLabel(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  label: string | null,
  event: EventDraft,
) {
  const change = trx("payment_methods")
    .where({ tenant_id: tenantId, id })
    .update({ label, version: trx.raw("version + 1"), update_time: event.time })
    .returning("*");
  const [row] = await changeWithEvent<PaymentMethodRow>(trx, tenantId, change, event);
  return row!;
}

/** Takes one payment method from its customer, whose default it must not be any more. Answers what was detached. */
export async function detachPaymentMethod(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  id: string,
  detachment: PaymentMethodDetachment,
  event: EventDraft,
): Promise<PaymentMethodRow> {
  const detached = trx("payment_methods").where({ tenant_id: tenantId, customer_id: customerId, id });
  const change = detach(trx, detached, detachment, event);
  const [row] = await changeWithEvent<PaymentMethodRow>(trx, tenantId, change, event, customerId);
  return row!;
}

/** Takes all payment methods from a customer that has no default any more, with an event for each; answers how many. */
export async function detachPaymentMethodsOf(
  trx: Knex.Transaction,
  tenantId: string,
  customerId: string,
  detachment: PaymentMethodDetachment,
  event: EventDraft,
): Promise<number> {
  const detached = trx("payment_methods").where({ tenant_id: tenantId, customer_id: customerId });
  const rows = await changeWithEvent(trx, tenantId, detach(trx, detached, detachment, event), event, customerId);
  return rows.length;
}

// A consumed token keeps its row, so that it can never be attached again; a removed one leaves nothing.
function detach(
  trx: Knex.Transaction,
  rows: Knex.QueryBuilder,
  detachment: PaymentMethodDetachment,
  event: EventDraft,
) {
  if (detachment === PaymentMethodDetachment.REMOVE) return rows.delete().returning("*");
  const owner = { customer_id: null, former_customer_id: trx.ref("customer_id") };
  const consumed = { ...owner, label: null, consume_time: event.time, update_time: event.time };
  return rows.update({ ...consumed, version: trx.raw("version + 1") }).returning("*");
}
