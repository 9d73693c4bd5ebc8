import type { Knex } from "knex";
import { type AccountSettings, EmailMutability, EmailUniqueness } from "../../../gen/clientele/v1/accounts_pb.js";
import { violates } from "../../db/errors.js";
import { inTransaction } from "../../db/transaction.js";
import { refused } from "../../rpc/errors.js";
import { emailTaken } from "./conflicts.js";
import { claimEmailKey, isRefusedByOwner } from "./email-store.js";
import type { CustomerColumns, CustomerRow } from "./fields.js";

/** Whether no two customers may have the same e-mail address. */
export function emailsAreUnique(settings: AccountSettings): boolean {
  return settings.emailUniqueness === EmailUniqueness.UNIQUE;
}

/** The key of an address that an active customer is written with. */
export function emailKeyFor(settings: AccountSettings): "claim" | "release" {
  return emailsAreUnique(settings) ? "claim" : "release";
}

/** The key of the address of a customer that is deleted or purged. */
export function emailKeyAfterDelete(settings: AccountSettings): "release" | "keep" {
  return settings.emailReusableAfterDelete === true ? "release" : "keep";
}

/** Throws FAILED_PRECONDITION if the settings fix an address and an update changes it. */
export function requireMutableEmail(before: CustomerRow, next: CustomerColumns, settings: AccountSettings): void {
  const isFixed = settings.emailMutability === EmailMutability.IMMUTABLE && before.email !== null;
  if (!isFixed || before.email === next.email) return;
  throw refused("EMAIL_IMMUTABLE", "The e-mail address of a customer cannot be changed.");
}

/**
 * Throws ALREADY_EXISTS if a locked customer may not take an address, because a row without a key has it that was
 * written while duplicates were allowed. The constraint refuses all others. While the settings are locked, no more such
 * rows are written.
 */
export async function requireFreeEmail(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  email: string | null,
  settings: AccountSettings,
): Promise<void> {
  if (emailsAreUnique(settings) && (await isRefusedByOwner(trx, tenantId, { id, email }))) throw emailTaken();
}

/** Gives a locked customer the key of its address before its deletion, if the address is to stay taken. */
export async function reserveEmail(
  trx: Knex.Transaction,
  tenantId: string,
  id: string,
  settings: AccountSettings,
): Promise<void> {
  if (!emailsAreUnique(settings) || emailKeyAfterDelete(settings) === "release") return;
  await inTransaction(trx, (savepoint) => claimEmailKey(savepoint, tenantId, id)).catch((error: unknown) => {
    // Another customer who shared the address took the key in this instant, so the address stays taken.
    if (!violates(error, "customers_email_key")) throw error;
  });
}
