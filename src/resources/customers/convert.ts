import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Customer,
  CustomerSchema,
  CustomerState,
  type CustomerType,
  CustomerTypeSchema,
} from "../../../gen/clientele/v1/customers_pb.js";
import { enumColumn } from "../../db/enums.js";
import { countryName } from "../../formats/countries.js";
import type { Call } from "../../rpc/caller.js";
import { etagOf } from "../../rpc/etag.js";
import type { Fields } from "../../rpc/filter.js";
import type { OrderFields } from "../../rpc/order-by.js";
import { addressFromRow } from "../addresses/convert.js";
import type { AddressRow } from "../addresses/store.js";
import { photoUrl } from "../photos/token.js";
import type { CustomerColumns, CustomerRow } from "./store.js";

/** What a mask may name. */
export const writableFields = [
  "email",
  "name",
  "first_name",
  "last_name",
  "display_name",
  "phone",
  "country",
  "locale",
  "type",
  "enabled",
  "metadata",
  "external_references",
  "shipping",
  "default_address_id",
  "default_payment_method_id",
];

/** What a filter may name. */
export const filterableFields = {
  id: { type: "text" },
  email: { type: "text", caseInsensitive: true },
  name: { type: "text" },
  first_name: { type: "text" },
  last_name: { type: "text" },
  display_name: { type: "text" },
  phone: { type: "text" },
  country: { type: "text" },
  locale: { type: "text" },
  type: {
    type: "enum",
    values: {
      CUSTOMER_TYPE_INDIVIDUAL: "individual",
      CUSTOMER_TYPE_BUSINESS: "business",
      INDIVIDUAL: "individual",
      BUSINESS: "business",
    },
  },
  enabled: { type: "boolean" },
  default_address_id: { type: "text" },
  default_payment_method_id: { type: "text" },
  create_time: { type: "timestamp" },
  update_time: { type: "timestamp" },
  delete_time: { type: "timestamp" },
  purge_time: { type: "timestamp" },
  metadata: { type: "map" },
} as const satisfies Fields;

/** What order_by may name. */
export const orderableFields = {
  id: { nullable: false },
  email: { nullable: true },
  name: { nullable: true },
  first_name: { nullable: true },
  last_name: { nullable: true },
  create_time: { nullable: false },
  update_time: { nullable: false },
} as const satisfies OrderFields;

const type = enumColumn<CustomerType>(CustomerTypeSchema);

export function customerFromRow(
  row: CustomerRow,
  { liveMode, publicUrl }: Pick<Call, "liveMode" | "publicUrl">,
  shipping: AddressRow | null = null,
): Customer {
  return create(CustomerSchema, {
    id: row.id,
    ...(row.email !== null && { email: row.email }),
    ...(row.name !== null && { name: row.name }),
    ...(row.first_name !== null && { firstName: row.first_name }),
    ...(row.last_name !== null && { lastName: row.last_name }),
    displayName: displayNameOf(row),
    ...(row.phone !== null && { phone: row.phone }),
    ...(row.country !== null && { country: row.country, countryName: countryName(row.country) }),
    ...(row.locale !== null && { locale: row.locale }),
    type: type.fromColumn(row.type),
    enabled: row.enabled,
    liveMode,
    photoUrl: photoUrlOf(row, publicUrl),
    metadata: row.metadata,
    externalReferences: row.external_references,
    ...(shipping && { shipping: addressFromRow(shipping, row.default_address_id) }),
    ...(row.default_address_id !== null && { defaultAddressId: row.default_address_id }),
    ...(row.default_payment_method_id !== null && { defaultPaymentMethodId: row.default_payment_method_id }),
    state: row.delete_time === null ? CustomerState.ACTIVE : CustomerState.DELETED,
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    ...(row.delete_time && { deleteTime: timestampFromDate(row.delete_time) }),
    ...(row.purge_time && { purgeTime: timestampFromDate(row.purge_time) }),
    etag: etagOf(row.version),
  });
}

/** The columns of a customer without blanks. */
export function customerToColumns(customer: Customer): CustomerColumns {
  return {
    email: customer.email ?? null,
    name: customer.name ?? null,
    first_name: customer.firstName ?? null,
    last_name: customer.lastName ?? null,
    display_name: customer.displayName ?? null,
    phone: customer.phone ?? null,
    country: customer.country ?? null,
    locale: customer.locale ?? null,
    type: type.toColumn(customer.type),
    enabled: customer.enabled ?? true,
    metadata: customer.metadata ?? {},
    external_references: customer.externalReferences.map(({ name, id }) => ({ name, id })),
    default_address_id: customer.defaultAddressId ?? null,
    default_payment_method_id: customer.defaultPaymentMethodId ?? null,
  };
}

// Request, else e-mail, else name, else id (SC).
function displayNameOf(row: CustomerRow): string {
  return row.display_name ?? row.email ?? row.name ?? row.id;
}

// The customer's own photo, else the default picture of 4G; without an e-mail address it is as good as one of the id.
function photoUrlOf({ tenant_id, photo_token, email, id }: CustomerRow, publicUrl: string): string {
  if (photo_token !== null) return photoUrl(publicUrl, tenant_id, photo_token);
  const hash = createHash("md5")
    .update((email ?? id).toLowerCase())
    .digest("hex");
  return `https://seccdn.libravatar.org/avatar/${hash}?d=monsterid`;
}
