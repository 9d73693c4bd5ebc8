import type { JsonObject } from "@bufbuild/protobuf";
import {
  type AddressInit,
  isObject,
  objectOf,
  objectsOf,
  present,
  type SourceRow,
  textOf,
  timeOf,
} from "./source-row.js";

// What every customer object of the v2 API has; all else in it are custom fields, which flows add.
const standard = new Set(["type", "id", "name", "email", "password", "meta", "links", "relationships", "addresses"]);

/**
 * Reads an Elastic Path customer object, bare or as the `data` of an answer, with its address objects in an `addresses`
 * list if there are any. Custom fields are kept in the metadata. Passwords cannot be imported: nobody shows them.
 */
export function readElasticPath(object: JsonObject): SourceRow {
  const data = objectOf(object, "data") ?? object;
  const custom = Object.entries(data).filter(([key, value]) => !standard.has(key) && value !== null);
  const times = objectOf(objectOf(data, "meta") ?? {}, "timestamps") ?? {};
  const addresses = isObject(data.addresses) ? objectsOf(data.addresses, "data") : objectsOf(data, "addresses");
  return {
    id: textOf(data, "id"),
    customer: present({
      name: textOf(data, "name"),
      email: textOf(data, "email"),
      metadata: Object.fromEntries(custom),
    }),
    addresses: addresses.map(addressOf),
    createTime: timeOf(times, "created_at"),
  };
}

// An address is named for what it is, such as "Home"; its region is what others call a state.
function addressOf(address: JsonObject): AddressInit {
  return present({
    label: textOf(address, "name"),
    firstName: textOf(address, "first_name"),
    lastName: textOf(address, "last_name"),
    organization: textOf(address, "company_name"),
    phone: textOf(address, "phone_number"),
    line1: textOf(address, "line_1"),
    line2: textOf(address, "line_2"),
    city: textOf(address, "city"),
    county: textOf(address, "county"),
    state: textOf(address, "region"),
    postalCode: textOf(address, "postcode"),
    country: textOf(address, "country"),
    instructions: textOf(address, "instructions"),
  });
}
