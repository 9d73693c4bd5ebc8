import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Attention,
  AttentionReason,
  AttentionSchema,
  type CustomerOverview,
  CustomerOverviewSchema,
} from "../../../gen/clientele/v1/customers_pb.js";
import { PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";
import { type TaxIdentifier, TaxIdentifierState } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { addressFromRow } from "../addresses/convert.js";
import { paymentMethodFromRow } from "../payment-methods/convert.js";
import { stateAt } from "../payment-methods/state.js";
import { customerFromRow } from "./convert.js";
import type { OverviewRow } from "./overview-store.js";

const soonMs = 30 * 24 * 60 * 60 * 1000;

export function overviewFromRow(
  row: OverviewRow,
  view: Parameters<typeof customerFromRow>[1],
  now: Date,
): CustomerOverview {
  const { pending = 0, completed = 0, failed = 0, cancelled = 0 } = row.checkout_counts;
  const customer = customerFromRow(row, view, row.shipping);
  return create(CustomerOverviewSchema, {
    customer,
    ...(row.shipping && { defaultAddress: addressFromRow(row.shipping, row.default_address_id) }),
    ...(row.payment_method && {
      defaultPaymentMethod: paymentMethodFromRow(row.payment_method, row.default_payment_method_id, now),
    }),
    addressCount: row.address_count,
    paymentMethodCount: row.payment_method_count,
    checkoutCounts: { pending, completed, failed, cancelled },
    orderCount: row.order_count,
    lastOrders: row.last_orders.map(({ id, checkout_id, url, display_name, create_time }) => {
      return {
        id,
        checkoutId: checkout_id,
        url,
        displayName: display_name,
        createTime: timestampFromDate(create_time),
      };
    }),
    attention: row.delete_time === null ? attentionOf(row, customer.taxIdentifiers, now) : [],
  });
}

function attentionOf(
  { enabled, shipping, payment_method: method }: OverviewRow,
  taxIdentifiers: readonly TaxIdentifier[],
  now: Date,
): Attention[] {
  const points: Attention[] = [];
  const note = (reason: AttentionReason, resourceId = "") =>
    points.push(create(AttentionSchema, { reason, resourceId }));
  if (!enabled) note(AttentionReason.CUSTOMER_DISABLED);
  if (shipping === null) note(AttentionReason.NO_DEFAULT_ADDRESS);
  if (method === null) note(AttentionReason.NO_DEFAULT_PAYMENT_METHOD);
  else if (isExpired(now)) note(AttentionReason.DEFAULT_PAYMENT_METHOD_EXPIRED, method.id);
  else if (isExpired(new Date(now.getTime() + soonMs))) {
    note(AttentionReason.DEFAULT_PAYMENT_METHOD_EXPIRES_SOON, method.id);
  }
  for (const { id, state } of taxIdentifiers) {
    if (state !== TaxIdentifierState.VERIFIED) note(AttentionReason.TAX_IDENTIFIER_NOT_VERIFIED, id);
  }
  return points;

  function isExpired(at: Date): boolean {
    return method !== null && stateAt(at, method) === PaymentMethodState.EXPIRED;
  }
}
