import { type DescMessage, fromJson, type JsonObject, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Address, AddressSchema } from "../../gen/clientele/v1/addresses_pb.js";
import { CustomerSchema, CustomerState } from "../../gen/clientele/v1/customers_pb.js";
import { refusal } from "./refusal.js";
import { booleanOf, objectsOf, type SourceRow, textOf } from "./source-row.js";

/**
 * Reads what `clientele export` writes, or the API answers: the proto JSON of a Customer, and its addresses in a list of
 * that name, with the hash of a password in `passwordHash`. Unlike the API it refuses unknown fields, which would be lost,
 * and takes the tax identifiers, which are verified anew. Where an address has an id, the row says which one is the
 * default, also that none is.
 */
export function readClientele(object: JsonObject): SourceRow {
  const { addresses: _, passwordHash: __, password_hash: ___, ...rest } = object;
  const customer = messageOf(CustomerSchema, rest, "customer");
  const addresses = objectsOf(object, "addresses").map((it, index) =>
    messageOf(AddressSchema, it, `addresses[${index}]`),
  );
  if (customer.defaultPaymentMethodId) {
    const field = "customer.default_payment_method_id";
    throw refusal("FIELDS_INVALID", "Payment methods cannot be imported.", field);
  }
  if (customer.password !== "") {
    throw refusal("FIELDS_INVALID", "Passwords are imported as their hash, in passwordHash.", "customer.password");
  }
  const { shipping, createTime, deleteTime, purgeTime } = customer;
  const view = shipping !== undefined && !addresses.some(({ id }) => id !== "" && id === shipping.id);
  const deleted = customer.state === CustomerState.DELETED || deleteTime !== undefined;
  const all = view ? [...addresses, shipping] : addresses;
  return {
    id: customer.id === "" ? undefined : customer.id,
    customer,
    addresses: all,
    taxIdentifiers: customer.taxIdentifiers,
    defaultAddress: view ? addresses.length : defaultOf(customer.defaultAddressId, all),
    liveMode: booleanOf(object, "liveMode" in object ? "liveMode" : "live_mode"),
    createTime: createTime && timestampDate(createTime),
    passwordHash: textOf(object, "password_hash" in object ? "password_hash" : "passwordHash"),
    ...(deleted && {
      deletion: {
        deleteTime: deleteTime && timestampDate(deleteTime),
        purgeTime: purgeTime && timestampDate(purgeTime),
      },
    }),
  };
}

function defaultOf(id = "", addresses: readonly Address[]): number | null | undefined {
  if (id !== "") {
    const index = addresses.findIndex((address) => address.id === id);
    if (index >= 0) return index;
    throw refusal("FIELDS_INVALID", "must be one of the customer's addresses", "customer.default_address_id");
  }
  const marked = addresses.flatMap(({ isDefault }, index) => (isDefault ? [index] : []));
  if (marked.length > 1) throw refusal("FIELDS_INVALID", "Only one address can be the default.", "addresses");
  return marked[0] ?? (addresses.some((address) => address.id !== "") ? null : undefined);
}

// The library's own messages quote the value.
function messageOf<Desc extends DescMessage>(schema: Desc, json: JsonValue, path: string): MessageShape<Desc> {
  try {
    return fromJson(schema, json);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const unknown = /key "([A-Za-z0-9_]{1,60})" is unknown/.exec(error.message)?.[1];
    if (unknown !== undefined) throw refusal("FIELDS_INVALID", `has no field ${unknown}`, path);
    const named = /field clientele\.v1\.\w+\.(\w+)/.exec(error.message)?.[1];
    const field = named === undefined ? path : `${path}.${named}`;
    throw refusal("FIELDS_INVALID", "does not have the type of this field", field);
  }
}
