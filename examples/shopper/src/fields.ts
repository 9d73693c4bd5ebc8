import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { type Customer, CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import type {
  CountryConstraints,
  CustomFieldConstraints,
  FieldConstraints,
  FormConstraints,
} from "../../../gen/clientele/v1/forms_pb.js";
import type { Entries, Field, Value } from "./form.js";

/** The customer fields that the page asks for. */
const asked = {
  customer: ["email", "name", "first_name", "last_name", "phone"],
  address: ["first_name", "last_name", "line1", "line2", "city", "country", "state", "postal_code", "phone"],
};

export const emailField = (path: string): Field => ({ path, label: "Email", type: "email", required: true });

export function passwordField(path: string, { password }: FormConstraints): Field {
  const lengths = { minLength: password?.minLength ?? 0, maxLength: password?.maxBytes ?? 0 };
  return { path, label: "Password", type: "password", required: true, ...lengths };
}

/** The fields of a customer, with what they hold. */
export function customerFields(constraints: FormConstraints, customer = create(CustomerSchema)): Field[] {
  const texts = named(constraints.customerFields, asked.customer).map((of) => ({
    ...textField("customer", of),
    value: textOf(CustomerSchema, customer, of.name),
  }));
  const custom = constraints.customFields.map((of) => customField(of, customer));
  return [...texts, ...custom];
}

/** The paths of a customer that its form writes. */
export function customerMask(constraints: FormConstraints): string[] {
  const custom = constraints.customFields.map(({ customField }) => `custom_fields.${customField?.slug}`);
  return [...named(constraints.customerFields, asked.customer).map(({ name }) => name), ...custom];
}

/** The entered customer. */
export function customerOf(entries: Entries, { customFields }: FormConstraints): Customer {
  const customer = textsOf(CustomerSchema, "customer", entries);
  const values = customFields.flatMap(({ customField }) => {
    const value = entries.get(`customer.custom_fields.${customField?.slug}`);
    return value === undefined || value === "" ? [] : [[customField?.slug ?? "", value] as const];
  });
  if (values.length > 0) customer.customFields = Object.fromEntries(values);
  return customer;
}

/** The fields of an address; what its state and postal code must be follows its country. */
export function addressFields(constraints: FormConstraints, address = create(AddressSchema)): Field[] {
  return named(constraints.addressFields, asked.address).map((of) => {
    const field = { ...textField("address", of), value: textOf(AddressSchema, address, of.name) };
    const countryOf = (code: string) => constraints.countries.find((country) => country.code === code);
    const follow = {
      on: "address.country",
      as: (code: string) => ({ ...field, ...inCountry(of.name, countryOf(code)) }),
    };
    if (of.name === "country")
      return { ...field, options: constraints.countries.map(({ code, name }) => [code, name]) };
    return of.name === "state" || of.name === "postal_code" ? { ...field, follows: follow } : field;
  });
}

export const addressMask = asked.address;

/** The entered address. */
export const addressOf = (entries: Entries): Address => textsOf(AddressSchema, "address", entries);

function inCountry(name: string, country: CountryConstraints | undefined): Partial<Field> {
  if (country === undefined) return {};
  if (name === "postal_code") return country.postalCodePattern === "" ? {} : { pattern: country.postalCodePattern };
  return country.states.length === 0 ? {} : { options: country.states.map(({ code, name: called }) => [code, called]) };
}

function named(all: readonly FieldConstraints[], names: readonly string[]): FieldConstraints[] {
  return names.flatMap((name) => all.filter((field) => field.name === name));
}

function textField(prefix: string, { name, required, maxLength, pattern }: FieldConstraints): Field {
  const types: Readonly<Record<string, Field["type"]>> = { email: "email", phone: "tel" };
  const limits = { ...(maxLength > 0 && { maxLength }), ...(pattern !== "" && { pattern }) };
  return { path: `${prefix}.${name}`, label: labelOf(name), type: types[name] ?? "text", required, ...limits };
}

function labelOf(name: string): string {
  const words = name.replaceAll("_", " ").replace(/(\d)/, " $1");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function customField({ customField: of, maxLength, patterns }: CustomFieldConstraints, customer: Customer): Field {
  const { slug = "", name = "", type, required = false, rules = [] } = of ?? {};
  const stored = customer.customFields?.[slug];
  const limits = Object.assign({}, ...rules.map(({ kind }) => limitsOf(kind)));
  return {
    path: `customer.custom_fields.${slug}`,
    label: name,
    type: inputTypes[type ?? CustomFieldType.UNSPECIFIED],
    required: required && of?.defaultValue === undefined,
    ...(type === CustomFieldType.FLOAT && { step: "any" }),
    ...(maxLength > 0 && { maxLength }),
    ...(patterns[0] !== undefined && { pattern: patterns[0] }),
    ...limits,
    value: stored as Value | undefined,
  };
}

const inputTypes: Readonly<Record<CustomFieldType, Field["type"]>> = {
  [CustomFieldType.UNSPECIFIED]: "text",
  [CustomFieldType.STRING]: "text",
  [CustomFieldType.INTEGER]: "number",
  [CustomFieldType.BOOLEAN]: "checkbox",
  [CustomFieldType.FLOAT]: "number",
  [CustomFieldType.DATE]: "date",
};

type Kind = NonNullable<CustomFieldConstraints["customField"]>["rules"][number]["kind"];

function limitsOf(kind: Kind): Partial<Field> {
  switch (kind.case) {
    case "stringEnum":
    case "dateEnum":
      return { options: kind.value.values.map((value) => [value, value]) };
    case "integerEnum":
    case "floatEnum":
      return { options: kind.value.values.map((value) => [String(value), String(value)]) };
    case "email":
      return { type: "email" };
    case "integerBetween":
    case "floatBetween":
    case "dateBetween":
      return {
        ...(kind.value.min !== undefined && { min: String(kind.value.min) }),
        ...(kind.value.max !== undefined && { max: String(kind.value.max) }),
      };
    default:
      return {};
  }
}

function textOf<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>, name: string): string | undefined {
  const field = schema.fields.find((one) => one.name === name);
  const reflected = reflect(schema, message);
  return field !== undefined && reflected.isSet(field) ? String(reflected.get(field)) : undefined;
}

function textsOf<Desc extends DescMessage>(schema: Desc, prefix: string, entries: Entries): MessageShape<Desc> {
  const reflected = reflect(schema);
  for (const field of schema.fields) {
    const value = entries.get(`${prefix}.${field.name}`);
    if (value !== undefined && value !== "") reflected.set(field, value);
  }
  return reflected.message as MessageShape<Desc>;
}
