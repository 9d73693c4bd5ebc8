import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { ContactSchema } from "../../../gen/clientele/v1/checkouts_pb.js";
import { CustomerSchema, CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { PaymentMethodSchema, PaymentMethodState } from "../../../gen/clientele/v1/payment_methods_pb.js";
import { type Candidates, resolve } from "../../../src/resources/checkouts/resolve.js";

// What there may be of each field: in the request, and of the customer; an expired default is lower case.
const some = {
  email: ["", "R", "P", "RP"],
  name: ["", "R", "P", "RP"],
  phone: ["", "R", "P", "RP"],
  locale: ["", "R", "P", "RP"],
  type: ["", "R", "P", "RP"],
  shipping: ["", "R", "D", "RD"],
  payment: ["", "R", "D", "RD", "d", "Rd"],
  displayName: ["", "R"],
} as const;
type Field = keyof typeof some;
type Combination = Readonly<Record<Field, string>>;

// What comes of it: the value by its origin, the source and why a default was skipped.
const wanted: Readonly<Record<string, string>> = {
  "": "none NONE",
  R: "request REQUEST",
  P: "profile CUSTOMER_PROFILE",
  RP: "request REQUEST",
};
const wantedOfDefaults: Readonly<Record<string, string>> = {
  "": "none NONE NOT_SET",
  R: "request REQUEST",
  D: "default CUSTOMER_DEFAULT",
  RD: "request REQUEST",
  d: "none NONE EXPIRED",
  Rd: "request REQUEST",
};
// The display name where the request has none, by what there is of the e-mail address and of the name.
const wantedNames: Readonly<Record<string, string>> = {
  " ": "id CUSTOMER_PROFILE",
  " R": "request-name REQUEST",
  " P": "profile-name CUSTOMER_PROFILE",
  " RP": "request-name REQUEST",
  "R *": "request-email REQUEST",
  "P *": "profile-email CUSTOMER_PROFILE",
  "RP *": "request-email REQUEST",
};
const sources = ["", "REQUEST", "CUSTOMER_DEFAULT", "CUSTOMER_PROFILE", "NONE"];
const skips = ["", " NOT_SET", " EXPIRED"];

function* combinationsOf(fields: readonly Field[], isGuest: boolean): Generator<Combination> {
  const [field, ...rest] = fields;
  if (field === undefined) return yield {} as Combination;
  for (const one of some[field]) {
    if (isGuest && /[PDd]/.test(one)) continue;
    for (const others of combinationsOf(rest, isGuest)) yield { ...others, [field]: one };
  }
}

function candidatesOf(has: Combination, isGuest: boolean): Candidates {
  const from = (field: Field, origin: string, value: object) => (has[field].includes(origin) ? value : {});
  const card = (id: string, state: PaymentMethodState) => create(PaymentMethodSchema, { id, state });
  const { CHARGEABLE, EXPIRED } = PaymentMethodState;
  const contact = create(ContactSchema, {
    ...from("email", "R", { email: "request-email" }),
    ...from("name", "R", { name: "request-name" }),
    ...from("phone", "R", { phone: "request-phone" }),
  });
  const profile = create(CustomerSchema, {
    id: "id",
    ...from("email", "P", { email: "profile-email" }),
    ...from("name", "P", { name: "profile-name" }),
    ...from("phone", "P", { phone: "profile-phone" }),
    ...from("locale", "P", { locale: "profile-locale" }),
    ...from("type", "P", { type: CustomerType.INDIVIDUAL }),
  });
  return {
    request: {
      contact,
      ...from("locale", "R", { locale: "request-locale" }),
      ...from("displayName", "R", { displayName: "request-displayName" }),
      customerType: has.type.includes("R") ? CustomerType.BUSINESS : CustomerType.UNSPECIFIED,
    },
    ...from("shipping", "R", { requestShipping: create(AddressSchema, { id: "request-shipping" }) }),
    ...from("payment", "R", { requestPaymentMethod: card("request-payment", CHARGEABLE) }),
    ...(!isGuest && { customer: profile }),
    ...from("shipping", "D", { defaultShipping: create(AddressSchema, { id: "default-shipping", country: "US" }) }),
    ...from("payment", "D", { defaultPaymentMethod: card("default-payment", CHARGEABLE) }),
    ...from("payment", "d", { defaultPaymentMethod: card("default-payment", EXPIRED) }),
  };
}

// All that is resolved, as the tables spell it.
function resolved(candidates: Candidates): Record<Field, string> {
  const { contact, shipping, paymentMethod, locale, customerType, displayName, resolutions } = resolve(candidates);
  const types = { [CustomerType.BUSINESS]: "request", [CustomerType.INDIVIDUAL]: "profile" } as Record<number, string>;
  const spell = (field: string, value: string | undefined, isName = false) => {
    const found = resolutions.filter((one) => one.field === field);
    const origin = isName ? value : (value?.split("-")[0] ?? "none");
    return `${origin} ${found.map((one) => sources[one.source] + skips[one.skippedDefault]!).join("; ")}`;
  };
  return {
    email: spell("contact.email", contact.email),
    name: spell("contact.name", contact.name),
    phone: spell("contact.phone", contact.phone),
    locale: spell("locale", locale),
    type: spell("customer_type", types[customerType]),
    shipping: spell("shipping", shipping?.id),
    payment: spell("payment_method", paymentMethod?.id),
    displayName: spell("display_name", displayName, true),
  };
}

function expected(has: Combination): Record<Field, string> {
  const names = wantedNames[`${has.email} ${has.name}`] ?? wantedNames[`${has.email} *`]!;
  return {
    email: wanted[has.email]!,
    name: wanted[has.name]!,
    phone: wanted[has.phone]!,
    locale: wanted[has.locale]!,
    type: wanted[has.type]!,
    shipping: wantedOfDefaults[has.shipping]!,
    payment: wantedOfDefaults[has.payment]!,
    displayName: has.displayName === "R" ? "request-displayName REQUEST" : names,
  };
}

test.for([
  { who: "customer", isGuest: false, count: 4 ** 6 * 6 * 2 },
  { who: "guest", isGuest: true, count: 2 ** 8 },
])("the fields of a $who are resolved apart from each other in all $count combinations", ({ isGuest, count }) => {
  const all = [...combinationsOf(Object.keys(some) as Field[], isGuest)];
  expect(all).toHaveLength(count);
  const nobody = (text: string) => (isGuest ? text.replace("id CUSTOMER_PROFILE", " NONE") : text);
  const wrong = all.filter((has) => {
    const want = expected(has);
    const got = resolved(candidatesOf(has, isGuest));
    return Object.keys(some).some((field) => got[field as Field] !== nobody(want[field as Field]));
  });
  expect(wrong).toEqual([]);
});
