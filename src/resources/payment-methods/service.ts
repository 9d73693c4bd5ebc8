import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import { PaymentMethodAttachment } from "../../../gen/clientele/v1/accounts_pb.js";
import {
  ListPaymentMethodsRequestSchema,
  PaymentMethodSchema,
  type PaymentMethodService,
} from "../../../gen/clientele/v1/payment_methods_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { canonicalToken, isToken } from "../../formats/payment-tokens.js";
import { type Call, callOf } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { transact } from "../../rpc/calls/transaction.js";
import { notFound, refused, rpcError } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { applyMask } from "../../rpc/requests/field-mask.js";
import { required, requireValid } from "../../rpc/requests/validate.js";
import { lockActiveCustomer } from "../customers/lock.js";
import * as customers from "../customers/store.js";
import { paymentMethodFromRow, writableFields } from "./convert.js";
import * as store from "./store.js";
import { attachReclaims, attachToken, describeToken, requireAttachedBefore, useReclaims } from "./token.js";

export function paymentMethodService(deps: Deps): ServiceImpl<typeof PaymentMethodService> {
  return {
    attachPaymentMethod: prepared(async (req, ctx) => {
      const { id, label } = req.paymentMethod!;
      const described = await describeFor(callOf(ctx), req.customerId, id, "payment_method.id", ctx.signal);
      return (call) =>
        transact(call, async (inside) => {
          const { db, tenantId, now } = inside;
          const { settings } = await deps.settings.read(db, tenantId);
          if (settings.paymentMethodAttachment === PaymentMethodAttachment.IMPLICIT) {
            throw refused(
              "ATTACHMENT_IMPLICIT_ONLY",
              "Payment methods are attached by use, in a checkout or as a default.",
            );
          }
          const customer = await lockActiveCustomer(db, tenantId, req.customerId);
          const firstBecomesDefault = settings.firstPaymentMethodBecomesDefault === true;
          const attachment = { ...described, label, firstBecomesDefault, reclaims: attachReclaims(settings) };
          const { row, attached, defaultId } = await attachToken(inside, customer, attachment);
          const isRepeat = attached || label === undefined || (label.trim() || null) === row.label;
          if (!isRepeat) throw rpcError("PAYMENT_METHOD_ATTACHED", "The customer has this payment method already.");
          return { paymentMethod: paymentMethodFromRow(row, defaultId, now) };
        });
    }),

    async getPaymentMethod(req, ctx) {
      const { db, tenantId, now } = callOf(ctx);
      const row = await store.findPaymentMethod(db, tenantId, req.customerId, canonicalToken(req.id));
      if (row === undefined) throw notFound("payment method");
      return { paymentMethod: paymentMethodFromRow(row, row.default_payment_method_id, now) };
    },

    async listPaymentMethods(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListPaymentMethodsRequestSchema, req);
      const found = await store.listPaymentMethods(call.db, call.tenantId, req.customerId, page);
      if (found === undefined) throw notFound("customer");
      const { rows, ...tokens } = toPage(found, page);
      const paymentMethods = rows.map((row) => paymentMethodFromRow(row, row.default_payment_method_id, call.now));
      return { paymentMethods, ...tokens };
    },

    async updatePaymentMethod(req, ctx) {
      const { db, tenantId, now, event } = callOf(ctx);
      const changes = required(req.paymentMethod, "payment_method");
      return await inTransaction(db, async (trx) => {
        const { row, customer } = await lockedPaymentMethod(trx, tenantId, req.customerId, changes.id);
        requireEtag("payment method", row, changes.etag);
        const before = paymentMethodFromRow(row, customer.default_payment_method_id, now);
        const { next, changedPaths } = applyMask(PaymentMethodSchema, before, changes, req.updateMask, writableFields);
        if (changedPaths.length === 0) return { paymentMethod: before };
        requireValid(PaymentMethodSchema, next, "payment_method");
        const label = next.label?.trim() || null;
        if (label === row.label) return { paymentMethod: before };
        const changed = event("payment_method.updated", changedPaths);
        const updated = await store.updateLabel(trx, tenantId, row.id, label, changed);
        return { paymentMethod: paymentMethodFromRow(updated, customer.default_payment_method_id, now) };
      });
    },

    // SimpleCheckout: its own example makes a token the default that was never used, so it is attached first.
    setDefaultPaymentMethod: prepared(async (req, ctx) => {
      const described = await describeFor(callOf(ctx), req.customerId, req.id, "id", ctx.signal);
      return (call) =>
        transact(call, async (inside) => {
          const { db, tenantId, now } = inside;
          const { settings } = await deps.settings.read(db, tenantId);
          const customer = await lockActiveCustomer(db, tenantId, req.customerId);
          requireAttachedBefore(described, settings);
          const attachment = { ...described, firstBecomesDefault: false, reclaims: useReclaims(settings) };
          const { row } = await attachToken(inside, customer, attachment);
          if (customer.default_payment_method_id !== row.id) {
            const changed = inside.event("customer.updated", ["default_payment_method_id"]);
            await customers.update(db, tenantId, customer.id, { default_payment_method_id: row.id }, changed);
          }
          return { paymentMethod: paymentMethodFromRow(row, row.id, now) };
        });
    }),

    async detachPaymentMethod(req, ctx) {
      const { db, tenantId, now, event } = callOf(ctx);
      return await inTransaction(db, async (trx) => {
        const { settings } = await deps.settings.read(trx, tenantId);
        const customer = await lockActiveCustomer(trx, tenantId, req.customerId);
        const row = await lockToken(trx, tenantId, req.id);
        if (row?.former_customer_id === customer.id) return { paymentMethod: paymentMethodFromRow(row, null, now) };
        if (row?.customer_id !== customer.id) throw notFound("payment method");
        requireEtag("payment method", row, req.etag);
        if (customer.default_payment_method_id === row.id) {
          const changed = event("customer.updated", ["default_payment_method_id"]);
          await customers.update(trx, tenantId, customer.id, { default_payment_method_id: null }, changed);
        }
        const { paymentMethodDetachment } = settings;
        const { id: customerId } = customer;
        const happened = event("payment_method.detached");
        const detached = await store.detachPaymentMethod(
          trx,
          tenantId,
          customerId,
          row.id,
          paymentMethodDetachment,
          happened,
        );
        return { paymentMethod: paymentMethodFromRow({ ...detached, customer_id: null }, null, now) };
      });
    },
  };

  // Another tenant's customer must cost nothing and tell nothing, so it is looked up before the vault is asked.
  async function describeFor(call: Call, customerId: string, id: string, field: string, signal: AbortSignal) {
    if ((await customers.findCustomer(call.db, call.tenantId, customerId)) === undefined) throw notFound("customer");
    return await describeToken(deps.cardVault, call, id, field, signal);
  }
}

async function lockedPaymentMethod(trx: Knex.Transaction, tenantId: string, customerId: string, id: string) {
  const customer = await lockActiveCustomer(trx, tenantId, customerId);
  const row = await lockToken(trx, tenantId, id);
  if (row?.customer_id !== customerId) throw notFound("payment method");
  return { customer, row };
}

async function lockToken(trx: Knex.Transaction, tenantId: string, id: string) {
  return isToken(id) ? await store.lockToken(trx, tenantId, canonicalToken(id)) : undefined;
}
