import { isDeepStrictEqual } from "node:util";
import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import type { Customer } from "../../../gen/clientele/v1/customers_pb.js";
import type { TransactionCall } from "../../rpc/callers/caller.js";
import { invalidField, staleEtag } from "../../rpc/errors.js";
import { etagOf } from "../../rpc/etag.js";
import type { NewId } from "../../rpc/ids.js";
import { populatedPaths } from "../../rpc/requests/field-mask.js";
import { addAddress } from "../addresses/add.js";
import { addressToColumns } from "../addresses/convert.js";
import { validAddress } from "../addresses/rules.js";
import { type AddressRow, updateAddress } from "../addresses/store.js";
import type { CustomerRow } from "./fields.js";

/** A change of the default address that a customer is updated with. */
export interface ChangedShipping {
  /** The address to write; undefined to have no default. */
  readonly address: Address | undefined;
  /** The paths of the customer that change with it. */
  readonly paths: readonly string[];
}

/**
 * The change of the default address between two customers; undefined if there is none. An absent address removes the
 * default only if the mask names `shipping`: a mask of everything says nothing about it.
 */
export function changedShipping(
  before: Customer,
  next: Customer,
  settings: AccountSettings,
  { isNamed, changesDefault }: { readonly isNamed: boolean; readonly changesDefault: boolean },
): ChangedShipping | undefined {
  if (next.shipping === undefined && !isNamed) return undefined;
  const address = next.shipping && validAddress(next.shipping, settings, "customer.shipping", before.shipping);
  if (isSameAddress(before.shipping, address)) return undefined;
  if (changesDefault) {
    throw invalidField("customer.shipping", "cannot be changed together with default_address_id");
  }
  const stays = before.shipping !== undefined && address !== undefined;
  return { address, paths: stays ? ["shipping"] : ["shipping", "default_address_id"] };
}

/** Refuses an address whose id or etag is not that of the current default address. Throws ABORTED. */
export function requireCurrentShipping(given: Address | undefined, current: AddressRow | undefined): void {
  if (given === undefined) return;
  const isCurrent = given.id === "" || given.id === current?.id;
  const isFresh = given.etag === "" || (current !== undefined && given.etag === etagOf(current.version));
  if (!isCurrent || !isFresh) throw staleEtag("address");
}

/** Writes the default address of a locked customer, or makes one. Answers its id, or null for no default. */
export async function writeShipping(
  call: TransactionCall,
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

// The id and the etag of an address are not written with it.
function isSameAddress(before: Address | undefined, after: Address | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  return isDeepStrictEqual(addressToColumns(before), addressToColumns(after));
}

const shippingPaths = AddressSchema.fields
  .map((field) => field.name)
  .filter((name) => !/^(id|etag|customer_id)$/.test(name));
