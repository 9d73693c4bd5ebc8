import type { JsonObject } from "@bufbuild/protobuf";
import { CustomerType } from "../../gen/clientele/v1/customers_pb.js";
import { refusal } from "./refusal.js";
import { type AddressInit, booleanOf, objectOf, present, type SourceRow, textOf, timeOf } from "./source-row.js";

const types = new Map([
  ["individual", CustomerType.INDIVIDUAL],
  ["business", CustomerType.BUSINESS],
]);

/**
 * Reads a Digital River Customer. The shipping address becomes the default, the default source a reference, because
 * sources cannot be imported. One who asked to be forgotten is refused.
 */
export function readDigitalRiver(object: JsonObject): SourceRow {
  if (booleanOf(object, "requestToBeForgotten") === true) {
    throw refusal("SOURCE_DELETED", "The customer asked to be forgotten.", "requestToBeForgotten");
  }
  const source = textOf(object, "defaultSourceId");
  const customer = present({
    email: textOf(object, "email"),
    type: typeOf(object),
    locale: textOf(object, "locale"),
    enabled: booleanOf(object, "enabled"),
    metadata: objectOf(object, "metadata"),
    externalReferences: source === undefined ? undefined : [{ name: "digital-river-source", id: source }],
  });
  const shipping = shippingOf(objectOf(object, "shipping") ?? {});
  return {
    id: textOf(object, "id"),
    customer,
    addresses: shipping === undefined ? [] : [shipping],
    defaultAddress: shipping === undefined ? null : 0,
    liveMode: booleanOf(object, "liveMode"),
    createTime: timeOf(object, "createdTime"),
  };
}

function shippingOf(shipping: JsonObject): AddressInit | undefined {
  const address = objectOf(shipping, "address") ?? {};
  const more = objectOf(shipping, "additionalAddressInfo") ?? objectOf(address, "additionalAddressInfo") ?? {};
  const info = present({
    neighborhood: textOf(more, "neighborhood"),
    division: textOf(more, "division"),
    phoneticName: textOf(more, "phoneticName"),
  });
  const place = present({
    name: textOf(shipping, "name"),
    phone: textOf(shipping, "phone"),
    email: textOf(shipping, "email"),
    organization: textOf(shipping, "organization"),
    line1: textOf(address, "line1"),
    line2: textOf(address, "line2"),
    city: textOf(address, "city"),
    county: textOf(address, "county"),
    state: textOf(address, "state"),
    postalCode: textOf(address, "postalCode"),
    country: textOf(address, "country"),
    additionalAddressInfo: Object.keys(info).length === 0 ? undefined : info,
  });
  return Object.keys(place).length === 0 ? undefined : place;
}

function typeOf(object: JsonObject): CustomerType | undefined {
  const name = textOf(object, "type");
  if (name === undefined) return undefined;
  const type = types.get(name.toLowerCase());
  if (type === undefined) throw refusal("FIELDS_INVALID", "must be individual or business", "type");
  return type;
}
