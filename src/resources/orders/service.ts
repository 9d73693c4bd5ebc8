import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import { ListOrdersRequestSchema, type OrderService } from "../../../gen/clientele/v1/orders_pb.js";
import { type PaymentMethod, PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { notFound, refused } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { namesPlace } from "../addresses/rules.js";
import { checkoutFromRow } from "../checkouts/convert.js";
import { reachOf } from "../checkouts/reach.js";
import { lockWithCustomer, requireBuyer, requirePending } from "../checkouts/rules.js";
import { updateCheckout } from "../checkouts/store.js";
import { ownerOf } from "../customers/owner.js";
import { stateAt } from "../payment-methods/state.js";
import { lockToken } from "../payment-methods/store.js";
import { checkoutToOrderColumns, orderFromRow } from "./convert.js";
import * as store from "./store.js";

export function orderService(deps: Deps): ServiceImpl<typeof OrderService> {
  return {
    // The lock on the checkout makes concurrent callers wait for each other; a unique key guards it once more.
    async createOrder(req, ctx) {
      const call = callOf(ctx);
      const { db, tenantId, now, event } = call;
      const reach = reachOf(call, req.checkoutSecret);
      return await inTransaction(db, async (trx) => {
        const checkout = await lockWithCustomer(trx, tenantId, req.checkoutId, reach);
        const { row } = checkout;
        const state = requirePending(row, now, "complete");
        requireEtag("checkout", row, req.checkoutEtag);
        if (requireBuyer(checkout)?.enabled === false) {
          throw refused("CUSTOMER_DISABLED", "The customer is disabled, no orders can be placed for it.");
        }
        const { shipping, paymentMethod } = checkoutFromRow(row, now);
        if (shipping === undefined || !namesPlace(shipping))
          throw refused("SHIPPING_MISSING", "The checkout has no shipping address.");
        await requireChargeable(trx, tenantId, paymentMethod, row.customer_id, now);
        const columns = checkoutToOrderColumns(deps.newId("ord"), row);
        const order = await store.insertOrder(trx, tenantId, columns, event("order.created"));
        await updateCheckout(trx, tenantId, row.id, { state }, event("checkout.completed", ["state"]));
        return { order: orderFromRow(order) };
      });
    },

    async getOrder(req, ctx) {
      const call = callOf(ctx);
      const row = await store.findOrder(call.db, call.tenantId, req.id, ownerOf(call));
      if (row === undefined) throw notFound("order");
      return { order: orderFromRow(row) };
    },

    async listOrders(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListOrdersRequestSchema, req);
      const { rows, ...tokens } = toPage(await store.listOrders(call.db, call.tenantId, req, page), page);
      return { orders: rows.map(orderFromRow), ...tokens };
    },
  };
}

// The copy decides, unless the token was detached or attached to another customer since.
async function requireChargeable(
  trx: Knex.Transaction,
  tenantId: string,
  copy: PaymentMethod | undefined,
  customerId: string | null,
  now: Date,
): Promise<void> {
  const present = copy && (await lockToken(trx, tenantId, copy.id));
  const isOwn = present === undefined || present.customer_id === customerId;
  const card = copy?.card && {
    exp_month: copy.card.expMonth,
    exp_year: copy.card.expYear,
    consume_time: present?.consume_time ?? null,
  };
  if (card === undefined || !isOwn || stateAt(now, card) !== PaymentMethodState.CHARGEABLE) {
    throw refused("PAYMENT_METHOD_NOT_CHARGEABLE", "The checkout has no payment method that can be charged.");
  }
}
