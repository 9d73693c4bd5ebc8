import type { DescMessage, JsonObject, MessageShape } from "@bufbuild/protobuf";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import {
  type Checkout,
  CheckoutSchema,
  type CheckoutState,
  CheckoutStateSchema,
  ContactSchema,
  type Resolution,
  ResolutionSchema,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { type CustomerType, CustomerTypeSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { PaymentMethodSchema } from "../../../gen/clientele/v1/payment_methods_pb.js";
import { TaxCertificateSchema } from "../../../gen/clientele/v1/tax_certificates_pb.js";
import { TaxIdentifierSchema } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { enumColumn } from "../../db/enums.js";
import { etagOf } from "../../rpc/etag.js";
import type { Resolved } from "./resolve.js";
import { stateAt } from "./state.js";
import type { CheckoutRow, ResolvedColumns, SnapshotRow } from "./store.js";

const customerType = enumColumn<CustomerType>(CustomerTypeSchema);
const state = enumColumn<CheckoutState>(CheckoutStateSchema);

export const stateToColumn = (value: CheckoutState) => state.toColumn(value)!;

/** The state of a checkout at a time. */
export function stateOf(row: Pick<CheckoutRow, "state" | "expire_time">, now: Date): CheckoutState {
  return stateAt(now, state.fromColumn(row.state), row.expire_time);
}

export function checkoutFromRow(row: CheckoutRow, now: Date): Checkout {
  return create(CheckoutSchema, {
    id: row.id,
    ...snapshotFromRow(row),
    state: stateOf(row, now),
    resolutions: resolutionsFromRow(row),
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
    expireTime: timestampFromDate(row.expire_time),
  });
}

/** The checkout that CreateCheckout would make. */
export function previewFromColumns(url: string, customerId: string, columns: ResolvedColumns): Checkout {
  const snapshot = snapshotFromRow({ url, customer_id: customerId || null, ...columns });
  return create(CheckoutSchema, { ...snapshot, resolutions: resolutionsFromRow(columns) });
}

/** The fields that a checkout and its order share. */
export function snapshotFromRow(row: SnapshotRow) {
  return {
    customerId: row.customer_id ?? "",
    url: row.url,
    displayName: row.display_name,
    contact: parse(ContactSchema, row.contact),
    ...(row.shipping && { shipping: parse(AddressSchema, row.shipping) }),
    ...(row.billing && { billing: parse(AddressSchema, row.billing) }),
    ...(row.payment_method && { paymentMethod: parse(PaymentMethodSchema, row.payment_method) }),
    ...(row.locale !== null && { locale: row.locale }),
    customerType: customerType.fromColumn(row.customer_type),
    taxExempt: row.tax_exempt,
    taxIdentifiers: row.tax_identifiers.map((one) => parse(TaxIdentifierSchema, one)),
    taxCertificates: row.tax_certificates.map((one) => parse(TaxCertificateSchema, one)),
  };
}

export function resolutionToColumns(resolution: Resolved): ResolvedColumns {
  return {
    display_name: resolution.displayName,
    contact: print(ContactSchema, resolution.contact),
    shipping: resolution.shipping ? print(AddressSchema, snapshotOf(resolution.shipping)) : null,
    billing: resolution.billing ? print(AddressSchema, snapshotOf(resolution.billing)) : null,
    payment_method: resolution.paymentMethod ? print(PaymentMethodSchema, snapshotOf(resolution.paymentMethod)) : null,
    locale: resolution.locale ?? null,
    customer_type: customerType.toColumn(resolution.customerType),
    tax_exempt: resolution.taxExempt,
    tax_identifiers: resolution.taxIdentifiers.map((one) => print(TaxIdentifierSchema, snapshotOf(one))),
    tax_certificates: resolution.taxCertificates.map((one) => print(TaxCertificateSchema, snapshotOf(one))),
    resolutions: resolution.resolutions.map((resolution) => print(ResolutionSchema, resolution)),
  };
}

// The etag and `is_default` belong to the resource as it is now, not to a copy.
function snapshotOf<Copied extends { etag: string; isDefault?: boolean }>(resource: Copied): Copied {
  return { ...resource, etag: "", ...(resource.isDefault !== undefined && { isDefault: false }) };
}

function resolutionsFromRow({ resolutions }: Pick<CheckoutRow, "resolutions">): Resolution[] {
  return resolutions.map((resolution) => parse(ResolutionSchema, resolution));
}

function parse<Desc extends DescMessage>(schema: Desc, json: JsonObject): MessageShape<Desc> {
  return fromJson(schema, json, { ignoreUnknownFields: true });
}

function print<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonObject {
  return toJson(schema, message) as JsonObject;
}
