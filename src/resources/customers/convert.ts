import { hash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type AccountSettings, DefaultPhoto } from "../../../gen/clientele/v1/accounts_pb.js";
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
import { type CustomerColumns, type CustomerRow, type PlainColumns, plainFields } from "./fields.js";

const type = enumColumn<CustomerType>(CustomerTypeSchema);

/** The context that turns a row into a message: the call, the definitions of the custom fields, and the settings. */
export interface View extends Pick<Call, "liveMode" | "publicUrl"> {
  readonly customFields: readonly CustomField[];
  readonly settings: Pick<AccountSettings, "defaultPhoto">;
}

export function customerFromRow(
  row: CustomerRow,
  { liveMode, publicUrl, customFields, settings }: View,
  shipping: AddressRow | null = null,
): Customer {
  // Filled in place, because a list makes a hundred of them.
  const customer = create(CustomerSchema);
  fillPlain(customer, row);
  customer.id = row.id;
  customer.displayName = displayNameOf(row);
  if (row.country !== null) customer.countryName = countryName(row.country);
  customer.type = type.fromColumn(row.type);
  customer.requestToBeForgotten = row.request_to_be_forgotten;
  customer.liveMode = liveMode;
  customer.photoUrl = photoUrlOf(row, publicUrl, settings);
  customer.metadata = row.metadata;
  customer.customFields = shownValues(row.custom_fields, customFields);
  customer.externalReferences = row.external_references.map((reference) => create(ExternalReferenceSchema, reference));
  if (shipping) customer.shipping = addressFromRow(shipping, row.default_address_id);
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

/** The columns of a customer without blanks. The values of custom fields in `before` that no answer shows stay. */
export function customerToColumns(
  customer: Customer,
  customFields: readonly CustomField[],
  before?: Pick<CustomerRow, "custom_fields">,
): CustomerColumns {
  return {
    ...plainToColumns(customer),
    type: type.toColumn(customer.type),
    metadata: customer.metadata ?? {},
    custom_fields: storedValues(customer.customFields ?? {}, customFields, before?.custom_fields),
    external_references: customer.externalReferences.map(({ name, id }) => ({ name, id })),
  };
}

// Texts and flags, by the table of fields.
function fillPlain(customer: Customer, row: CustomerRow): void {
  const message: Partial<Record<keyof Customer, unknown>> = customer;
  for (const { column, localName } of plain) {
    const value = row[column];
    if (value !== null) message[localName] = value;
  }
}

function plainToColumns(customer: Customer): PlainColumns {
  const values = plain.map(({ column, localName, otherwise }) => [column, customer[localName] ?? otherwise]);
  return Object.fromEntries(values);
}

const plain = plainFields.map(({ name, column, kind, initially = false }) => {
  const localName = CustomerSchema.fields.find((field) => field.name === name)!.localName as keyof Customer;
  return { column, localName, otherwise: kind === "flag" ? initially : null };
});

// SimpleCheckout: the name that was written, else the e-mail address, else the name, else the id.
function displayNameOf(row: CustomerRow): string {
  return row.display_name ?? row.email ?? row.name ?? row.id;
}

// The customer's own photo, else what the settings say. Without an e-mail address a picture is generated from the id.
function photoUrlOf(row: CustomerRow, publicUrl: string, { defaultPhoto }: View["settings"]): string {
  const { tenant_id, photo_token, email, id } = row;
  if (photo_token !== null) return photoUrl(publicUrl, tenant_id, photo_token);
  if (defaultPhoto !== DefaultPhoto.LIBRAVATAR) return "";
  const digest = hash("md5", (email ?? id).toLowerCase());
  return `https://seccdn.libravatar.org/avatar/${digest}?d=monsterid`;
}
