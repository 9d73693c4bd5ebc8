import type { ServiceImpl } from "@connectrpc/connect";
import {
  CheckoutSchema,
  type CheckoutService,
  CheckoutState,
  ListCheckoutsRequestSchema,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf, ownerOf } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { transact } from "../../rpc/calls/transaction.js";
import { invalidField, notFound, requiredMessage } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { changedPaths } from "../../rpc/requests/field-mask.js";
import { lockActiveCustomer, requireActive } from "../customers/lock.js";
import { findCustomer } from "../customers/store.js";
import { attachingUse, describeToken, previewingUse } from "../payment-methods/token.js";
import { checkoutFromRow, previewFromColumns, resolvedToColumns, stateToColumn } from "./convert.js";
import { type Asked, gather, requireGuest } from "./gather.js";
import { askedBy, fieldsToResolve } from "./input.js";
import { resolve } from "./resolve.js";
import { lockWithCustomer, requireBuyer, requirePending } from "./rules.js";
import * as store from "./store.js";

export function checkoutService(deps: Deps): ServiceImpl<typeof CheckoutService> {
  return {
    createCheckout: prepared(async (req, ctx) => {
      const pooled = callOf(ctx);
      if (req.customerId === "") requireGuest(req);
      else if ((await findCustomer(pooled.db, pooled.tenantId, req.customerId)) === undefined) {
        throw notFound("customer");
      }
      const described = await describe(pooled, req, ctx.signal);
      return (call) =>
        transact(call, async (inside) => {
          const { db, tenantId, now } = inside;
          const { settings } = await deps.settings.read(db, tenantId);
          const customer = req.customerId === "" ? undefined : await lockActiveCustomer(db, tenantId, req.customerId);
          const buyer = { customer, described, settings, use: attachingUse(inside) };
          const resolved = resolve(await gather(inside, req, buyer));
          const columns = {
            id: deps.newId("chk"),
            url: req.url,
            customer_id: req.customerId || null,
            state: stateToColumn(CheckoutState.PENDING),
            expire_time: new Date(now.getTime() + Number(settings.checkoutLifetime?.seconds) * 1000),
            ...resolvedToColumns(resolved),
          };
          const row = await store.insertCheckout(db, tenantId, columns, inside.event("checkout.created"));
          return { checkout: checkoutFromRow(row, now) };
        });
    }),

    // What CreateCheckout does, but the locks, the attachment and the row.
    async previewCheckout(req, ctx) {
      const call = callOf(ctx);
      const isGuest = req.customerId === "";
      const found = isGuest ? undefined : await findCustomer(call.db, call.tenantId, req.customerId);
      if (isGuest) requireGuest(req);
      else if (found === undefined) throw notFound("customer");
      const described = await describe(call, req, ctx.signal);
      const { settings } = await deps.settings.read(call.db, call.tenantId);
      const customer = found && requireActive(found);
      const resolved = resolve(await gather(call, req, { customer, described, settings, use: previewingUse(call) }));
      return { checkout: previewFromColumns(req.url, req.customerId, resolvedToColumns(resolved)) };
    },

    updateCheckout: prepared(async (req, ctx) => {
      const pooled = callOf(ctx);
      const fields = fieldsToResolve(req);
      if (fields.has("url") && req.url === "") throw invalidField("url", requiredMessage);
      const found = await store.findCheckout(pooled.db, pooled.tenantId, req.id, ownerOf(pooled));
      if (found === undefined) throw notFound("checkout");
      const asked = askedBy(req, fields);
      if (found.customer_id === null) requireGuest(asked, fields);
      const described = await describe(pooled, asked, ctx.signal);
      return (call) =>
        transact(call, async (inside) => {
          const { db, tenantId, now, event } = inside;
          const { settings } = await deps.settings.read(db, tenantId);
          const locked = await lockWithCustomer(db, tenantId, req.id, ownerOf(inside));
          const { row } = locked;
          requireEtag("checkout", row, req.etag);
          const state = requirePending(row, now, "update");
          const before = checkoutFromRow(row, now);
          const country = fields.has("shipping") ? undefined : before.shipping?.country;
          const buyer = { customer: requireBuyer(locked), described, settings, use: attachingUse(inside), country };
          const candidates = await gather(inside, asked, buyer);
          const resolved = resolvedToColumns(resolve(candidates, { before, fields }));
          const columns = { ...resolved, state, ...(fields.has("url") && { url: req.url }) };
          const paths = changedPaths(CheckoutSchema, before, checkoutFromRow({ ...row, ...columns }, now));
          if (paths.length === 0) return { checkout: before };
          const updated = await store.updateCheckout(db, tenantId, row.id, columns, event("checkout.updated", paths));
          return { checkout: checkoutFromRow(updated, now) };
        });
    }),

    async cancelCheckout(req, ctx) {
      const call = callOf(ctx);
      const { db, tenantId, now, event } = call;
      return await inTransaction(db, async (trx) => {
        const row = await store.lockCheckout(trx, tenantId, req.id, ownerOf(call));
        if (row === undefined) throw notFound("checkout");
        requireEtag("checkout", row, req.etag);
        const state = requirePending(row, now, "cancel");
        const cancelled = event("checkout.cancelled", ["state"]);
        return {
          checkout: checkoutFromRow(await store.updateCheckout(trx, tenantId, row.id, { state }, cancelled), now),
        };
      });
    },

    async getCheckout(req, ctx) {
      const call = callOf(ctx);
      const row = await store.findCheckout(call.db, call.tenantId, req.id, ownerOf(call));
      if (row === undefined) throw notFound("checkout");
      return { checkout: checkoutFromRow(row, call.now) };
    },

    async listCheckouts(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListCheckoutsRequestSchema, req);
      const { rows, ...tokens } = toPage(await store.listCheckouts(call.db, call.tenantId, req, page), page);
      return { checkouts: rows.map((row) => checkoutFromRow(row, call.now)), ...tokens };
    },
  };

  // Asks the vault, so it comes before the transaction.
  async function describe(call: Call, { creditCardToken: token }: Asked, signal: AbortSignal) {
    if (token === "") return undefined;
    return await describeToken(deps.cardVault, call, token, "credit_card_token", signal);
  }
}
