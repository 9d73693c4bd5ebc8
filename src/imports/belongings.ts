import { create } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { AccountSettings } from "../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import { addressToColumns } from "../resources/addresses/convert.js";
import { validAddress } from "../resources/addresses/rules.js";
import { parsePasswordHash } from "../resources/passwords/formats.js";
import { newTaxIdentifierColumns } from "../resources/tax-identifiers/convert.js";
import { taxTypeTaken, validTaxIdentifier } from "../resources/tax-identifiers/rules.js";
import type { TaxIdentifierColumns } from "../resources/tax-identifiers/store.js";
import { refused } from "../rpc/errors.js";
import type { NewId } from "../rpc/ids.js";
import type { ImportRules } from "./import-rules.js";
import type { Problems } from "./problems.js";
import { refusal } from "./refusal.js";
import type { AddressInit, SourceRow } from "./source-row.js";
import type { ImportedAddress } from "./store.js";
import { pastTime } from "./times.js";

// An id of an address that a source may bring along.
const idPattern = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,39}$/;

/** The addresses of a customer; those that the API would refuse are noted as problems. */
export function checkAddresses(
  given: readonly AddressInit[],
  { settings, newId, now }: ImportRules,
  problems: Problems,
) {
  const limit = settings.maxAddressesPerCustomer ?? 0;
  const ids = new Set<string>();
  if (limit > 0 && given.length > limit) problems.attempt(refuseTooMany);
  return given.flatMap((init, index) => problems.attempt(() => [check(init, `addresses[${index}]`)]) ?? []);

  function refuseTooMany(): never {
    throw refused("ADDRESS_LIMIT_REACHED", `Customer already has ${limit} addresses registered.`);
  }

  function check(init: AddressInit, path: string) {
    const address: Address = validAddress(create(AddressSchema, init), settings, path);
    const id = address.id === "" ? newId("adr") : address.id;
    if (!idPattern.test(id) || ids.has(id)) {
      throw refusal("FIELDS_INVALID", "must be an id of its own, at most 40 characters", `${path}.id`);
    }
    ids.add(id);
    const createTime = address.createTime && timestampDate(address.createTime);
    const create_time = pastTime(createTime, `${path}.create_time`, now) ?? now;
    const columns: ImportedAddress = { id, ...addressToColumns(address), create_time };
    return { address, columns };
  }
}

/** Which of the addresses is the default. */
export function defaultOf({ addresses, defaultAddress }: SourceRow, settings: AccountSettings): number | undefined {
  if (defaultAddress !== undefined) return defaultAddress ?? undefined;
  return addresses.length > 0 && settings.firstAddressBecomesDefault === true ? 0 : undefined;
}

/** The tax identifiers of a customer, pending: what a verifier has said of them elsewhere, it is asked again. */
export function checkTaxIdentifiers({ taxIdentifiers = [] }: SourceRow, customerId: string, newId: NewId) {
  const byType = new Map<string, TaxIdentifierColumns>();
  // They are shown by time and id, and all are of one time.
  const ids = taxIdentifiers.map(() => newId("tax")).sort();
  for (const [index, given] of taxIdentifiers.entries()) {
    const identifier = validTaxIdentifier(given, `customer.tax_identifiers[${index}]`);
    if (byType.has(identifier.type)) throw taxTypeTaken();
    byType.set(identifier.type, newTaxIdentifierColumns(ids[index]!, customerId, identifier));
  }
  return [...byType.values()];
}

/** The password of a customer; a deleted one has none, as here. */
export function passwordOf({ passwordHash, deletion }: SourceRow, newId: NewId) {
  if (passwordHash === undefined) return undefined;
  if (parsePasswordHash(passwordHash) === undefined) {
    throw refusal("FIELDS_INVALID", "is no hash that can be verified in a third of a second", "password_hash");
  }
  return deletion === undefined ? { id: newId("pwd"), hash: passwordHash } : undefined;
}
