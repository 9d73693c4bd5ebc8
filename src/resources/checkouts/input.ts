import { clone, create } from "@bufbuild/protobuf";
import {
  type CheckoutInput,
  CheckoutInputSchema,
  type Contact,
  ContactSchema,
  type UpdateCheckoutRequest,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { type FieldViolation, invalidField, invalidFields, requiredMessage } from "../../rpc/errors.js";
import { populatedPaths } from "../../rpc/requests/field-mask.js";
import { required, withoutBlanks } from "../../rpc/requests/validate.js";

/** The path of the input in the requests. */
export const inputPath = "checkout";

const contactPaths = ["contact.email", "contact.name", "contact.phone"];

// The fields of the checkout that each path of the input decides.
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  url: ["url"],
  address_id: ["shipping", "tax_certificates"],
  shipping: ["shipping", "tax_certificates"],
  billing_address_id: ["billing"],
  billing: ["billing"],
  payment_method_id: ["payment_method"],
  contact: contactPaths,
  ...Object.fromEntries(contactPaths.map((path) => [path, [path]])),
  display_name: ["display_name"],
  locale: ["locale"],
  customer_type: ["customer_type"],
  tax_identifier_ids: ["tax_identifiers", "tax_certificates"],
};

/** The input of a new checkout. Throws INVALID_ARGUMENT without a url. */
export function newInput(given: CheckoutInput | undefined): CheckoutInput & { readonly url: string } {
  const input = required(given, inputPath);
  return { ...input, url: required(input.url, `${inputPath}.url`) };
}

/** The fields of the checkout that an update resolves again. Throws INVALID_ARGUMENT for a path that names none. */
export function fieldsToResolve({ checkout, updateMask }: UpdateCheckoutRequest): ReadonlySet<string> {
  const paths = pathsOf(checkout ?? create(CheckoutInputSchema), updateMask?.paths ?? []);
  const invalid = paths.filter((path) => !Object.hasOwn(fieldsOf, path));
  if (invalid.length > 0) {
    throw invalidFields(
      invalid.map((path) => ({
        field: "update_mask",
        description: `${path.slice(0, 100)} is not a path that can be updated`,
      })),
    );
  }
  return new Set(paths.flatMap((path) => fieldsOf[path] ?? []));
}

/** The input of an update, without the fields outside its mask. */
export function maskedInput({ checkout }: UpdateCheckoutRequest, fields: ReadonlySet<string>): CheckoutInput {
  const input = checkout ? clone(CheckoutInputSchema, checkout) : create(CheckoutInputSchema);
  if (!fields.has("url")) delete input.url;
  else if (input.url === undefined) throw invalidField(`${inputPath}.url`, requiredMessage);
  if (!fields.has("shipping")) {
    delete input.addressId;
    delete input.shipping;
  }
  if (!fields.has("billing")) {
    delete input.billingAddressId;
    delete input.billing;
  }
  if (!fields.has("payment_method")) delete input.paymentMethodId;
  if (input.contact) input.contact = maskedContact(input.contact, fields);
  if (!fields.has("display_name")) delete input.displayName;
  if (!fields.has("locale")) delete input.locale;
  if (!fields.has("customer_type")) input.customerType = CustomerType.UNSPECIFIED;
  if (!fields.has("tax_identifiers")) input.taxIdentifierIds = [];
  return input;
}

/**
 * Elastic Path: a guest has no saved address or card, so the input must carry them. Of an update, only the fields that it
 * names. Throws INVALID_ARGUMENT.
 */
export function requireGuestInput(input: CheckoutInput, fields?: ReadonlySet<string>): void {
  const violations: FieldViolation[] = [];
  const requires = (field: string) => fields === undefined || fields.has(field);
  const contact = input.contact && withoutBlanks(ContactSchema, input.contact);
  const refuse = (path: string, description: string) => violations.push({ field: `${inputPath}.${path}`, description });
  if (requires("contact.email") && contact?.email === undefined) refuse("contact.email", requiredMessage);
  if (requires("shipping") && input.shipping === undefined) refuse("shipping", requiredMessage);
  if (requires("payment_method") && !input.paymentMethodId) refuse("payment_method_id", requiredMessage);
  if (input.addressId) refuse("address_id", "belongs to a customer");
  if (input.billingAddressId) refuse("billing_address_id", "belongs to a customer");
  if (violations.length > 0) throw invalidFields(violations);
}

function maskedContact(given: Contact, fields: ReadonlySet<string>): Contact {
  const contact = create(ContactSchema);
  for (const part of ["email", "name", "phone"] as const) {
    if (given[part] !== undefined && fields.has(`contact.${part}`)) contact[part] = given[part];
  }
  return contact;
}

function pathsOf(input: CheckoutInput, mask: readonly string[]): readonly string[] {
  if (mask.length === 0) {
    const paths = populatedPaths(CheckoutInputSchema, input, Object.keys(fieldsOf));
    return paths.flatMap((path) => (path === "contact" ? populatedContact(input.contact) : path));
  }
  if (!mask.includes("*")) return mask;
  return Object.keys(fieldsOf).filter((path) => path !== "url" || input.url !== undefined);
}

function populatedContact(contact: Contact | undefined): string[] {
  if (contact === undefined) return [];
  const parts = ContactSchema.fields.map(({ name }) => name);
  return populatedPaths(ContactSchema, contact, parts).map((part) => `contact.${part}`);
}
