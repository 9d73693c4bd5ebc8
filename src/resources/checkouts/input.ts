import { create } from "@bufbuild/protobuf";
import {
  type Contact,
  ContactSchema,
  type UpdateCheckoutRequest,
  UpdateCheckoutRequestSchema,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { CustomerType } from "../../../gen/clientele/v1/customers_pb.js";
import { invalidFields } from "../../rpc/errors.js";
import { populatedPaths } from "../../rpc/requests/field-mask.js";
import type { Asked } from "./gather.js";

const contactPaths = ["contact.email", "contact.name", "contact.phone"];

// Which fields of the checkout a path of the request is about.
const fieldsOf: Readonly<Record<string, readonly string[]>> = {
  url: ["url"],
  address_id: ["shipping"],
  shipping: ["shipping"],
  credit_card_token: ["payment_method"],
  contact: contactPaths,
  ...Object.fromEntries(contactPaths.map((path) => [path, [path]])),
  display_name: ["display_name"],
  locale: ["locale"],
  type: ["type"],
  tax_identifier_ids: ["tax_identifiers", "tax_certificates"],
};

/** The fields of the checkout that an update resolves anew. Throws INVALID_ARGUMENT for a path that names none. */
export function fieldsToResolve(req: UpdateCheckoutRequest): ReadonlySet<string> {
  const paths = pathsOf(req);
  const unknown = paths.filter((path) => !Object.hasOwn(fieldsOf, path));
  if (unknown.length > 0) {
    throw invalidFields(
      unknown.map((path) => ({
        field: "update_mask",
        description: `${path.slice(0, 100)} is not a path that can be updated`,
      })),
    );
  }
  return new Set(paths.flatMap((path) => fieldsOf[path] ?? []));
}

/** What an update asks for, without what its mask does not name. */
export function askedBy(req: UpdateCheckoutRequest, fields: ReadonlySet<string>): Asked {
  const { shipping, displayName, locale } = req;
  const contact = req.contact && contactOf(req.contact, fields);
  return {
    addressId: fields.has("shipping") ? req.addressId : "",
    ...(shipping && fields.has("shipping") && { shipping }),
    creditCardToken: fields.has("payment_method") ? req.creditCardToken : "",
    ...(contact && { contact }),
    ...(displayName !== undefined && fields.has("display_name") && { displayName }),
    ...(locale !== undefined && fields.has("locale") && { locale }),
    type: fields.has("type") ? req.type : CustomerType.UNSPECIFIED,
    taxIdentifierIds: fields.has("tax_identifiers") ? req.taxIdentifierIds : [],
  };
}

function contactOf(given: Contact, fields: ReadonlySet<string>): Contact {
  const named = ContactSchema.fields.filter(({ name }) => fields.has(`contact.${name}`));
  return create(
    ContactSchema,
    Object.fromEntries(named.map(({ localName }) => [localName, Reflect.get(given, localName)])),
  );
}

function pathsOf(req: UpdateCheckoutRequest): readonly string[] {
  const named = req.updateMask?.paths ?? [];
  if (named.length === 0) {
    const populated = populatedPaths(UpdateCheckoutRequestSchema, req, Object.keys(fieldsOf));
    return populated.flatMap((path) => (path === "contact" ? populatedContact(req.contact) : path));
  }
  if (!named.includes("*")) return named;
  return Object.keys(fieldsOf).filter((path) => path !== "url" || req.url !== "");
}

function populatedContact(contact: Contact | undefined): string[] {
  if (contact === undefined) return [];
  const parts = ContactSchema.fields.map(({ name }) => name);
  return populatedPaths(ContactSchema, contact, parts).map((part) => `contact.${part}`);
}
