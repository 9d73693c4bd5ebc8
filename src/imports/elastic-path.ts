import type { JsonObject } from "@bufbuild/protobuf";
import { addressOf, isObject, objectOf, objectsOf, present, type SourceRow, textOf, timeOf } from "./source-row.js";

// The fields of every customer object of the v2 API. All others are custom fields, which flows add.
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
    addresses: addresses.map((address) => addressOf(address, addressFields)),
    createTime: timeOf(times, "created_at"),
  };
}

// Elastic Path names an address by its purpose, such as "Home", and calls a state a region.
const addressFields = {
  label: "name",
  firstName: "first_name",
  lastName: "last_name",
  organization: "company_name",
  phone: "phone_number",
  line1: "line_1",
  line2: "line_2",
  city: "city",
  county: "county",
  state: "region",
  postalCode: "postcode",
  country: "country",
  instructions: "instructions",
};
