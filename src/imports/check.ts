import { create } from "@bufbuild/protobuf";
import { DeletionMode } from "../../gen/clientele/v1/accounts_pb.js";
import { AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import { type Customer, CustomerSchema, ExternalReferenceSchema } from "../../gen/clientele/v1/customers_pb.js";
import { writableFields as addressFields } from "../resources/addresses/convert.js";
import { customerToColumns } from "../resources/customers/convert.js";
import { validNewCustomer } from "../resources/customers/create.js";
import { writableFields } from "../resources/customers/fields.js";
import { isCustomerId } from "../resources/customers/rules.js";
import { passwordPath } from "../resources/passwords/rules.js";
import { givenPaths as taxPaths } from "../resources/tax-identifiers/convert.js";
import { refused } from "../rpc/errors.js";
import { requireContents } from "../rpc/requests/contents.js";
import { populatedPaths } from "../rpc/requests/field-mask.js";
import type { ImportRules } from "./import-rules.js";
import { type Line, maxLineBytes } from "./lines.js";
import { checkAddresses, checkTaxIdentifiers, defaultOf, passwordOf } from "./owned.js";
import { refusal } from "./refusal.js";
import { isObject, type Reader, type SourceRow } from "./source-row.js";
import type { ImportedCustomer } from "./store.js";
import { pastTime } from "./times.js";

/** A line as the customer that it becomes. Throws a refusal, or what the API throws for such a customer. */
export function checkLine({ text, fault }: Line, rules: ImportRules): ImportedCustomer {
  if (fault === "LINE_TOO_LONG") throw refusal(fault, `The line is longer than ${maxLineBytes} bytes.`);
  if (text === undefined) throw refusal("UTF8_INVALID", "The line is not UTF-8.");
  const row = rules.read(parsed(text));
  if (row.liveMode !== undefined && row.liveMode !== rules.liveMode) {
    const [theirs, ours] = rules.liveMode ? ["test", "live"] : ["live", "test"];
    throw refusal("MODE_MISMATCH", `The customer is of the ${theirs} mode, and this tenant of the ${ours} mode.`);
  }
  requireImportable(row);
  return checkRow(row, rules);
}

// Of what is imported, not of the line: the objects of other systems hold times and ids that nobody keeps.
function requireImportable({ id = "", customer, addresses }: SourceRow): void {
  requireContents(CustomerSchema, { ...create(CustomerSchema, customer), id }, "customer");
  for (const [index, address] of addresses.entries()) {
    requireContents(AddressSchema, create(AddressSchema, address), `addresses[${index}]`);
  }
}

function parsed(text: string) {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refusal("JSON_INVALID", "The line is not JSON.");
  }
  if (!isObject(value as null)) throw refusal("JSON_INVALID", "The line is not a JSON object.");
  return value as Parameters<Reader>[0];
}

function checkRow(row: SourceRow, rules: ImportRules): ImportedCustomer {
  const { settings, customFields, newId, now } = rules;
  const addresses = checkAddresses(row.addresses, rules);
  const preferred = defaultOf(row, settings);
  const { customer } = validNewCustomer(identified(row, rules), { settings, customFields, kind: "secret_key" });
  const id = customer.id === "" ? newId("cus") : customer.id;
  const deletion = deletionOf(row, rules);
  const password = passwordOf(row, newId);
  const taxIdentifiers = checkTaxIdentifiers(row, id, newId);
  if (preferred !== undefined) customer.defaultAddressId = addresses[preferred]!.columns.id;
  const columns = customerToColumns(customer, customFields);
  // A derived name that was written down stays derived.
  if (columns.display_name === (columns.email ?? columns.name ?? id)) columns.display_name = null;
  const paths = populatedPaths(CustomerSchema, customer, writableFields);
  if (password !== undefined) paths.push(passwordPath);
  if (deletion.delete_time !== null) paths.push("state", "delete_time");
  const freed = deletion.delete_time !== null && settings.emailReusableAfterDelete === true;
  const created = { type: "customer.created", resource_id: id, customer_id: id, changed_paths: paths };
  const added = addresses.map(({ address, columns: { id: resource_id } }) => {
    const changed_paths = populatedPaths(AddressSchema, address, addressFields);
    return { type: "address.created", resource_id, customer_id: id, changed_paths };
  });
  const known = taxIdentifiers.map(({ id: resource_id }) => {
    return { type: "tax_identifier.created", resource_id, customer_id: id, changed_paths: taxPaths };
  });
  return {
    columns: {
      id,
      ...columns,
      password_id: password?.id ?? null,
      create_time: pastTime(row.createTime, "customer.create_time", now) ?? now,
      ...deletion,
    },
    password: password && { ...password, create_time: now },
    addresses: addresses.map((address) => address.columns),
    taxIdentifiers,
    references: freed ? [] : columns.external_references,
    events: [created, ...added, ...known],
  };
}

// Under its own id where the settings let a customer have it, else under a new one with a reference to it.
function identified({ id, customer: init }: SourceRow, { source, settings }: ImportRules): Customer {
  const { shipping: _, defaultAddressId: __, ...customer } = create(CustomerSchema, init);
  const isOurs = source === "clientele";
  if (id === undefined || (settings.clientAssignedIds && (isOurs || isCustomerId(id)))) {
    return { ...customer, id: id ?? "" };
  }
  const reference = create(ExternalReferenceSchema, { name: source, id });
  return { ...customer, id: "", externalReferences: [...customer.externalReferences, reference] };
}

// As if it had been deleted here: the settings say whether it is purged. Its own time to be purged stays.
function deletionOf({ deletion }: SourceRow, { settings, now }: ImportRules) {
  if (deletion === undefined) return { delete_time: null, purge_time: null };
  if (settings.deletion?.mode === DeletionMode.PERMANENT) {
    throw refused("CUSTOMER_DELETED", "The customer is deleted, and this tenant keeps no deleted customers.");
  }
  const delete_time = pastTime(deletion.deleteTime, "customer.delete_time", now) ?? now;
  const purgeAfter = settings.deletion?.purgeAfter;
  if (purgeAfter === undefined) return { delete_time, purge_time: null };
  const due = new Date(delete_time.getTime() + Number(purgeAfter.seconds) * 1000);
  return { delete_time, purge_time: deletion.purgeTime ?? due };
}
