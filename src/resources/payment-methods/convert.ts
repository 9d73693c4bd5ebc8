import { create, fromJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  BillingDetailsSchema,
  type PaymentMethod,
  PaymentMethodSchema,
  PaymentMethodType,
  PaymentMethodTypeSchema,
} from "../../../gen/clientele/v1/payment_methods_pb.js";
import { enumColumn } from "../../db/enums.js";
import type { Card } from "../../external/card-vault.js";
import { etagOf } from "../../rpc/etag.js";
import { writableFieldsOf } from "../../rpc/requests/plan.js";
import { stateAt } from "./state.js";
import type { PaymentMethodColumns, PaymentMethodRow } from "./store.js";

/** The fields that a mask may name. */
export const writableFields = writableFieldsOf(PaymentMethodSchema);

const type = enumColumn<PaymentMethodType>(PaymentMethodTypeSchema);

export function paymentMethodFromRow(row: PaymentMethodRow, defaultId: string | null, now: Date): PaymentMethod {
  return create(PaymentMethodSchema, {
    id: row.id,
    customerId: row.customer_id ?? "",
    type: type.fromColumn(row.type),
    card: cardMessage(cardFromRow(row)),
    ...(row.label !== null && { label: row.label }),
    isDefault: row.id === defaultId,
    state: stateAt(now, row),
    ...(row.billing && { billing: fromJson(BillingDetailsSchema, row.billing, { ignoreUnknownFields: true }) }),
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
  });
}

export function cardFromRow({ brand, last4, exp_month, exp_year, billing }: PaymentMethodRow): Card {
  return { brand, last4, expMonth: exp_month, expYear: exp_year, ...(billing && { billing }) };
}

export function cardToColumns(token: string, card: Card, label: string | undefined): PaymentMethodColumns {
  return {
    id: token,
    type: type.toColumn(PaymentMethodType.CARD)!,
    brand: card.brand,
    last4: card.last4,
    exp_month: card.expMonth,
    exp_year: card.expYear,
    label: label?.trim() || null,
    billing: card.billing ?? null,
  };
}

function cardMessage({ brand, last4, expMonth, expYear }: Card) {
  return { brand, last4, expMonth, expYear };
}

/** A payment method without a customer, as a guest's checkout shows it. */
export function paymentMethodFromCard(token: string, card: Card, now: Date): PaymentMethod {
  return create(PaymentMethodSchema, {
    id: token,
    type: PaymentMethodType.CARD,
    card: cardMessage(card),
    ...(card.billing && { billing: create(BillingDetailsSchema, card.billing) }),
    state: stateAt(now, { exp_month: card.expMonth, exp_year: card.expYear, consume_time: null }),
  });
}
