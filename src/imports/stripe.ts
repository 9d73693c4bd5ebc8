import type { JsonObject } from "@bufbuild/protobuf";
import { isLocale } from "../formats/locales.js";
import { refusal } from "./refusal.js";
import { type AddressInit, booleanOf, objectOf, present, type SourceRow, textOf, timeOf } from "./source-row.js";

/**
 * Reads a Stripe Customer. The shipping address becomes the default; a billing address with a street is kept beside it,
 * labelled, and one without gives its country alone. The description is kept in the metadata, the default payment method
 * as a reference, because cards cannot be imported.
 */
export function readStripe(object: JsonObject): SourceRow {
  if (object.deleted === true) throw refusal("SOURCE_DELETED", "The customer is deleted at its source.");
  const shipping = objectOf(object, "shipping");
  const [billing, shippingAddress] = [objectOf(object, "address"), shipping && objectOf(shipping, "address")];
  const to = shipping && placeOf(shippingAddress, shipping);
  const from = placeOf(billing, object);
  const both = to !== undefined && from !== undefined && !samePlace(to, from);
  const country = billing && textOf(billing, "country");
  const description = textOf(object, "description");
  const invoices = objectOf(object, "invoice_settings") ?? {};
  const method = textOf(invoices, "default_payment_method") ?? textOf(object, "default_source");
  const customer = present({
    email: textOf(object, "email"),
    name: textOf(object, "name"),
    phone: textOf(object, "phone"),
    country,
    locale: localeOf(object.preferred_locales, country),
    metadata: { ...(description !== undefined && { description }), ...objectOf(object, "metadata") },
    externalReferences: method === undefined ? undefined : [{ name: "stripe-payment-method", id: method }],
  });
  const addresses = to === undefined ? [from] : [to, both ? { ...from, label: "Billing" } : undefined];
  return {
    id: textOf(object, "id"),
    customer,
    addresses: addresses.filter((address) => address !== undefined),
    defaultAddress: to === undefined ? undefined : 0,
    liveMode: booleanOf(object, "livemode"),
    createTime: timeOf(object, "created"),
  };
}

// Checkout often stores a country and a postal code alone: that is no place.
function placeOf(address: JsonObject | undefined, owner: JsonObject): AddressInit | undefined {
  if (address === undefined || textOf(address, "line1") === undefined) return undefined;
  return present({
    name: textOf(owner, "name"),
    phone: textOf(owner, "phone"),
    line1: textOf(address, "line1"),
    line2: textOf(address, "line2"),
    city: textOf(address, "city"),
    state: textOf(address, "state"),
    postalCode: textOf(address, "postal_code"),
    country: textOf(address, "country"),
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
