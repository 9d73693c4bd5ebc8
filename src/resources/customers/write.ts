import { isDeepStrictEqual } from "node:util";
import type { Knex } from "knex";
import { type AccountSettings, EmailMutability, EmailUniqueness } from "../../../gen/clientele/v1/accounts_pb.js";
import type { Address } from "../../../gen/clientele/v1/addresses_pb.js";
import { type Customer, CustomerSchema, type UpdateCustomerRequest } from "../../../gen/clientele/v1/customers_pb.js";
import { violates } from "../../db/errors.js";
import { inTransaction } from "../../db/transaction.js";
import type { Call } from "../../rpc/callers/caller.js";
import { invalidField, refused, rpcError } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import type { NewId } from "../../rpc/ids.js";
import { applyMask, populatedPaths } from "../../rpc/requests/field-mask.js";
import type { TenantSettings } from "../accounts/settings.js";
import { addAddress } from "../addresses/add.js";
import { validAddress } from "../addresses/rules.js";
import { findAddress } from "../addresses/store.js";
import { passwordPath } from "../passwords/rules.js";
import { replacePassword } from "../passwords/store.js";
import { writePassword } from "../passwords/write.js";
import { cancelErasure, requestErasure } from "../privacy/request.js";
import { lockStandingErasure, lockSubject } from "../privacy/store.js";
import { customerFromRow, customerToColumns, writableFields } from "./convert.js";
import { claimEmailKey, isRefusedByOwner } from "./email-store.js";
import { type CustomerRules, requireAssignableId, validCustomer } from "./rules.js";
import { sameAddress, writeShipping } from "./shipping.js";
import * as store from "./store.js";

/** A customer that may be written, and what says so. */
interface Checked {
  readonly customer: Customer;
  readonly shipping: Address | undefined;
  readonly rules: CustomerRules;
  /** The hash of the password to give it. */
  readonly passwordHash?: string | undefined;
}

/** Checks a customer that is to be made. Throws INVALID_ARGUMENT, or FAILED_PRECONDITION for an id that is not its own. */
export function checkNewCustomer(given: Customer, rules: CustomerRules): Checked {
  const { settings } = rules;
  if (given.id !== "") requireAssignableId(given.id, settings);
  const customer = validCustomer(given, rules);
  if (customer.requestToBeForgotten === true) {
    throw invalidField("customer.request_to_be_forgotten", "cannot be asked for a customer that is only being made");
  }
  // It has none yet.
  if (customer.defaultAddressId !== undefined) throw notOwnAddress();
  const shipping = given.shipping && validAddress(given.shipping, settings, "customer.shipping");
  return { customer, shipping, rules };
}

/** Whether a customer takes one row: then one statement makes it. */
export function isOneRow({ customer, shipping, passwordHash }: Checked): boolean {
  return shipping === undefined && passwordHash === undefined && customer.externalReferences.length === 0;
}

/**
 * Inserts a checked customer, and in a transaction what belongs to it; undefined if the settings have changed since.
 * Throws ALREADY_EXISTS if its address, id or a reference is taken.
 */
export async function insertCustomer(call: Call, newId: NewId, checked: Checked, settingsVersion: number) {
  const { db, tenantId, now, event } = call;
  const { customer, shipping, passwordHash } = checked;
  const { settings, customFields } = checked.rules;
  const id = customer.id === "" ? newId("cus") : customer.id;
  const addressId = shipping && newId("adr");
  const passwordId = passwordHash === undefined ? null : newId("pwd");
  const columns = {
    ...customerToColumns(customer, customFields),
    default_address_id: addressId ?? null,
    password_id: passwordId,
  };
  const paths = populatedPaths(CustomerSchema, customer, writableFields);
  const created = event("customer.created", passwordHash === undefined ? paths : [...paths, passwordPath]);
  const uniqueEmail = holdsEmail(settings);
  if (shipping !== undefined) await store.deferDefaultAddress(db);
  const row = await store
    .insertCustomer(db, tenantId, { id, columns, uniqueEmail, settingsVersion }, created)
    .catch(explainViolation);
  if (
    row === undefined &&
    uniqueEmail &&
    (await isRefusedByOwner(db, tenantId, { id, email: columns.email, settingsVersion }))
  ) {
    throw emailTaken();
  }
  if (row === undefined || isOneRow(checked)) return row && { row, shipping: null };
  await store.replaceExternalReferences(db, tenantId, id, columns.external_references).catch(explainViolation);
  if (passwordHash !== undefined && passwordId !== null) {
    await replacePassword(db, tenantId, id, { id: passwordId, hash: passwordHash, create_time: now });
  }
  if (shipping === undefined || addressId === undefined) return { row, shipping: null };
  return { row, shipping: (await addAddress(call, id, addressId, shipping, settings)).row };
}

/**
 * Applies an update to a locked customer, inside of its transaction, with its default address, its references and its
 * password. Answers the row after it.
 */
export async function updateCustomer(
  call: Call,
  newId: NewId,
  row: store.CustomerRow,
  { customer: changes, updateMask }: UpdateCustomerRequest,
  rules: TenantSettings,
  passwordHash: string | undefined,
): Promise<store.CustomerRow> {
  const { db, tenantId, event, kind } = call;
  const { settings, customFields } = rules;
  requireEtag("customer", row, changes!.etag);
  const defaultId = row.default_address_id;
  const shipping = defaultId === null ? undefined : await findAddress(db, tenantId, row.id, defaultId);
  const before = customerFromRow(row, { ...call, customFields }, shipping);
  const masked = applyMask(CustomerSchema, before, changes!, updateMask, writableFields);
  const { next } = masked;
  // A derived name that is written back stays derived.
  if (next.displayName?.trim() === before.displayName)
    Object.assign(next, { displayName: row.display_name ?? undefined });
  // Absent under a mask of everything, it says nothing of being forgotten.
  if (next.requestToBeForgotten === undefined && !updateMask?.paths.includes("request_to_be_forgotten"))
    next.requestToBeForgotten = row.request_to_be_forgotten;
  const request_to_be_forgotten = next.requestToBeForgotten === true;
  const valid = validCustomer(next, { settings, customFields, kind }, before);
  const columns: store.ChangedColumns = {
    ...customerToColumns(valid, customFields, row),
    request_to_be_forgotten,
  };
  const changedPaths = masked.changedPaths.filter((path) => path !== "shipping" && isStoredAnew(row, columns, path));
  requireMutableEmail(row, columns, settings);
  if (changedPaths.includes("request_to_be_forgotten")) {
    const erased = await followWish(call, newId, row, request_to_be_forgotten, settings);
    if (erased !== undefined) return erased;
  }
  // Absent under a mask of everything, it says nothing of the default.
  const clears = next.shipping === undefined && updateMask?.paths.includes("shipping") === true;
  if (masked.changedPaths.includes("shipping") && (next.shipping !== undefined || clears)) {
    const given = next.shipping && validAddress(next.shipping, settings, "customer.shipping", before.shipping);
    if (!sameAddress(before.shipping, given)) {
      if (changedPaths.includes("default_address_id")) {
        throw invalidField("customer.shipping", "cannot be changed together with default_address_id");
      }
      // The customer changes too: two updates with one etag of it cannot both win.
      changedPaths.push("shipping");
      columns.default_address_id = await writeShipping(call, newId, row, given, settings);
      if (columns.default_address_id !== defaultId) changedPaths.push("default_address_id");
    }
  }
  if (passwordHash !== undefined) {
    columns.password_id = await writePassword(call, newId, row.id, passwordHash);
    changedPaths.push(passwordPath);
  }
  if (changedPaths.length === 0) return row;
  if (changedPaths.includes("external_references")) {
    await store.replaceExternalReferences(db, tenantId, row.id, columns.external_references).catch(explainViolation);
  }
  if (changedPaths.includes("email")) await requireFreeEmail(db, tenantId, row.id, columns.email, settings);
  const changed = event("customer.updated", changedPaths);
  return await store
    .updateCustomer(db, tenantId, row.id, columns, changed, holdsEmail(settings))
    .catch(explainViolation);
}

// Requests the erasure of a locked customer, or cancels it. Answers what is left of one that is erased at once: nothing
// else of the update matters then.
async function followWish(
  call: Call,
  newId: NewId,
  { id }: store.CustomerRow,
  wish: boolean,
  settings: AccountSettings,
): Promise<store.CustomerRow | undefined> {
  const { db, tenantId } = call;
  if (!wish) {
    await cancelErasure(call, await lockStandingErasure(db, tenantId, id));
    return undefined;
  }
  const { state } = await requestErasure(call, newId, id, settings);
  return state === "done" ? await lockSubject(db, tenantId, id) : undefined;
}

// A value that is only spelled otherwise is stored as it was. What has no column of its own is for the caller to know.
function isStoredAnew(row: store.CustomerRow, columns: store.CustomerColumns, path: string): boolean {
  return !(path in columns) || !isDeepStrictEqual(Reflect.get(row, path), Reflect.get(columns, path));
}

function requireMutableEmail(row: store.CustomerRow, next: store.CustomerColumns, settings: AccountSettings): void {
  if (settings.emailMutability !== EmailMutability.IMMUTABLE || row.email === null || row.email === next.email) return;
  throw refused("EMAIL_IMMUTABLE", "The e-mail address of a customer cannot be changed.");
}

/** Whether the settings make an e-mail address its owner's own. */
export function holdsEmail(settings: AccountSettings): boolean {
  return settings.emailUniqueness === EmailUniqueness.UNIQUE;
}

/**
 * Throws ALREADY_EXISTS if a locked customer may not take an address, because one has it that was written while
 * duplicates were allowed. All others hold a key, and the constraint refuses. While the settings are held there come no
 * more such owners.
 */
export async function requireFreeEmail(
  trx: Knex,
  tenantId: string,
  id: string,
  email: string | null,
  settings: AccountSettings,
): Promise<void> {
  if (holdsEmail(settings) && (await isRefusedByOwner(trx, tenantId, { id, email }))) throw emailTaken();
}

/** Gives a locked customer the key of its address before it goes and the address is to stay taken. */
export async function keepEmail(trx: Knex, tenantId: string, id: string, settings: AccountSettings): Promise<void> {
  if (!holdsEmail(settings) || settings.emailReusableAfterDelete === true) return;
  await inTransaction(trx, (savepoint) => claimEmailKey(savepoint, tenantId, id)).catch((error: unknown) => {
    // Another one who shared the address took the key in this instant: it is held then.
    if (!violates(error, "customers_email_key")) throw error;
  });
}

function emailTaken() {
  return rpcError("EMAIL_TAKEN", "A customer with this e-mail address exists already.");
}

/** Turns the violation of a constraint of customers into what it means to a client. */
export function explainViolation(error: unknown): never {
  if (violates(error, "customers_email_key")) throw emailTaken();
  if (violates(error, "customers_pkey")) {
    throw rpcError("CUSTOMER_ID_TAKEN", "A customer with this id exists or existed already.");
  }
  if (violates(error, "external_references_pkey")) {
    throw rpcError("EXTERNAL_REFERENCE_TAKEN", "Another customer has this external reference.");
  }
  if (violates(error, "customers_default_address_fkey")) {
    throw notOwnAddress();
  }
  if (violates(error, "customers_default_payment_method_fkey")) {
    throw invalidField("customer.default_payment_method_id", "must be one of the customer's payment methods");
  }
  throw error;
}

function notOwnAddress() {
  return invalidField("customer.default_address_id", "must be one of the customer's addresses");
}
