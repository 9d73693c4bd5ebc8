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
import { type FieldViolation, refused } from "../rpc/errors.js";
import { cardNumberGiven } from "../rpc/requests/card-numbers.js";
import { requireContents } from "../rpc/requests/contents.js";
import { breakOf, DuplicateKey, inspectExact, isObject, parseExactly } from "../rpc/requests/exact-json.js";
import { populatedPaths } from "../rpc/requests/field-mask.js";
import type { Findings } from "../rpc/requests/findings.js";
import { checkAddresses, checkTaxIdentifiers, defaultOf, passwordOf } from "./belongings.js";
import type { ImportRules } from "./import-rules.js";
import { type Line, maxLineBytes } from "./lines.js";
import { Problems } from "./problems.js";
import { brokenJson, type Refusal, refusal, refusalAt, refusalOf } from "./refusal.js";
import { type Reader, SourceObject, type SourceRow } from "./source-row.js";
import type { ImportedCustomer } from "./store.js";
import { pastTime } from "./times.js";

/** The customers of a line, each with its path in it, and why the others are refused. */
interface CheckedLine {
  readonly rows: readonly { readonly place: string; readonly customer: ImportedCustomer }[];
  readonly refusals: readonly Refusal[];
}

/** Reads a line as the customer that it becomes, or the customers where it holds a page of results. */
export function checkLine(line: Line, rules: ImportRules): CheckedLine {
  const rows: CheckedLine["rows"][number][] = [];
  const refusals: Refusal[] = [];
  attempt("", () => {
    const { value, hasInexact } = parseLine(line);
    for (const [place, item] of itemsIn(value, rules.reader)) {
      attempt(place, () => rows.push({ place, customer: checkItem(item, hasInexact, rules) }));
    }
  });
  return { rows, refusals };

  function attempt(place: string, step: () => void): void {
    try {
      step();
    } catch (error) {
      const meaning = refusalOf(error);
      if (meaning === undefined) throw error;
      refusals.push(refusalAt(place, meaning));
    }
  }
}

function parseLine({ text, fault }: Line) {
  if (fault === "LINE_TOO_LONG") throw refusal(fault, `The line is longer than ${maxLineBytes} bytes.`);
  if (text === undefined) throw refusal("UTF8_INVALID", "The line is not UTF-8.");
  try {
    return parseExactly(text);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    if (error instanceof DuplicateKey) throw refusal("JSON_INVALID", "A key of an object is given twice.");
    throw brokenJson((breakOf(text) ?? 0) + 1);
  }
}

// The objects of a line, with their paths.
function itemsIn(value: unknown, reader: Reader): [place: string, item: unknown][] {
  const key = isObject(value) ? reader.unwrap(value) : undefined;
  const inner = key === undefined ? value : Object(value)[key];
  if (!Array.isArray(inner)) return [[key ?? "", inner]];
  if (key === undefined && reader.hasBareLists !== true) return [["", inner]];
  return inner.map((item, at) => [`${key ?? ""}[${at}]`, item]);
}

function checkItem(item: unknown, hasInexact: boolean, rules: ImportRules): ImportedCustomer {
  if (!isObject(item)) throw refusal("JSON_INVALID", "This is not a JSON object.");
  const { reader, liveMode } = rules;
  const why = reader.refuse(item);
  if (why !== undefined) throw refusal("NOT_A_CUSTOMER", why);
  const problems = new Problems();
  const wrong: FieldViolation[] = [];
  const sourceRow = reader.read(new SourceObject(item, wrong));
  const row = hasInexact ? withoutInexact(sourceRow, problems) : sourceRow;
  if (row.liveMode !== undefined && row.liveMode !== liveMode) {
    const [theirs, ours] = liveMode ? ["test", "live"] : ["live", "test"];
    throw refusal("MODE_MISMATCH", `The customer is of the ${theirs} mode, and this tenant of the ${ours} mode.`);
  }
  problems.addMisread(wrong);
  checkContents(row, problems);
  const result = checkRow(row, rules, problems);
  if (result !== undefined && Object.keys(item).length === 0) {
    throw refusal("NOT_A_CUSTOMER", "This object is empty, and no customer.");
  }
  problems.throwIfAny();
  return result!;
}

// Of what is imported, not of the line: the objects of other systems hold times and ids that nobody keeps. Text that cannot
// be stored, or not be quoted, ends the check.
function checkContents({ id = "", customer, addresses }: SourceRow, problems: Problems): void {
  const before = problems.count;
  problems.attempt(() => requireContents(CustomerSchema, { ...create(CustomerSchema, customer), id }, "customer"));
  for (const [index, address] of addresses.entries()) {
    problems.attempt(() => requireContents(AddressSchema, create(AddressSchema, address), `addresses[${index}]`));
  }
  if (problems.count > before) problems.throwIfAny();
}

// A row without the numbers that would not keep their digits, which are noted as problems. Those that a reader takes for a
// text are kept as one.
function withoutInexact(row: SourceRow, problems: Problems): SourceRow {
  const metadata: unknown = row.customer.metadata;
  const findings: Findings = { cards: [], faults: [] };
  inspectExact(metadata, "customer.metadata", findings);
  if (findings.cards.length > 0) throw cardNumberGiven(findings.cards);
  problems.add(findings.faults);
  return findings.faults.length === 0 ? row : { ...row, customer: { ...row.customer, metadata: {} } };
}

function checkRow(row: SourceRow, rules: ImportRules, problems: Problems): ImportedCustomer | undefined {
  const { settings, customFields, newId, now } = rules;
  const addresses = checkAddresses(row.addresses, rules, problems);
  const defaultIndex = defaultOf(row, settings);
  const newCustomer = problems.attempt(() =>
    validNewCustomer(customerOf(row, rules), { settings, customFields, kind: "secret_key" }),
  );
  const id = newCustomer?.customer.id || newId("cus");
  const deletion = problems.attempt(() => deletionOf(row, rules));
  const password = problems.attempt(() => passwordOf(row, newId));
  const taxIdentifiers = problems.attempt(() => checkTaxIdentifiers(row, id, newId));
  const createTime = problems.attempt(() => pastTime(row.createTime, "customer.create_time", now));
  if (problems.count > 0 || newCustomer === undefined || deletion === undefined || taxIdentifiers === undefined)
    return undefined;
  const { customer } = newCustomer;
  if (defaultIndex !== undefined) customer.defaultAddressId = addresses[defaultIndex]!.columns.id;
  const { defaultBillingAddress: billingIndex } = row;
  if (billingIndex !== undefined) customer.defaultBillingAddressId = addresses[billingIndex]!.columns.id;
  const columns = customerToColumns(customer, customFields);
  // A derived name that was written down stays derived.
  if (columns.display_name === (columns.email ?? columns.name ?? id)) columns.display_name = null;
  const paths = populatedPaths(CustomerSchema, customer, writableFields);
  if (password !== undefined) paths.push(passwordPath);
  if (deletion.delete_time !== null) paths.push("state", "delete_time");
  const erasure = row.wantsErasure === true ? erasureOf(rules) : undefined;
  if (erasure !== undefined) paths.push("request_to_be_forgotten");
  const isEmailFree = deletion.delete_time !== null && settings.emailReusableAfterDelete === true;
  const creation = { type: "customer.created", resource_id: id, customer_id: id, changed_paths: paths };
  const addressEvents = addresses.map(({ address, columns: { id: resource_id } }) => {
    const changed_paths = populatedPaths(AddressSchema, address, addressFields);
    return { type: "address.created", resource_id, customer_id: id, changed_paths };
  });
  const identifierEvents = taxIdentifiers.map(({ id: resource_id }) => {
    return { type: "tax_identifier.created", resource_id, customer_id: id, changed_paths: taxPaths };
  });
  const erasureEvents =
    erasure === undefined
      ? []
      : [{ type: "erasure.requested", resource_id: erasure.id, customer_id: id, changed_paths: [] }];
  return {
    columns: {
      id,
      ...columns,
      password_id: password?.id ?? null,
      create_time: createTime ?? now,
      request_to_be_forgotten: erasure !== undefined,
      ...deletion,
    },
    password: password && { ...password, create_time: now },
    addresses: addresses.map((address) => address.columns),
    taxIdentifiers,
    erasure,
    references: isEmailFree ? [] : columns.external_references,
    events: [creation, ...addressEvents, ...identifierEvents, ...erasureEvents],
  };
}

// Under its own id where the settings let a customer have it, else under a new one with a reference to it.
function customerOf({ id, customer: init }: SourceRow, { source, settings }: ImportRules): Customer {
  const { shipping: _, defaultAddressId: _1, defaultBillingAddressId: _2, ...customer } = create(CustomerSchema, init);
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

// The delay of the settings begins anew. Where nothing delays it, the job erases the customer within a minute.
function erasureOf({ settings, newId, now }: ImportRules) {
  const due_time = new Date(now.getTime() + Number(settings.erasureDelay?.seconds ?? 0n) * 1000);
  return { id: newId("era"), state: "scheduled", create_time: now, due_time } as const;
}
