import { type JsonObject, toJson } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import { AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import { CustomerSchema } from "../../gen/clientele/v1/customers_pb.js";
import { loadSettings } from "../resources/accounts/settings.js";
import type { TenantRow } from "../resources/accounts/store.js";
import { addressFromRow } from "../resources/addresses/convert.js";
import { customerFromRow, type View } from "../resources/customers/convert.js";
import { isObject } from "../rpc/requests/exact-json.js";
import { type ExportBatch, type ExportedCustomerRow, listExported } from "./export-store.js";

const batchSize = 500;

/**
 * Every customer of a tenant by id, a line of what `clientele import` reads each, some lines at a time. Who is written
 * meanwhile may be in it or not; who was there throughout is in it once.
 */
export async function* exportLines(
  db: Knex,
  { tenant_id: tenantId, live_mode: liveMode }: TenantRow,
  { after, includeDeleted }: Omit<ExportBatch, "size">,
): AsyncGenerator<string> {
  const { customFields, settings } = await loadSettings(db, tenantId);
  let last = after;
  for (;;) {
    const rows = await listExported(db, tenantId, { after: last, includeDeleted, size: batchSize });
    if (rows.length > 0)
      yield rows
        .map((row) => `${JSON.stringify(customerJson(row, { liveMode, publicUrl: "", customFields, settings }))}\n`)
        .join("");
    if (rows.length < batchSize) return;
    last = rows.at(-1)!.id;
  }
}

// Without what an import derives: a name to show that is no one's own, views, names of codes, and whether a tax identifier
// is verified. Payment methods are not part of it, so neither is which one is the default; photos and passwords are not
// either.
function customerJson(row: ExportedCustomerRow, view: View): JsonObject {
  const message = customerFromRow(row, view);
  const json = jsonOf(toJson(CustomerSchema, message));
  const {
    photoUrl: _,
    countryName: _1,
    etag: _2,
    defaultPaymentMethodId: _3,
    hasPassword: _4,
    taxIdentifiers: _5,
    displayName,
    ...rest
  } = json;
  const isDerived = displayName === (row.email ?? row.name ?? row.id);
  const addresses = row.addresses.map((address) => {
    const {
      customerId: _6,
      etag: _7,
      ...own
    } = jsonOf(toJson(AddressSchema, addressFromRow(address, row.default_address_id)));
    return own;
  });
  const taxIdentifiers = message.taxIdentifiers.map(({ type, value, country }) => ({ type, value, country }));
  return {
    ...rest,
    ...(displayName !== undefined && !isDerived && { displayName }),
    liveMode: view.liveMode,
    ...(addresses.length > 0 && { addresses }),
    ...(taxIdentifiers.length > 0 && { taxIdentifiers }),
  };
}

function jsonOf(value: ReturnType<typeof toJson>): JsonObject {
  return isObject(value) ? value : {};
}
