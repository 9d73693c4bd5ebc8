import type { JsonObject } from "@bufbuild/protobuf";
import { isLocale } from "../formats/locales.js";
import { refusal } from "./refusal.js";
import {
  type AddressInit,
  isList,
  nameIn,
  type Reader,
  type SourceObject,
  type SourceRow,
  withoutUndefined,
} from "./source-row.js";

/** Reads Stripe Customers, bare or in a list. */
export const stripe: Reader = {
  unwrap: ({ object, data }) =>
    (object === "list" || object === "search_result") && isList(data) ? "data" : undefined,
  refuse,
  read: readStripe,
};

// Every object of Stripe names its kind; a line that was made by hand may have the id of a customer instead.
function refuse({ object, id, error }: JsonObject): string | undefined {
  if (object === "customer") return undefined;
  if (object === undefined && typeof id === "string" && id.startsWith("cus_")) return undefined;
  if (error !== undefined) return "This is an error of Stripe, and no customer.";
  return `This is a Stripe object of the kind ${nameIn(object) ?? "unknown"}, and no customer.`;
}

/**
 * The shipping address becomes the default; a billing address with a street is kept beside it, labelled, and one without
 * gives its country alone. The description is kept in the metadata, the default payment method as a reference, because
 * cards cannot be imported. Stripe shows that one by its id, or expanded.
 */
export function readStripe(object: SourceObject): SourceRow {
  if (object.json.deleted === true) throw refusal("SOURCE_DELETED", "The customer is deleted at its source.");
  const shipping = object.object("shipping");
  const billing = object.object("address");
  const to = shipping && placeOf(shipping.object("address"), shipping);
  const from = placeOf(billing, object);
  const both = to !== undefined && from !== undefined && !samePlace(to, from);
  const country = billing?.text("country");
  const description = object.text("description");
  const source = object.reference("default_source");
  const method = object.object("invoice_settings")?.reference("default_payment_method") ?? source;
  const customer = withoutUndefined({
    email: object.text("email"),
    name: object.text("name"),
    phone: object.text("phone"),
    country,
    locale: localeOf(object.json.preferred_locales, country),
    metadata: { ...(description !== undefined && { description }), ...object.object("metadata")?.json },
    externalReferences: method === undefined ? undefined : [{ name: "stripe-payment-method", id: method }],
  });
  const addresses = to === undefined ? [from] : [to, both ? { ...from, label: "Billing" } : undefined];
  return {
    id: object.text("id"),
    customer,
    addresses: addresses.filter((address) => address !== undefined),
    defaultAddress: to === undefined ? undefined : 0,
    liveMode: object.boolean("livemode"),
    createTime: object.time("created"),
  };
}

// Checkout often stores a country and a postal code alone: that is no place.
function placeOf(address: SourceObject | undefined, owner: SourceObject): AddressInit | undefined {
  if (address?.text("line1") === undefined) return undefined;
  return withoutUndefined({
    name: owner.text("name"),
    phone: owner.text("phone"),
    line1: address.text("line1"),
    line2: address.text("line2"),
    city: address.text("city"),
    state: address.text("state"),
    postalCode: address.text("postal_code"),
    country: address.text("country"),
  });
}

function samePlace(one: AddressInit, other: AddressInit): boolean {
  const place = ({ line1, line2, city, state, postalCode, country }: AddressInit) =>
    JSON.stringify([line1, line2, city, state, postalCode, country]);
  return place(one) === place(other);
}

// Stripe names languages, with or without a country: `en`, `fr-CA`.
function localeOf(languages: unknown, country: string | undefined): string | undefined {
  const [first] = Array.isArray(languages) ? languages : [];
  if (typeof first !== "string") return undefined;
  const [language = "", region = country] = first.split("-");
  const locale = `${language.toLowerCase()}_${region?.toUpperCase()}`;
  return isLocale(locale) ? locale : undefined;
}
