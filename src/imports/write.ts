import type { Knex } from "knex";
import type { AccountSettings } from "../../gen/clientele/v1/accounts_pb.js";
import { isDataRefused } from "../db/errors.js";
import { inTransaction } from "../db/transaction.js";
import { explainConflict } from "../resources/customers/conflicts.js";
import { emailsAreUnique } from "../resources/customers/email.js";
import { type Refusal, refusalAt, refusalOf } from "./refusal.js";
import * as store from "./store.js";

/** A checked row, and the line that it stands in. */
export interface Row {
  readonly line: number;
  /** The path of the object in a line that holds several, such as `data[3]`; empty for the line itself. */
  readonly place: string;
  readonly customer: store.ImportedCustomer;
}

/** A line that is not imported, and why. */
export interface Rejection extends Refusal {
  readonly line: number;
}

/** Inserts rows in their order, as many as can be; answers which cannot, and why. Inside of a transaction. */
export async function writeRows(
  trx: Knex.Transaction,
  tenantId: string,
  rows: readonly Row[],
  settings: AccountSettings,
  now: Date,
): Promise<Rejection[]> {
  const email = { unique: emailsAreUnique(settings), freeAfterDelete: settings.emailReusableAfterDelete === true };
  const rejections: Rejection[] = [];
  for (const group of groupsOf(rows)) rejections.push(...(await writeGroup(group)));
  return rejections;

  async function writeGroup(group: readonly Row[]): Promise<Rejection[]> {
    const references = group.flatMap(({ customer }) => customer.references);
    const takenKeys = new Set<string>();
    if (references.length > 0) {
      for (const reference of await store.listTakenReferences(trx, tenantId, references))
        takenKeys.add(keyOf(reference));
    }
    const rejections = new Map<Row, Rejection>();
    for (const row of group) {
      const isTaken = row.customer.references.some((reference) => takenKeys.has(keyOf(reference)));
      if (isTaken) rejections.set(row, rejectionByConflict(row, "REFERENCE"));
    }
    if (email.unique) {
      const active = group.filter(({ customer }) => customer.columns.delete_time === null);
      const emails = active.map(({ customer }) => customer.columns.email ?? "");
      for (const place of await store.listPlacesOfSharedEmails(trx, tenantId, emails)) {
        rejections.set(active[place]!, rejectionByConflict(active[place]!, "EMAIL"));
      }
    }
    return [...rejections.values(), ...(await insert(group.filter((row) => !rejections.has(row))))];
  }

  // In a savepoint, so that what the database refuses can be looked for, half by half.
  async function insert(group: readonly Row[]): Promise<Rejection[]> {
    if (group.length === 0) return [];
    const customers = group.map(({ customer }) => customer);
    try {
      const insertedIds = await inTransaction(trx, (inner) =>
        store.insertCustomers(inner, tenantId, customers, email, now),
      );
      return await explainMissing(group.filter(({ customer }) => !insertedIds.has(customer.columns.id)));
    } catch (error) {
      if (!isDataRefused(error)) throw error;
      if (group.length === 1) return [rejectionByError(group[0]!, error)];
      const middle = Math.ceil(group.length / 2);
      return [...(await insert(group.slice(0, middle))), ...(await insert(group.slice(middle)))];
    }
  }

  async function explainMissing(missing: readonly Row[]): Promise<Rejection[]> {
    if (missing.length === 0) return [];
    const ids = missing.map(({ customer }) => customer.columns.id);
    const takenIds = await store.listTakenIds(trx, tenantId, ids);
    return missing.map((row) => rejectionByConflict(row, takenIds.has(row.customer.columns.id) ? "ID" : "EMAIL"));
  }
}

// Rows in groups for one statement each: no two rows of a group share an id or a reference.
function groupsOf(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  let group: Row[] = [];
  let keys = new Set<string>();
  for (const row of rows) {
    const own = [row.customer.columns.id, ...row.customer.references.map(keyOf)];
    if (own.some((key) => keys.has(key))) {
      groups.push(group);
      [group, keys] = [[], new Set()];
    }
    group.push(row);
    for (const key of own) keys.add(key);
  }
  return group.length > 0 ? [...groups, group] : groups;
}

// With a space in it, so that it is no id.
function keyOf({ name, id }: { readonly name: string; readonly id: string }): string {
  return `${name} ${id}`;
}

const conflicts = {
  ID: { constraint: "customers_pkey", field: "customer.id" },
  EMAIL: { constraint: "customers_email_key", field: "customer.email" },
  REFERENCE: { constraint: "external_references_pkey", field: "customer.external_references" },
} as const;

// As the API would say it.
function rejectionByConflict(row: Row, conflict: keyof typeof conflicts): Rejection {
  const { constraint, field } = conflicts[conflict];
  const refusal = explanationOf({ code: "23505", constraint });
  const violations = [{ field, description: refusal.message }];
  return { line: row.line, ...refusalAt(row.place, { ...refusal, violations }) };
}

function rejectionByError({ line, place }: Row, error: unknown): Rejection {
  return { line, ...refusalAt(place, explanationOf(error)) };
}

function explanationOf(error: unknown): Refusal {
  try {
    return explainConflict(error);
  } catch (meaning) {
    return refusalOf(meaning) ?? { reason: "ROW_REFUSED", message: "The database refuses the row.", violations: [] };
  }
}
