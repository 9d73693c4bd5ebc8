import type { JsonObject } from "@bufbuild/protobuf";
import { addressOf, booleanOf, objectOf, objectsOf, present, type SourceRow, textOf, timeOf } from "./source-row.js";

/**
 * Reads a 4Geeks customer. The customer's ids at payment providers become references; a photo that was uploaded there is
 * kept by its address in the metadata. Its addresses are read if they are in an `addresses` list.
 */
export function readFourGeeks(object: JsonObject): SourceRow {
  const photo = textOf(object, "photo");
  const uploaded = photo !== undefined && !/^https:\/\/[^/]*libravatar\.org\//.test(photo) ? { photo } : {};
  const customer = present({
    firstName: textOf(object, "first_name"),
    lastName: textOf(object, "last_name"),
    email: textOf(object, "email"),
    phone: textOf(object, "phone"),
    country: textOf(object, "country"),
    metadata: { ...uploaded, ...objectOf(object, "metadata") },
    externalReferences: objectsOf(object, "pay_providers").map((provider) => ({
      name: textOf(provider, "name") ?? "",
      id: textOf(provider, "id") ?? "",
    })),
  });
  const test = booleanOf(object, "test");
  const addresses = objectsOf(object, "addresses");
  const preferred = addresses.findIndex((address) => booleanOf(address, "is_default") === true);
  return {
    id: textOf(object, "id"),
    customer,
    addresses: addresses.map((address) => addressOf(address, addressFields)),
    defaultAddress: preferred < 0 ? undefined : preferred,
    liveMode: test === undefined ? undefined : !test,
    createTime: timeOf(object, "created_on"),
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
