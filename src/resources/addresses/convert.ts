import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { etagOf } from "../../rpc/etag.js";
import { writableFieldsOf } from "../../rpc/requests/plan.js";
import type { AddressColumns, AddressRow } from "./store.js";

/** The fields that a mask may name. */
export const writableFields = writableFieldsOf(AddressSchema);

export function addressFromRow(row: AddressRow, defaultAddressId: string | null): Address {
  const { neighborhood, division, phonetic_name } = row;
  const hasInfo = neighborhood !== null || division !== null || phonetic_name !== null;
  return create(AddressSchema, {
    id: row.id,
    customerId: row.customer_id,
    ...(row.label !== null && { label: row.label }),
    ...(row.name !== null && { name: row.name }),
    ...(row.first_name !== null && { firstName: row.first_name }),
    ...(row.last_name !== null && { lastName: row.last_name }),
    ...(row.organization !== null && { organization: row.organization }),
    ...(row.phone !== null && { phone: row.phone }),
    ...(row.email !== null && { email: row.email }),
    ...(row.line1 !== null && { line1: row.line1 }),
    ...(row.line2 !== null && { line2: row.line2 }),
    ...(row.city !== null && { city: row.city }),
    ...(row.county !== null && { county: row.county }),
    ...(row.state !== null && { state: row.state }),
    ...(row.postal_code !== null && { postalCode: row.postal_code }),
    ...(row.country !== null && { country: row.country }),
    ...(row.instructions !== null && { instructions: row.instructions }),
    ...(hasInfo && {
      additionalAddressInfo: {
        ...(neighborhood !== null && { neighborhood }),
        ...(division !== null && { division }),
        ...(phonetic_name !== null && { phoneticName: phonetic_name }),
      },
    }),
    isDefault: row.id === defaultAddressId,
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
  });
}

/** The columns of an address without blanks. */
export function addressToColumns(address: Address): AddressColumns {
  const info = address.additionalAddressInfo;
  return {
    label: address.label ?? null,
    name: address.name ?? null,
    first_name: address.firstName ?? null,
    last_name: address.lastName ?? null,
    organization: address.organization ?? null,
    phone: address.phone ?? null,
    email: address.email ?? null,
    line1: address.line1 ?? null,
    line2: address.line2 ?? null,
    city: address.city ?? null,
    county: address.county ?? null,
    state: address.state ?? null,
    postal_code: address.postalCode ?? null,
    country: address.country ?? null,
    instructions: address.instructions ?? null,
    neighborhood: info?.neighborhood?.trim() || null,
    division: info?.division?.trim() || null,
    phonetic_name: info?.phoneticName?.trim() || null,
  };
}
