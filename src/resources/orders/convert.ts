import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Order, OrderSchema } from "../../../gen/clientele/v1/orders_pb.js";
import { etagOf } from "../../rpc/etag.js";
import { snapshotFromRow } from "../checkouts/convert.js";
import type { CheckoutRow } from "../checkouts/store.js";
import type { OrderColumns, OrderRow } from "./store.js";

export function orderFromRow(row: OrderRow): Order {
  return create(OrderSchema, {
    id: row.id,
    checkoutId: row.checkout_id,
    ...snapshotFromRow(row),
    createTime: timestampFromDate(row.create_time),
    etag: etagOf(row.version),
  });
}

/** The columns of the order that completes a checkout. */
export function checkoutToOrderColumns(id: string, checkout: CheckoutRow): OrderColumns {
  const { customer_id, url, display_name, contact, shipping, billing, payment_method, locale, customer_type } =
    checkout;
  const { tax_exempt, tax_identifiers, tax_certificates } = checkout;
  const snapshot = {
    customer_id,
    url,
    display_name,
    contact,
    shipping,
    billing,
    payment_method,
    locale,
    customer_type,
  };
  return { id, checkout_id: checkout.id, ...snapshot, tax_exempt, tax_identifiers, tax_certificates };
}
