import type { Address } from "../../../gen/clientele/v1/addresses_pb.js";
import { type Customer, CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import type { Deps } from "../../deps.js";
import type { Call, TransactionCall } from "../../rpc/callers/caller.js";
import { joinTransaction } from "../../rpc/calls/transaction.js";
import { conflict, invalidField } from "../../rpc/errors.js";
import type { NewId } from "../../rpc/ids.js";
import { populatedPaths } from "../../rpc/requests/field-mask.js";
import { addAddress } from "../addresses/add.js";
import { validAddress } from "../addresses/rules.js";
import { passwordPath } from "../passwords/rules.js";
import { replacePassword } from "../passwords/store.js";
import { attachReclaims, attachToken, type DescribedToken } from "../payment-methods/token.js";
import { emailTaken, explainConflict, notOwnAddress } from "./conflicts.js";
import { customerFromRow, customerToColumns } from "./convert.js";
import { emailKeyFor } from "./email.js";
import { isRefusedByOwner } from "./email-store.js";
import { writableFields } from "./fields.js";
import { type CustomerRules, requireAssignableId, validCustomer } from "./rules.js";
import * as store from "./store.js";

/** The parts of a new customer that take long to prepare. */
export interface PreparedParts {
  /** The hash of its password; absent for none. */
  readonly passwordHash?: string | undefined;
  /** The token that it names as its default payment method; absent for none. */
  readonly paymentMethod?: DescribedToken | undefined;
}

/** A customer that may be written, and the rules that allow it. */
interface CheckedCustomer extends PreparedParts {
  readonly customer: Customer;
  readonly shipping: Address | undefined;
  readonly rules: CustomerRules;
}

const attempts = 3;

/** Makes a customer. The insert fails if the settings have changed since the check; then both run again. */
export async function createCustomer(
  { settings, newId }: Pick<Deps, "settings" | "newId">,
  call: Call,
  given: Customer,
  parts: PreparedParts,
): Promise<Customer> {
  // A lookup found its customer before the vault was asked; the customer is gone since.
  if (given.defaultPaymentMethodId?.trim() && parts.paymentMethod === undefined) throw conflict();
  for (let attempt = 0; attempt < attempts; attempt++) {
    const rules = await settings.read(call.db, call.tenantId);
    const checked = { ...validNewCustomer(given, { ...rules, kind: call.kind }), ...parts };
    const inserted = await insertCustomer(call, newId, checked, rules.version);
    if (inserted !== undefined) return customerFromRow(inserted.row, { ...call, ...rules }, inserted.shipping);
    settings.forget(call.tenantId);
  }
  throw conflict();
}

/** Checks a new customer. Throws INVALID_ARGUMENT, or FAILED_PRECONDITION for an id that the caller may not choose. */
export function validNewCustomer(given: Customer, rules: CustomerRules): CheckedCustomer {
  const { settings } = rules;
  if (given.id !== "") requireAssignableId(given.id, settings);
  const customer = validCustomer(given, rules);
  if (customer.requestToBeForgotten === true) {
    throw invalidField("customer.request_to_be_forgotten", "cannot be asked for a customer that is only being made");
  }
  // A new customer has no address yet.
  if (customer.defaultAddressId !== undefined) throw notOwnAddress("default_address_id");
  if (customer.defaultBillingAddressId !== undefined) throw notOwnAddress("default_billing_address_id");
  const shipping = given.shipping && validAddress(given.shipping, settings, "customer.shipping");
  return { customer, shipping, rules };
}

/**
 * Inserts a checked customer with its belongings: one statement if it has none, else a transaction. Undefined if the
 * settings have changed since the check. Throws ALREADY_EXISTS if its address, id or a reference is taken.
 */
export async function insertCustomer(call: Call, newId: NewId, checked: CheckedCustomer, rulesVersion: number) {
  const draft = draftOf(call, newId, checked, rulesVersion);
  if (hasBelongings(checked)) return await joinTransaction(call, (inside) => insertWithBelongings(inside, draft));
  const row = await insertRow(call, draft);
  return row && { row, shipping: null };
}

type Draft = ReturnType<typeof draftOf>;

function hasBelongings({ customer, shipping, passwordHash, paymentMethod }: CheckedCustomer): boolean {
  const belongings = [shipping, passwordHash, paymentMethod];
  return belongings.some((one) => one !== undefined) || customer.externalReferences.length > 0;
}

function draftOf({ event }: Call, newId: NewId, checked: CheckedCustomer, rulesVersion: number) {
  const { customer, shipping, passwordHash, paymentMethod } = checked;
  const { settings, customFields } = checked.rules;
  const address = shipping && { ...shipping, id: newId("adr") };
  const password = passwordHash === undefined ? undefined : { hash: passwordHash, id: newId("pwd") };
  const columns = {
    ...customerToColumns(customer, customFields),
    default_address_id: address?.id ?? null,
    default_payment_method_id: paymentMethod?.token ?? null,
    password_id: password?.id ?? null,
  };
  const paths = populatedPaths(CustomerSchema, customer, writableFields);
  return {
    row: {
      id: customer.id === "" ? newId("cus") : customer.id,
      columns,
      emailKey: emailKeyFor(settings),
      rulesVersion,
    },
    created: event("customer.created", password === undefined ? paths : [...paths, passwordPath]),
    address,
    password,
    paymentMethod,
    settings,
  };
}

async function insertRow({ db, tenantId }: Call, { row, created }: Draft) {
  const inserted = await store.insert(db, tenantId, row, created).catch(explainConflict);
  const { id, rulesVersion } = row;
  const claim = { id, email: row.columns.email, rulesVersion };
  const mayBeRefused = inserted === undefined && row.emailKey === "claim";
  if (mayBeRefused && (await isRefusedByOwner(db, tenantId, claim))) throw emailTaken();
  return inserted;
}

async function insertWithBelongings(call: TransactionCall, draft: Draft) {
  const { db, tenantId, now } = call;
  const { address, password, paymentMethod, settings } = draft;
  if (address !== undefined) await store.deferDefaultAddress(db);
  if (paymentMethod !== undefined) await store.deferDefaultPaymentMethod(db);
  const row = await insertRow(call, draft);
  if (row === undefined) return undefined;
  const references = draft.row.columns.external_references;
  await store.replaceExternalReferences(db, tenantId, row.id, references).catch(explainConflict);
  if (password !== undefined) await replacePassword(db, tenantId, row.id, { ...password, create_time: now });
  const added = address && (await addAddress(call, row.id, address.id, address, settings));
  if (paymentMethod !== undefined) {
    const attachment = { ...paymentMethod, firstBecomesDefault: false, reclaims: attachReclaims(settings) };
    await attachToken(call, row, attachment);
  }
  return { row, shipping: added?.row ?? null };
}
