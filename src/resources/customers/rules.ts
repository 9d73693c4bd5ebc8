import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import type { AccountSettings, MetadataLimits } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Customer, CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { countCharacters } from "../../formats/characters.js";
import { countryCode } from "../../formats/countries.js";
import { isLocale } from "../../formats/locales.js";
import { normalPhone } from "../../formats/phones.js";
import type { CallerKind } from "../../rpc/callers/caller.js";
import { type FieldViolation, invalidField, invalidFields, notFound, refused } from "../../rpc/errors.js";
import { mergeObject } from "../../rpc/requests/field-mask.js";
import { missingFields, violationsIn, withoutBlanks } from "../../rpc/requests/validate.js";
import type { TenantSettings } from "../accounts/settings.js";
import { validValues } from "../custom-fields/values.js";
import { type CustomerRow, lockCustomer } from "./store.js";

const maxIdLength = 40;
/** What metadata may measure as compact JSON, whatever the settings say. */
export const maxMetadataBytes = 65_536;
// A message of protobuf may nest 100 deep, and each level of JSON takes three of them.
const maxMetadataDepth = 20;

/** What a customer is checked against: the rules of the tenant, and what its writer may. */
export interface CustomerRules extends Pick<TenantSettings, "settings" | "customFields"> {
  readonly kind: CallerKind;
}

/**
 * The customer as it will be stored: trimmed, without blanks, its country as a code. Throws INVALID_ARGUMENT unless it
 * keeps the contract, the settings and the custom fields; a setting that the stored one, `before`, breaks already it may go on to break.
 */
export function validCustomer(given: Customer, rules: CustomerRules, before?: Customer): Customer {
  const { settings, customFields, kind } = rules;
  // The password is neither trimmed nor kept: it goes a way of its own.
  const customer = { ...withoutBlanks(CustomerSchema, given), password: "" };
  if (customer.metadata !== undefined) customer.metadata = mergeObject({}, customer.metadata);
  const violations = violationsIn(CustomerSchema, customer, "customer");
  violations.push(...missingFields(CustomerSchema, customer, settings.requiredCustomerFields, "customer", before));
  violations.push(...referenceViolations(customer));
  violations.push(...metadataViolations(customer.metadata ?? {}, settings.metadataLimits, before?.metadata));
  const custom = validValues(customer.customFields ?? {}, customFields, { before: before?.customFields, kind });
  violations.push(...custom.violations);
  if (customer.customFields !== undefined || Object.keys(custom.values).length > 0)
    customer.customFields = custom.values;
  if (customer.country !== undefined) {
    const code = countryCode(customer.country);
    if (code === undefined) violations.push({ field: "customer.country", description: "Enter a valid country." });
    else customer.country = code;
  }
  if (customer.phone !== undefined) {
    const phone = normalPhone(customer.phone, customer.country);
    if (phone === undefined) violations.push({ field: "customer.phone", description: "Enter a valid phone number." });
    else customer.phone = phone;
  }
  if (customer.locale !== undefined && !isLocale(customer.locale)) {
    violations.push({ field: "customer.locale", description: "Enter a valid locale, such as en_US." });
  }
  if (violations.length > 0) throw invalidFields(violations);
  return customer;
}

/** Refuses an id that the caller may not choose. Throws INVALID_ARGUMENT, reason ID_TOO_LONG, or FAILED_PRECONDITION. */
export function requireAssignableId(id: string, settings: AccountSettings): void {
  if (id.length > maxIdLength) {
    throw invalidField("customer.id", `must be at most ${maxIdLength} characters`, "ID_TOO_LONG");
  }
  if (!settings.clientAssignedIds) {
    throw refused("CLIENT_ASSIGNED_IDS_OFF", "The account settings do not let the caller choose the id of a customer.");
  }
}

/** Locks a customer that is to be changed, or that something is added to. Throws NOT_FOUND, or if it is deleted. */
export async function lockActiveCustomer(trx: Knex, tenantId: string, id: string): Promise<CustomerRow> {
  const customer = await lockCustomer(trx, tenantId, id);
  return requireActive(customer);
}

/** Refuses a customer that is not there, or deleted. Throws NOT_FOUND or FAILED_PRECONDITION. */
export function requireActive<Row extends CustomerRow>(customer: Row | undefined): Row {
  if (customer === undefined) throw notFound("customer");
  if (customer.delete_time !== null) throw refused("CUSTOMER_DELETED", "The customer is deleted.");
  return customer;
}

function referenceViolations({ externalReferences }: Customer): FieldViolation[] {
  const names = new Set(externalReferences.map(({ name }) => name));
  if (names.size === externalReferences.length) return [];
  return [{ field: "customer.external_references", description: "has a name more than once" }];
}

/** What of the metadata exceeds the limits; not what the metadata before exceeded as far already. */
export function metadataViolations(
  metadata: JsonObject,
  limits: MetadataLimits | undefined,
  before: JsonObject = {},
): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const exceeds = (size: number, sizeBefore: number, limit: number | undefined, field: string, unit: string) => {
    if (limit !== undefined && size > Math.max(limit, sizeBefore))
      violations.push({ field, description: `must be at most ${limit} ${unit}` });
  };
  const maxBytes = Math.min(limits?.maxBytes ?? maxMetadataBytes, maxMetadataBytes);
  exceeds(bytesOf(metadata), bytesOf(before), maxBytes, "customer.metadata", "bytes of JSON");
  // Nothing else is to look at what may be of any size.
  if (violations.length > 0) return violations;
  exceeds(depthOf(metadata), depthOf(before), maxMetadataDepth, "customer.metadata", "levels deep");
  const [keys, keysBefore] = [Object.keys(metadata), Object.keys(before)];
  exceeds(keys.length, keysBefore.length, limits?.maxKeys, "customer.metadata", "keys");
  for (const [key, value] of Object.entries(metadata)) {
    const field = `customer.metadata.${key.slice(0, 40)}`;
    const known = Object.hasOwn(before, key);
    const keyBefore = known ? countCharacters(key) : 0;
    const valueBefore = known ? countCharacters(textOf(before[key])) : 0;
    exceeds(countCharacters(key), keyBefore, limits?.maxKeyLength, field, "characters long as a key");
    exceeds(countCharacters(textOf(value)), valueBefore, limits?.maxValueLength, field, "characters long");
  }
  return violations.slice(0, 100);
}

function bytesOf(metadata: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(metadata));
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Object.values(value).reduce<number>((deepest, inner) => Math.max(deepest, depthOf(inner)), 0);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? null);
}
