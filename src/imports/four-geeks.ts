import type { JsonObject } from "@bufbuild/protobuf";
import { addressOf, isList, type Reader, type SourceObject, type SourceRow, withoutUndefined } from "./source-row.js";

/** Reads 4Geeks customers, bare, in a page of results, or in the list that a search answers. */
export const fourGeeks: Reader = {
  unwrap: ({ results }) => (isList(results) ? "results" : undefined),
  hasBareLists: true,
  refuse,
  read: readFourGeeks,
};

// 4Geeks shows every field of a customer, null where it has none, and requires these three.
function refuse(object: JsonObject): string | undefined {
  const missing = ["first_name", "last_name", "email"].filter((key) => !Object.hasOwn(object, key));
  if (missing.length < 2 && !Object.hasOwn(object, "amount")) return undefined;
  if (object.title !== undefined || object.detail !== undefined || object.message !== undefined) {
    return "This is an error or a message of 4Geeks, and no customer.";
  }
  return "This is no customer of 4Geeks: it has no names and e-mail address of a person.";
}

/**
 * The customer's ids at payment providers become references; a photo that was uploaded there is kept by its address in the
 * metadata. Addresses are read if they are in an `addresses` list.
 */
export function readFourGeeks(object: SourceObject): SourceRow {
  const photo = object.text("photo");
  const ownPhoto = photo !== undefined && !/^https:\/\/[^/]*libravatar\.org\//.test(photo) ? { photo } : {};
  const customer = withoutUndefined({
    firstName: object.text("first_name"),
    lastName: object.text("last_name"),
    email: object.text("email"),
    phone: object.text("phone"),
    country: object.text("country"),
    metadata: { ...ownPhoto, ...object.object("metadata")?.json },
    externalReferences: object.objects("pay_providers").map((provider) => ({
      name: provider.text("name") ?? "",
      id: provider.text("id") ?? "",
    })),
  });
  const test = object.boolean("test");
  const addresses = object.objects("addresses");
  const defaultIndex = addresses.findIndex((address) => address.boolean("is_default") === true);
  return {
    id: object.text("id"),
    customer,
    addresses: addresses.map((address) => addressOf(address, addressFields)),
    defaultAddress: defaultIndex < 0 ? undefined : defaultIndex,
    liveMode: test === undefined ? undefined : !test,
    createTime: object.time("created_on"),
  };
}

const addressFields = {
  line1: "line1",
  line2: "line2",
  city: "city",
  state: "state",
  postalCode: "postal_code",
  country: "country",
};
