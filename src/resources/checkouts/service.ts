import type { ServiceImpl } from "@connectrpc/connect";
import {
  type CheckoutInput,
  CheckoutSchema,
  type CheckoutService,
  CheckoutState,
  ListCheckoutsRequestSchema,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf } from "../../rpc/callers/caller.js";
import { hashOfSecret } from "../../rpc/callers/secret.js";
import { prepared } from "../../rpc/calls/call.js";
import { transact } from "../../rpc/calls/transaction.js";
import { invalidField, notFound, notPermitted } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { changedPaths } from "../../rpc/requests/field-mask.js";
import { lockActiveCustomer, requireActive } from "../customers/lock.js";
import { findCustomer } from "../customers/store.js";
import { attachingUse, describeToken, previewingUse } from "../payment-methods/token.js";
import { checkoutFromRow, previewFromColumns, resolutionToColumns, stateOf, stateToColumn } from "./convert.js";
import { gather } from "./gather.js";
import { fieldsToResolve, inputPath, maskedInput, newInput, requireGuestInput } from "./input.js";
import { newCheckoutSecret, reachOf } from "./reach.js";
import { resolve } from "./resolve.js";
import { lockWithCustomer, requireBuyer, requirePending } from "./rules.js";
import * as store from "./store.js";

export function checkoutService(deps: Deps): ServiceImpl<typeof CheckoutService> {
  return {
    createCheckout: prepared(async (req, ctx) => {
      const pooled = callOf(ctx);
      const input = newInput(req.checkout);
      const { customerId, url } = input;
      if (customerId === "") requireGuestInput(input);
      else if ((await findCustomer(pooled.db, pooled.tenantId, customerId)) === undefined) throw notFound("customer");
      const description = await describe(pooled, input, ctx.signal);
      return (call) =>
        transact(call, async (inside) => {
          const { db, tenantId, now } = inside;
          const { settings } = await deps.settings.read(db, tenantId);
          const customer = customerId === "" ? undefined : await lockActiveCustomer(db, tenantId, customerId);
          const buyer = { customer, description, settings, use: attachingUse(inside) };
          const resolution = resolve(await gather(inside, input, buyer));
          const checkoutSecret = customer === undefined ? newCheckoutSecret(deps.randomBytes) : undefined;
          const columns = {
            id: deps.newId("chk"),
            url,
            customer_id: customerId || null,
            state: stateToColumn(CheckoutState.PENDING),
            expire_time: new Date(now.getTime() + Number(settings.checkoutLifetime?.seconds) * 1000),
            secret_hash: checkoutSecret === undefined ? null : hashOfSecret(checkoutSecret),
            ...resolutionToColumns(resolution),
          };
          const row = await store.insertCheckout(db, tenantId, columns, inside.event("checkout.created"));
          return { checkout: checkoutFromRow(row, now), ...(checkoutSecret !== undefined && { checkoutSecret }) };
        });
    }),

    // A preview takes no locks, attaches nothing and writes no row.
    async previewCheckout(req, ctx) {
      const call = callOf(ctx);
      const input = newInput(req.checkout);
      const { customerId, url } = input;
      const buyerRow = customerId === "" ? undefined : await findCustomer(call.db, call.tenantId, customerId);
      if (customerId === "") requireGuestInput(input);
      else if (buyerRow === undefined) throw notFound("customer");
      const description = await describe(call, input, ctx.signal);
      const { settings } = await deps.settings.read(call.db, call.tenantId);
      const customer = buyerRow && requireActive(buyerRow);
      const resolution = resolve(
        await gather(call, input, { customer, description, settings, use: previewingUse(call) }),
      );
      return { checkout: previewFromColumns(url, customerId, resolutionToColumns(resolution)) };
    },

    updateCheckout: prepared(async (req, ctx) => {
      const pooled = callOf(ctx);
      const fields = fieldsToResolve(req);
      const input = maskedInput(req, fields);
      const earlier = await store.findCheckout(pooled.db, pooled.tenantId, req.id, reachOf(pooled, req.checkoutSecret));
      if (earlier === undefined) throw notFound("checkout");
      if (input.customerId !== "" && input.customerId !== earlier.customer_id) {
        throw invalidField(`${inputPath}.customer_id`, "cannot be changed");
      }
      // A page corrects what the guest typed, not what is sold.
      const isOtherUrl = input.url !== undefined && input.url !== earlier.url;
      if (isOtherUrl && pooled.kind === "publishable_key") throw notPermitted([`${inputPath}.url`]);
      if (earlier.customer_id === null) requireGuestInput(input, fields);
      const description = await describe(pooled, input, ctx.signal);
      return (call) =>
        transact(call, async (inside) => {
          const { db, tenantId, now, event } = inside;
          const { settings } = await deps.settings.read(db, tenantId);
          const checkout = await lockWithCustomer(db, tenantId, req.id, reachOf(inside, req.checkoutSecret));
          const { row } = checkout;
          requireEtag("checkout", row, req.etag);
          const state = requirePending(row, now, "update");
          const before = checkoutFromRow(row, now);
          const country = fields.has("shipping") ? undefined : before.shipping?.country;
          const buyer = { customer: requireBuyer(checkout), description, settings, use: attachingUse(inside), country };
          const candidates = await gather(inside, input, buyer);
          const resolution = resolutionToColumns(resolve(candidates, { before, fields }));
          const columns = { ...resolution, state, ...(input.url !== undefined && { url: input.url }) };
          const paths = changedPaths(CheckoutSchema, before, checkoutFromRow({ ...row, ...columns }, now));
          if (paths.length === 0) return { checkout: before };
          const newRow = await store.updateCheckout(db, tenantId, row.id, columns, event("checkout.updated", paths));
          return { checkout: checkoutFromRow(newRow, now) };
        });
    }),

    async cancelCheckout(req, ctx) {
      const call = callOf(ctx);
      const { db, tenantId, now, event } = call;
      const reach = reachOf(call, req.checkoutSecret);
      return await inTransaction(db, async (trx) => {
        const row = await store.lockCheckout(trx, tenantId, req.id, reach);
        if (row === undefined) throw notFound("checkout");
        if (stateOf(row, now) === CheckoutState.CANCELLED) return { checkout: checkoutFromRow(row, now) };
        requireEtag("checkout", row, req.etag);
        const state = requirePending(row, now, "cancel");
        const cancellation = event("checkout.cancelled", ["state"]);
        return {
          checkout: checkoutFromRow(await store.updateCheckout(trx, tenantId, row.id, { state }, cancellation), now),
        };
      });
    },

    async getCheckout(req, ctx) {
      const call = callOf(ctx);
      const row = await store.findCheckout(call.db, call.tenantId, req.id, reachOf(call, req.checkoutSecret));
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

  // The card vault is asked before the transaction, which holds a connection.
  async function describe(call: Call, { paymentMethodId: token }: CheckoutInput, signal: AbortSignal) {
    if (!token) return undefined;
    return await describeToken(deps.cardVault, call, token, `${inputPath}.payment_method_id`, signal);
  }
}
