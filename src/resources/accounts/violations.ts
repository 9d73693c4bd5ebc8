import { create } from "@bufbuild/protobuf";
import type { Knex } from "knex";
import {
  type AccountSettings,
  EmailUniqueness,
  type MetadataLimits,
  type SettingViolation,
  SettingViolationSchema,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { countAddressesElsewhere, countIncompleteAddresses } from "./address-violations-store.js";
import {
  countCustomersWithMoreAddresses,
  countIncompleteCustomers,
  countSharedEmails,
  listLargeMetadata,
  type ViolationCount,
} from "./customer-violations-store.js";
import { maxMetadataBytes, metadataViolations } from "./metadata.js";

/** One setting that present data may break. */
interface Rule {
  readonly setting: string;
  readonly resourceType: "customer" | "address";
  readonly tightens: (before: AccountSettings, after: AccountSettings) => boolean;
  readonly countRows: (trx: Knex.Transaction, tenantId: string, settings: AccountSettings) => Promise<ViolationCount>;
  readonly describe: (settings: AccountSettings) => string;
}

const rules: readonly Rule[] = [
  {
    setting: "required_customer_fields",
    resourceType: "customer",
    tightens: (before, after) => adds(before.requiredCustomerFields, after.requiredCustomerFields),
    countRows: (trx, tenantId, settings) => countIncompleteCustomers(trx, tenantId, settings.requiredCustomerFields),
    describe: (settings) => `Customers without ${anyOf(settings.requiredCustomerFields)}`,
  },
  {
    setting: "email_uniqueness",
    resourceType: "customer",
    tightens: (before, after) => !isUnique(before) && isUnique(after),
    countRows: countSharedEmails,
    describe: () => "Customers that share their e-mail address with another one",
  },
  {
    setting: "max_addresses_per_customer",
    resourceType: "customer",
    tightens: (before, after) => mostAddresses(after) < mostAddresses(before),
    countRows: (trx, tenantId, settings) => countCustomersWithMoreAddresses(trx, tenantId, mostAddresses(settings)),
    describe: (settings) => `Customers with more than ${mostAddresses(settings)} addresses`,
  },
  {
    setting: "allowed_countries",
    resourceType: "address",
    tightens: ({ allowedCountries: before }, { allowedCountries: after }) =>
      after.length > 0 && (before.length === 0 || adds(after, before)),
    countRows: (trx, tenantId, settings) => countAddressesElsewhere(trx, tenantId, settings.allowedCountries),
    describe: () => "Addresses in a country that is not allowed",
  },
  {
    setting: "required_address_fields",
    resourceType: "address",
    tightens: (before, after) => adds(before.requiredAddressFields, after.requiredAddressFields),
    countRows: (trx, tenantId, settings) => countIncompleteAddresses(trx, tenantId, settings.requiredAddressFields),
    describe: (settings) => `Addresses without ${anyOf(settings.requiredAddressFields)}`,
  },
  {
    setting: "metadata_limits",
    resourceType: "customer",
    tightens: ({ metadataLimits: before }, { metadataLimits: after }) =>
      limitsOf(after).some((limit, index) => limit < limitsOf(before)[index]!),
    countRows: countExcessiveMetadata,
    describe: () => "Customers whose metadata exceeds a limit",
  },
];

/**
 * The rows of a tenant that break the settings `after` a change, for each setting that the change tightens. The caller
 * holds the tenant's lock, so that nothing is written under the old settings meanwhile.
 */
export async function settingViolations(
  trx: Knex.Transaction,
  tenantId: string,
  before: AccountSettings,
  after: AccountSettings,
): Promise<SettingViolation[]> {
  const violations: SettingViolation[] = [];
  for (const { setting, resourceType, tightens, countRows, describe } of rules) {
    if (!tightens(before, after)) continue;
    const { count, ids } = await countRows(trx, tenantId, after);
    if (count === 0) continue;
    const description = describe(after);
    violations.push(
      create(SettingViolationSchema, { setting, resourceType, description, count, exampleIds: [...ids] }),
    );
  }
  return violations;
}

const batchSize = 500;

// In batches, because there may be any number of them, and each may be large.
async function countExcessiveMetadata(
  trx: Knex.Transaction,
  tenantId: string,
  { metadataLimits }: AccountSettings,
): Promise<ViolationCount> {
  const limits = {
    bytes: metadataLimits?.maxBytes ?? maxMetadataBytes,
    keys: metadataLimits?.maxKeys ?? null,
    keyLength: metadataLimits?.maxKeyLength ?? null,
    valueLength: metadataLimits?.maxValueLength ?? null,
  };
  const [ids, page] = [[] as string[], { afterId: "", limit: batchSize }];
  for (let count = 0; ; ) {
    const rows = await listLargeMetadata(trx, tenantId, limits, page);
    const excessive = rows.filter(({ metadata }) => metadataViolations(metadata, metadataLimits).length > 0);
    count += excessive.length;
    ids.push(...excessive.slice(0, 10 - ids.length).map(({ id }) => id));
    if (rows.length < batchSize) return { count, ids };
    page.afterId = rows.at(-1)!.id;
  }
}

// Whether the second list has something that the first has not.
function adds(before: readonly string[], after: readonly string[]): boolean {
  return after.some((item) => !before.includes(item));
}

function anyOf(fields: readonly string[]): string {
  return new Intl.ListFormat("en", { type: "disjunction" }).format(fields);
}

function isUnique({ emailUniqueness }: AccountSettings): boolean {
  return emailUniqueness === EmailUniqueness.UNIQUE;
}

function mostAddresses({ maxAddressesPerCustomer }: AccountSettings): number {
  return maxAddressesPerCustomer || Number.POSITIVE_INFINITY;
}

function limitsOf(limits: MetadataLimits | undefined): number[] {
  const none = Number.POSITIVE_INFINITY;
  const { maxBytes = maxMetadataBytes, maxKeys = none, maxKeyLength = none, maxValueLength = none } = limits ?? {};
  return [maxBytes, maxKeys, maxKeyLength, maxValueLength];
}
