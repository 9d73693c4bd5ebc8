import { isDeepStrictEqual } from "node:util";
import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import type { Call } from "../../rpc/callers/caller.js";
import type { NewId } from "../../rpc/ids.js";
import { populatedPaths } from "../../rpc/requests/field-mask.js";
import { addAddress } from "../addresses/add.js";
import { addressToColumns } from "../addresses/convert.js";
import { updateAddress } from "../addresses/store.js";
import type { CustomerRow } from "./store.js";

/** Whether two addresses say the same. What identifies an address is not written with it. */
export function sameAddress(before: Address | undefined, after: Address | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  return isDeepStrictEqual(addressToColumns(before), addressToColumns(after));
}

/**
 * Changes the default address of a locked customer, or makes one; answers which it is. Without an address the customer
 * has no default.
 */
export async function writeShipping(
  call: Call,
  newId: NewId,
  row: CustomerRow,
  address: Address | undefined,
  settings: AccountSettings,
): Promise<string | null> {
  if (address === undefined) return null;
  if (row.default_address_id === null) return (await addAddress(call, row.id, newId("adr"), address, settings)).row.id;
  const changed = call.event("address.updated", populatedPaths(AddressSchema, address, shippingPaths));
  await updateAddress(call.db, call.tenantId, row.id, row.default_address_id, addressToColumns(address), changed);
  return row.default_address_id;
}

const shippingPaths = AddressSchema.fields
  .map((field) => field.name)
  .filter((name) => !/^(id|etag|customer_id)$/.test(name));
