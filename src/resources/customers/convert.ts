import { hash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { CustomField } from "../../../gen/clientele/v1/custom_fields_pb.js";
import {
  type Customer,
  CustomerSchema,
  CustomerState,
  type CustomerType,
  CustomerTypeSchema,
  ExternalReferenceSchema,
} from "../../../gen/clientele/v1/customers_pb.js";
import { enumColumn } from "../../db/enums.js";
import { countryName } from "../../formats/countries.js";
import type { Call } from "../../rpc/callers/caller.js";
import { etagOf } from "../../rpc/etag.js";
import { addressFromRow } from "../addresses/convert.js";
import type { AddressRow } from "../addresses/store.js";
import { shownValues, storedValues } from "../custom-fields/values.js";
import { photoUrl } from "../photos/token.js";
import { taxIdentifierFromRow } from "../tax-identifiers/convert.js";
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
  "custom_fields",
  "external_references",
  "shipping",
  "default_address_id",
  "default_payment_method_id",
  "request_to_be_forgotten",
];

const type = enumColumn<CustomerType>(CustomerTypeSchema);

/** What a customer is shown by beside its row: the call, and the definitions of the custom fields. */
export interface View extends Pick<Call, "liveMode" | "publicUrl"> {
  readonly customFields: readonly CustomField[];
}

export function customerFromRow(
  row: CustomerRow,
  { liveMode, publicUrl, customFields }: View,
  shipping: AddressRow | null = null,
): Customer {
  // Filled in place, because a list makes a hundred of them.
  const customer = create(CustomerSchema);
  customer.id = row.id;
  if (row.email !== null) customer.email = row.email;
  if (row.name !== null) customer.name = row.name;
  if (row.first_name !== null) customer.firstName = row.first_name;
  if (row.last_name !== null) customer.lastName = row.last_name;
  customer.displayName = displayNameOf(row);
  if (row.phone !== null) customer.phone = row.phone;
  if (row.country !== null) {
    customer.country = row.country;
    customer.countryName = countryName(row.country);
  }
  if (row.locale !== null) customer.locale = row.locale;
  customer.type = type.fromColumn(row.type);
  customer.enabled = row.enabled;
  customer.requestToBeForgotten = row.request_to_be_forgotten;
  customer.liveMode = liveMode;
  customer.photoUrl = photoUrlOf(row, publicUrl);
  customer.metadata = row.metadata;
  customer.customFields = shownValues(row.custom_fields, customFields);
  customer.externalReferences = row.external_references.map((reference) => create(ExternalReferenceSchema, reference));
  if (shipping) customer.shipping = addressFromRow(shipping, row.default_address_id);
  if (row.default_address_id !== null) customer.defaultAddressId = row.default_address_id;
  if (row.default_payment_method_id !== null) customer.defaultPaymentMethodId = row.default_payment_method_id;
  customer.hasPassword = row.password_id !== null;
  if (row.tax_identifiers) customer.taxIdentifiers = row.tax_identifiers.map(taxIdentifierFromRow);
  customer.state = row.delete_time === null ? CustomerState.ACTIVE : CustomerState.DELETED;
  customer.createTime = timestampFromDate(row.create_time);
  customer.updateTime = timestampFromDate(row.update_time);
  if (row.delete_time) customer.deleteTime = timestampFromDate(row.delete_time);
  if (row.purge_time) customer.purgeTime = timestampFromDate(row.purge_time);
  customer.etag = etagOf(row.version);
  return customer;
}

/** The columns of a customer without blanks. Values of custom fields `before` that nobody sees stay as they are. */
export function customerToColumns(
  customer: Customer,
  customFields: readonly CustomField[],
  before?: Pick<CustomerRow, "custom_fields">,
): CustomerColumns {
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
    custom_fields: storedValues(customer.customFields ?? {}, customFields, before?.custom_fields),
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
  const digest = hash("md5", (email ?? id).toLowerCase());
  return `https://seccdn.libravatar.org/avatar/${digest}?d=monsterid`;
}
