import type { JsonObject } from "@bufbuild/protobuf";
import { CustomerType } from "../../gen/clientele/v1/customers_pb.js";
import { refusal } from "./refusal.js";
import {
  type AddressInit,
  isList,
  nameIn,
  type Reader,
  SourceObject,
  type SourceRow,
  withoutUndefined,
} from "./source-row.js";

/** Reads Digital River Customers, bare or in a page of results. */
export const digitalRiver: Reader = {
  unwrap: ({ data }) => (isList(data) ? "data" : undefined),
  refuse,
  read: readDigitalRiver,
};

// The fields of a customer, at Digital River and in its guide. An object there does not say of what kind it is.
const fields = new Set([
  ...["id", "createdTime", "updatedTime", "liveMode", "enabled", "requestToBeForgotten", "metadata"],
  ...["email", "name", "phone", "organization", "locale", "type", "shipping", "additionalAddressInfo"],
  ...["defaultSourceId", "sources", "taxIdentifiers", "taxCertificate", "taxCertificates"],
]);

function refuse(object: JsonObject): string | undefined {
  if (object.errors !== undefined) return "This is an error of Digital River, and no customer.";
  const other = Object.keys(object).find((key) => !fields.has(key));
  if (other !== undefined) {
    return `No customer of Digital River has the field ${nameIn(other) ?? "that stands here"}: this is another object.`;
  }
  const hasNone = object.id === undefined && object.email === undefined;
  return hasNone ? "This is no customer of Digital River: it has neither an id nor an e-mail address." : undefined;
}

const types = new Map([
  ["individual", CustomerType.INDIVIDUAL],
  ["business", CustomerType.BUSINESS],
]);

/**
 * The shipping address becomes the default, the default source a reference, because sources cannot be imported. One who
 * asked to be forgotten is refused.
 */
export function readDigitalRiver(object: SourceObject): SourceRow {
  if (object.boolean("requestToBeForgotten") === true) {
    throw refusal("SOURCE_DELETED", "The customer asked to be forgotten.", "requestToBeForgotten");
  }
  const source = object.reference("defaultSourceId");
  const customer = withoutUndefined({
    name: object.text("name"),
    phone: object.text("phone"),
    email: object.text("email"),
    type: typeOf(object),
    locale: object.text("locale"),
    enabled: object.boolean("enabled"),
    metadata: object.object("metadata")?.json,
    externalReferences: source === undefined ? undefined : [{ name: "digital-river-source", id: source }],
  });
  const shipping = shippingOf(object);
  return {
    id: object.text("id"),
    customer,
    addresses: shipping === undefined ? [] : [shipping],
    defaultAddress: shipping === undefined ? null : 0,
    liveMode: object.boolean("liveMode"),
    createTime: object.time("createdTime"),
  };
}

// The guide puts the place in `shipping.address` and the details beside it. They are read inside of it too, and a place that
// stands in `shipping` itself.
function shippingOf(object: SourceObject): AddressInit | undefined {
  const shipping = object.object("shipping") ?? new SourceObject({}, object.problems, "shipping");
  const address = shipping.object("address") ?? shipping;
  const more = [shipping, address, object].map((owner) => owner.object("additionalAddressInfo")).find(Boolean);
  const info = withoutUndefined({
    neighborhood: more?.text("neighborhood"),
    division: more?.text("division"),
    phoneticName: more?.text("phoneticName"),
  });
  const place = withoutUndefined({
    name: shipping.text("name"),
    phone: shipping.text("phone"),
    email: shipping.text("email"),
    organization: shipping.text("organization"),
    line1: address.text("line1"),
    line2: address.text("line2"),
    city: address.text("city"),
    county: address.text("county"),
    state: address.text("state"),
    postalCode: address.text("postalCode"),
    country: address.text("country"),
    additionalAddressInfo: Object.keys(info).length === 0 ? undefined : info,
  });
  return Object.keys(place).length === 0 ? undefined : place;
}

function typeOf(object: SourceObject): CustomerType | undefined {
  const name = object.text("type");
  if (name === undefined) return undefined;
  return types.get(name.toLowerCase()) ?? object.wrong("type", "must be individual or business");
}
