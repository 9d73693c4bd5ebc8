import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import type { ChangeCall } from "../../rpc/callers/caller.js";
import { refused } from "../../rpc/errors.js";
import { populatedPaths } from "../../rpc/requests/field-mask.js";
import { addressToColumns, writableFields } from "./convert.js";
import * as store from "./store.js";

/**
 * Adds a valid address to a locked customer, inside of its transaction: the lock makes concurrent callers take turns,
 * so that the limit and the first one are exact. Throws FAILED_PRECONDITION when the limit is reached.
 */
export async function addAddress(
  { db, tenantId, event }: Pick<ChangeCall, "db" | "tenantId" | "event">,
  customerId: string,
  id: string,
  address: Address,
  settings: AccountSettings,
) {
  const limit = settings.maxAddressesPerCustomer ?? 0;
  const count = await store.countAddresses(db, tenantId, customerId);
  if (limit > 0 && count >= limit) {
    throw refused("ADDRESS_LIMIT_REACHED", `Customer already has ${count} addresses registered.`);
  }
  const columns = { id, ...addressToColumns(address) };
  const created = event("address.created", populatedPaths(AddressSchema, address, writableFields));
  return { row: await store.insertAddress(db, tenantId, customerId, columns, created), isFirst: count === 0 };
}
