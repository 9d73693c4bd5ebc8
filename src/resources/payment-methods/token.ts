import type { Knex } from "knex";
import {
  type AccountSettings,
  PaymentMethodAttachment,
  PaymentMethodDetachment,
} from "../../../gen/clientele/v1/accounts_pb.js";
import type { PaymentMethod } from "../../../gen/clientele/v1/payment_methods_pb.js";
import type { Card, CardVault } from "../../external/card-vault.js";
import { canonicalToken, isToken, modeOfToken } from "../../formats/payment-tokens.js";
import type { Call, TransactionCall } from "../../rpc/callers/caller.js";
import { conflict, invalidField, notFound, refused } from "../../rpc/errors.js";
import * as customers from "../customers/store.js";
import { cardFromRow, cardToColumns, paymentMethodFromCard, paymentMethodFromRow } from "./convert.js";
import * as store from "./store.js";

/** A token, and the card behind it if nobody has the token yet. */
export interface DescribedToken {
  readonly token: string;
  readonly card: Card | undefined;
}

/**
 * Learns what a token stands for. It asks the vault, so it belongs before the transaction. Throws INVALID_ARGUMENT for
 * what is no token, FAILED_PRECONDITION for one of the other mode or of a card that is declined, NOT_FOUND for one that
 * the vault does not know, UNAVAILABLE if the vault gives no answer.
 */
export async function describeToken(
  vault: CardVault,
  { db, tenantId, liveMode }: Pick<Call, "db" | "tenantId" | "liveMode">,
  given: string,
  field: string,
  signal: AbortSignal,
): Promise<DescribedToken> {
  const token = canonicalToken(given);
  const mode = modeOfToken(token);
  if (!isToken(token)) throw invalidField(field, "must be a token of the card vault");
  if (mode !== undefined && (mode === "live") !== liveMode) {
    throw refused(
      "PAYMENT_METHOD_MODE_MISMATCH",
      `A ${mode} token cannot be used in ${liveMode ? "live" : "test"} mode.`,
    );
  }
  if ((await store.findToken(db, tenantId, token)) !== undefined) return { token, card: undefined };
  const card = await vault.describe(token, { liveMode, signal });
  if (card === undefined) throw notFound("payment method");
  if (card === "declined") throw refused("CARD_DECLINED", "The card was declined.");
  return { token, card };
}

/** Refuses a token that is consumed, or that another customer has. Throws FAILED_PRECONDITION. */
export function requireOwn(row: store.PaymentMethodRow, customerId: string | undefined): void {
  if (row.consume_time !== null) {
    throw refused("PAYMENT_METHOD_CONSUMED", "The payment method was detached and cannot be used again.");
  }
  if (row.customer_id !== customerId) {
    throw refused("PAYMENT_METHOD_UNAVAILABLE", "The payment method cannot be used here.");
  }
}

/** Refuses to attach a token by using it, where the settings ask for AttachPaymentMethod. Throws FAILED_PRECONDITION. */
export function requireAttachedBefore({ card }: DescribedToken, settings: AccountSettings): void {
  if (card === undefined || settings.paymentMethodAttachment !== PaymentMethodAttachment.EXPLICIT) return;
  throw refused("ATTACHMENT_EXPLICIT_ONLY", "Attach the payment method to the customer first.");
}

interface Owner {
  readonly id: string;
  readonly default_payment_method_id: string | null;
}

interface Attachment extends DescribedToken {
  readonly label?: string | undefined;
  /** Whether the customer's first payment method becomes its default. */
  readonly firstBecomesDefault: boolean;
  /** Whether the token may be taken from a softly deleted customer. */
  readonly reclaims: boolean;
}

/**
 * Whether AttachPaymentMethod, and a new customer that names a default, may take a token from a softly deleted customer.
 * They may where a detached token is free again.
 */
export function attachReclaims({ paymentMethodDetachment }: AccountSettings): boolean {
  return paymentMethodDetachment === PaymentMethodDetachment.REMOVE;
}

/** Whether use may take a token from a softly deleted customer: where it may attach a token at all. */
export function useReclaims(settings: AccountSettings): boolean {
  return attachReclaims(settings) && settings.paymentMethodAttachment !== PaymentMethodAttachment.EXPLICIT;
}

/**
 * Gives a token to a locked customer, inside of its transaction. One that the customer already has is left as it is:
 * `attached` is false then. Throws FAILED_PRECONDITION if it is consumed or another customer's.
 */
export async function attachToken(call: TransactionCall, customer: Owner, attachment: Attachment) {
  const { db, tenantId, event } = call;
  const { token, label, firstBecomesDefault, reclaims } = attachment;
  const card = (reclaims ? await reclaim(call, customer.id, token) : undefined) ?? attachment.card;
  const isFirst = firstBecomesDefault && !(await store.hasPaymentMethods(db, tenantId, customer.id));
  const columns = card && cardToColumns(token, card, label);
  const attachedEvent = event("payment_method.attached", label ? ["label"] : []);
  const inserted = columns && (await store.insertPaymentMethod(db, tenantId, customer.id, columns, attachedEvent));
  if (inserted === undefined) {
    const row = await store.lockToken(db, tenantId, token);
    // Another call detached the token after it was looked up, and the vault was not asked.
    if (row === undefined) throw conflict();
    requireOwn(row, customer.id);
    return { row, attached: false, defaultId: customer.default_payment_method_id };
  }
  if (isFirst) {
    const changed = event("customer.updated", ["default_payment_method_id"]);
    await customers.update(db, tenantId, customer.id, { default_payment_method_id: token }, changed);
  }
  return { row: inserted, attached: true, defaultId: isFirst ? token : customer.default_payment_method_id };
}

// SimpleCheckout: a person whose customer is deleted comes back as a new customer, with the same card. Answers the card of
// the token that the deleted customer gave up.
async function reclaim({ db, tenantId, event }: TransactionCall, customerId: string, token: string) {
  const holderId = await deletedHolder(db, tenantId, customerId, token);
  // An active customer is never locked after another one: two that want each other's tokens would deadlock.
  const holder = holderId && (await customers.lockCustomer(db, tenantId, holderId));
  if (!holder || holder.delete_time === null) return undefined;
  const row = await store.lockToken(db, tenantId, token);
  if (row?.customer_id !== holder.id) return undefined;
  if (holder.default_payment_method_id === token) {
    const changed = event("customer.updated", ["default_payment_method_id"]);
    await customers.update(db, tenantId, holder.id, { default_payment_method_id: null }, changed);
  }
  const detached = event("payment_method.detached");
  await store.detachPaymentMethod(db, tenantId, holder.id, token, PaymentMethodDetachment.REMOVE, detached);
  return cardFromRow(row);
}

// The softly deleted customer that has a token, if it is another one.
async function deletedHolder(db: Knex, tenantId: string, customerId: string, token: string) {
  const holderId = (await store.findToken(db, tenantId, token))?.customer_id ?? customerId;
  if (holderId === customerId) return undefined;
  const holder = await customers.findCustomer(db, tenantId, holderId);
  return holder && holder.delete_time !== null ? holder.id : undefined;
}

/** Uses a token for an active customer. Answers the payment method as the customer then has it. */
export type UseToken = (customer: Owner, attachment: Attachment) => Promise<PaymentMethod>;

/** Uses a token by attaching it; see `attachToken`. */
export function attachingUse(call: TransactionCall): UseToken {
  return async (customer, attachment) => {
    const { row, defaultId } = await attachToken(call, customer, attachment);
    return paymentMethodFromRow(row, defaultId, call.now);
  };
}

/** Answers or throws as `attachingUse`, but changes and locks nothing. A token not attached yet has no times and no etag. */
export function previewingUse({ db, tenantId, now }: Call): UseToken {
  return async (customer, { token, card: described, firstBecomesDefault, reclaims }) => {
    const row = await store.findToken(db, tenantId, token);
    const isReclaimed = reclaims && (await deletedHolder(db, tenantId, customer.id, token)) !== undefined;
    const card = isReclaimed && row ? cardFromRow(row) : described;
    if (row !== undefined && !isReclaimed) {
      requireOwn(row, customer.id);
      return paymentMethodFromRow(row, customer.default_payment_method_id, now);
    }
    if (card === undefined) throw conflict();
    const isDefault = firstBecomesDefault && !(await store.hasPaymentMethods(db, tenantId, customer.id));
    return Object.assign(paymentMethodFromCard(token, card, now), { customerId: customer.id, isDefault });
  };
}
