import { isDeepStrictEqual } from "node:util";
import { type Customer, CustomerSchema, type UpdateCustomerRequest } from "../../../gen/clientele/v1/customers_pb.js";
import type { Deps } from "../../deps.js";
import type { Call, TransactionCall } from "../../rpc/callers/caller.js";
import { notPermitted } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import type { NewId } from "../../rpc/ids.js";
import { applyMask, mayName } from "../../rpc/requests/field-mask.js";
import type { TenantSettings } from "../accounts/settings.js";
import type { AddressRow } from "../addresses/store.js";
import { passwordPath } from "../passwords/rules.js";
import { writePassword } from "../passwords/write.js";
import { requestOrCancelErasure } from "../privacy/request.js";
import { explainConflict } from "./conflicts.js";
import { customerFromRow, customerToColumns, type View } from "./convert.js";
import { emailKeyFor, requireFreeEmail, requireMutableEmail } from "./email.js";
import { type CustomerRow, shopperFields, writableFields } from "./fields.js";
import { requireActive } from "./lock.js";
import { type CustomerRules, validCustomer } from "./rules.js";
import { type ChangedShipping, changedShipping, requireCurrentShipping, writeShipping } from "./shipping.js";
import * as store from "./store.js";

/** The customer that an update starts from, with its default address. */
export interface CurrentCustomer {
  readonly row: CustomerRow;
  readonly shipping: AddressRow | undefined;
}

/** An update that is checked and not yet written. */
export interface CustomerChange {
  readonly columns: store.ChangedColumns;
  /** The paths for the event; none if the update changes nothing. */
  readonly changedPaths: readonly string[];
  /** Absent if the default address stays as it is. */
  readonly shipping?: ChangedShipping;
  /** Whether to request the erasure of the customer or to cancel it; absent if neither. */
  readonly wantsErasure?: boolean;
}

/** Applies an update to a customer: mask, derived fields and validation. It reads and writes nothing. */
export function applyUpdate(
  { row, shipping }: CurrentCustomer,
  { customer, updateMask }: UpdateCustomerRequest,
  rules: CustomerRules & View,
): CustomerChange {
  const { settings, customFields } = rules;
  requireEtag("customer", row, customer!.etag);
  if (mayName(updateMask, "shipping")) requireCurrentShipping(customer?.shipping, shipping);
  const before = customerFromRow(row, rules, shipping);
  const masked = applyMask(CustomerSchema, before, customer!, updateMask, writableFields);
  if (rules.kind !== "secret_key") requireShopperFields(masked.changedPaths);
  const next = withoutDerivedValues(masked.next, before, row);
  const columns: store.ChangedColumns = {
    ...customerToColumns(validCustomer(next, rules, before), customFields, row),
    request_to_be_forgotten: wishAfter(row, next, updateMask?.paths),
  };
  requireMutableEmail(row, columns, settings);
  const changedPaths = masked.changedPaths.filter((path) => path !== "shipping" && isChanged(row, columns, path));
  const changed = masked.changedPaths.includes("shipping")
    ? changedShipping(before, next, settings, {
        isNamed: updateMask?.paths.includes("shipping") === true,
        changesDefault: changedPaths.includes("default_address_id"),
      })
    : undefined;
  return {
    columns,
    // The customer changes with its address, so that of two updates with one etag only one succeeds.
    changedPaths: [...changedPaths, ...(changed?.paths ?? [])],
    ...(changed && { shipping: changed }),
    ...(changedPaths.includes("request_to_be_forgotten") && { wantsErasure: columns.request_to_be_forgotten === true }),
  };
}

/**
 * Updates a customer without a lock, if its own row is all that changes: a statement reads, and another one writes if
 * what was read is still current. Undefined if more has to change, or another change came first: the caller locks then.
 */
export async function updateUnlocked(
  { settings }: Pick<Deps, "settings">,
  call: Call,
  req: UpdateCustomerRequest,
): Promise<Customer | undefined> {
  const { db, tenantId } = call;
  const rules = await settings.read(db, tenantId);
  const row = requireActive(await store.findCustomer(db, tenantId, req.customer!.id));
  const view = { ...call, ...rules };
  const change = applyUpdate({ row, shipping: row.shipping ?? undefined }, req, view);
  if (!isOwnRow(change)) return undefined;
  if (change.changedPaths.length === 0) return customerFromRow(row, view, row.shipping);
  const read = { id: row.id, version: row.version, rulesVersion: rules.version };
  const event = call.event("customer.updated", change.changedPaths);
  const updated = await store
    .updateIfCurrent(db, tenantId, read, change.columns, emailKeyFor(rules.settings), event)
    .catch(explainConflict);
  if (updated === undefined) {
    settings.forget(tenantId);
    return undefined;
  }
  const staysDefault = updated.default_address_id === row.default_address_id;
  const shipping = staysDefault ? row.shipping : (await store.findCustomer(db, tenantId, row.id))?.shipping;
  return customerFromRow(updated, view, shipping);
}

const ownPaths = new Set<string>(store.ownColumns);

function isOwnRow({ changedPaths, shipping, wantsErasure }: CustomerChange): boolean {
  return shipping === undefined && wantsErasure === undefined && changedPaths.every((path) => ownPaths.has(path));
}

/** Writes a change of a locked customer with its belongings. Answers the row after it. */
export async function writeChange(
  call: TransactionCall,
  newId: NewId,
  row: CustomerRow,
  change: CustomerChange,
  { settings }: Pick<TenantSettings, "settings">,
  passwordHash: string | undefined,
): Promise<CustomerRow> {
  const { db, tenantId, event } = call;
  const { wantsErasure, shipping } = change;
  if (wantsErasure !== undefined) {
    const erased = await requestOrCancelErasure(call, newId, row.id, wantsErasure, settings);
    // Nothing else of the update matters to a customer that is erased at once.
    if (erased !== undefined) return erased;
  }
  const changedPaths = passwordHash === undefined ? change.changedPaths : [...change.changedPaths, passwordPath];
  if (changedPaths.length === 0) return row;
  const columns = { ...change.columns };
  if (shipping) columns.default_address_id = await writeShipping(call, newId, row, shipping.address, settings);
  if (passwordHash !== undefined) columns.password_id = await writePassword(call, newId, row.id, passwordHash);
  if (changedPaths.includes("external_references")) {
    await store.replaceExternalReferences(db, tenantId, row.id, columns.external_references).catch(explainConflict);
  }
  if (changedPaths.includes("email")) await requireFreeEmail(db, tenantId, row.id, columns.email, settings);
  const updated = event("customer.updated", changedPaths);
  return await store.update(db, tenantId, row.id, columns, updated, emailKeyFor(settings)).catch(explainConflict);
}

// A shopper may send back what the merchant wrote, as it was read. Throws PERMISSION_DENIED for a change of it.
function requireShopperFields(changedPaths: readonly string[]): void {
  const refused = changedPaths.filter((path) => !shopperFields.some((field) => field === path));
  if (refused.length > 0) throw notPermitted(refused.map((path) => `customer.${path}`));
}

// A derived display name that is written back stays derived.
function withoutDerivedValues(next: Customer, before: Customer, row: CustomerRow): Customer {
  const isDerived = next.displayName?.trim() === before.displayName;
  return isDerived ? Object.assign(next, { displayName: row.display_name ?? undefined }) : next;
}

// Only a mask that names the wish withdraws it: a stale message that is written back must not cancel an erasure.
function wishAfter(row: CustomerRow, next: Customer, paths: readonly string[] = []): boolean {
  const isNamed = paths.includes("request_to_be_forgotten");
  return next.requestToBeForgotten === true || (row.request_to_be_forgotten && !isNamed);
}

// A value that is only spelled differently stays as it was stored. Fields without a column are for the caller to compare.
function isChanged(row: CustomerRow, columns: store.ChangedColumns, path: string): boolean {
  return !(path in columns) || !isDeepStrictEqual(Reflect.get(row, path), Reflect.get(columns, path));
}
