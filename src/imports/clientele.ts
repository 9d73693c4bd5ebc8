import type { JsonObject } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Address, AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import { type Customer, CustomerSchema, CustomerState } from "../../gen/clientele/v1/customers_pb.js";
import { isObject } from "../rpc/requests/exact-json.js";
import { isList, type Reader, type SourceObject, type SourceRow } from "./source-row.js";

/** Reads what `clientele export` writes, or the API answers: a customer, an answer with one, or a page of them. */
export const clientele: Reader = { unwrap, refuse: () => undefined, read: readClientele };

const besideCustomer = new Set(["customer", "created"]);
const besideCustomers = new Set(["customers", "nextPageToken", "previousPageToken", "totalSize"]);

function unwrap(object: JsonObject): string | undefined {
  const keys = Object.keys(object);
  if (isObject(object.customer) && keys.every((key) => besideCustomer.has(key))) return "customer";
  return isList(object.customers) && keys.every((key) => besideCustomers.has(key)) ? "customers" : undefined;
}

/**
 * The proto JSON of a Customer, and its addresses in a list of that name, with the hash of a password in `passwordHash`. Tax
 * identifiers are verified anew. Where an address has an id, the row says which one is the default, also that none is. One
 * who asked to be forgotten is taken with that wish.
 */
export function readClientele(object: SourceObject): SourceRow {
  const { json, problems } = object;
  const customer = object.message(CustomerSchema, "customer", ["addresses", "passwordHash", "password_hash"]);
  const addresses = object.objects("addresses").map((it, index) => it.message(AddressSchema, `addresses[${index}]`));
  const refuse = (field: string, description: string) =>
    void problems.push({ field: `customer.${field}`, description });
  if (customer.defaultPaymentMethodId) refuse("default_payment_method_id", "Payment methods cannot be imported.");
  if (customer.password !== "") refuse("password", "Passwords are imported as their hash, in passwordHash.");
  const { shipping, createTime, deleteTime, purgeTime } = customer;
  const view = shipping !== undefined && !addresses.some(({ id }) => id !== "" && id === shipping.id);
  const isDeleted = customer.state === CustomerState.DELETED || deleteTime !== undefined;
  const all = view ? [...addresses, shipping] : addresses;
  return {
    id: customer.id === "" ? undefined : customer.id,
    customer: { ...customer, requestToBeForgotten: undefined },
    addresses: all,
    taxIdentifiers: customer.taxIdentifiers,
    defaultAddress: view ? addresses.length : defaultOf(customer, all, object),
    defaultBillingAddress: billingOf(customer, all, object),
    liveMode: object.boolean("liveMode" in json ? "liveMode" : "live_mode"),
    createTime: createTime && timestampDate(createTime),
    passwordHash: object.text("password_hash" in json ? "password_hash" : "passwordHash"),
    wantsErasure: customer.requestToBeForgotten === true,
    ...(isDeleted && {
      deletion: {
        deleteTime: deleteTime && timestampDate(deleteTime),
        purgeTime: purgeTime && timestampDate(purgeTime),
      },
    }),
  };
}

function billingOf(
  { defaultBillingAddressId: id = "" }: Customer,
  addresses: readonly Address[],
  { problems }: SourceObject,
): number | undefined {
  const index = id === "" ? -1 : addresses.findIndex((address) => address.id === id);
  if (id !== "" && index < 0) {
    const field = "customer.default_billing_address_id";
    problems.push({ field, description: "must be one of the customer's addresses" });
  }
  return index < 0 ? undefined : index;
}

function defaultOf(
  { defaultAddressId: id = "" }: Customer,
  addresses: readonly Address[],
  { problems }: SourceObject,
): number | null | undefined {
  if (id !== "") {
    const index = addresses.findIndex((address) => address.id === id);
    if (index >= 0) return index;
    problems.push({ field: "customer.default_address_id", description: "must be one of the customer's addresses" });
  }
  const defaults = addresses.flatMap(({ isDefault }, index) => (isDefault ? [index] : []));
  if (defaults.length > 1) problems.push({ field: "addresses", description: "Only one address can be the default." });
  return defaults[0] ?? (addresses.some((address) => address.id !== "") ? null : undefined);
}
