import type { JsonObject } from "@bufbuild/protobuf";
import { isObject } from "../rpc/requests/exact-json.js";
import {
  addressOf,
  isList,
  nameIn,
  type Reader,
  type SourceObject,
  type SourceRow,
  withoutUndefined,
} from "./source-row.js";

/** Reads Elastic Path customers: bare, as the `data` of an answer, or in the list that is the `data` of a page. */
export const elasticPath: Reader = {
  unwrap: ({ data }) => (isList(data) || isObject(data) ? "data" : undefined),
  refuse,
  read: readElasticPath,
};

function refuse({ type, errors }: JsonObject): string | undefined {
  if (type === "customer") return undefined;
  if (errors !== undefined) return "This is an error of Elastic Path, and no customer.";
  return `This is an Elastic Path object of the type ${nameIn(type) ?? "unknown"}, and no customer.`;
}

// The fields of every customer object of the v2 API. All others are custom fields, which flows add.
const standard = new Set(["type", "id", "name", "email", "password", "meta", "links", "relationships", "addresses"]);

/**
 * Custom fields are kept in the metadata. Address objects are read if they are in an `addresses` list. Passwords cannot be
 * imported: nobody shows them.
 */
export function readElasticPath(object: SourceObject): SourceRow {
  const custom = Object.entries(object.json).filter(([key, value]) => !standard.has(key) && value !== null);
  const owner = isObject(object.json.addresses) ? object.object("addresses") : undefined;
  const addresses = owner === undefined ? object.objects("addresses") : owner.objects("data");
  return {
    id: object.text("id"),
    customer: withoutUndefined({
      name: object.text("name"),
      email: object.text("email"),
      metadata: Object.fromEntries(custom),
    }),
    addresses: addresses.map((address) => addressOf(address, addressFields)),
    createTime: object.object("meta")?.object("timestamps")?.time("created_at"),
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
