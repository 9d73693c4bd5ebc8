import { createHash } from "node:crypto";
import {
  create,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { type AccountSettings, EmailMutability } from "../../../gen/clientele/v1/accounts_pb.js";
import { AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import { type CustomField, CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import {
  CountryConstraintsSchema,
  type CustomFieldConstraintsSchema,
  type FieldConstraintsSchema,
  type FormConstraints,
  FormConstraintsSchema,
} from "../../../gen/clientele/v1/forms_pb.js";
import { addressForms } from "../../formats/address-forms.js";
import { countryCodes } from "../../formats/countries.js";
import { localePattern } from "../../formats/locales.js";
import { maxPhoneLength, phonePattern } from "../../formats/phones.js";
import { type TextRules, textRulesOf } from "../../rpc/requests/text-rules.js";
import type { TenantSettings } from "../accounts/settings.js";
import { writableFields as addressPaths } from "../addresses/convert.js";
import { emailPattern, maxTextLength, slugPattern } from "../custom-fields/values.js";
import { writableFields as customerPaths } from "../customers/fields.js";
import { maxBytes, minCharacters } from "../passwords/rules.js";
import { maxPhotoBytes, maxPixels, photoTypes } from "../photos/image.js";

/** The constraints of a form, with a version that differs for every other content. */
export interface VersionedConstraints {
  readonly constraints: FormConstraints;
  readonly etag: string;
}

// For as long as the settings are cached.
const constraintsCache = new WeakMap<TenantSettings, Map<boolean, VersionedConstraints>>();

/** The constraints of a form under the settings: the merchant's own, or one that customers fill in. */
export function versionedConstraints(tenant: TenantSettings, isMerchant: boolean): VersionedConstraints {
  const answers = constraintsCache.get(tenant) ?? new Map<boolean, VersionedConstraints>();
  constraintsCache.set(tenant, answers);
  const answer = answers.get(isMerchant) ?? versioned(constraintsFrom(tenant, isMerchant));
  answers.set(isMerchant, answer);
  return answer;
}

function versioned(constraints: FormConstraints): VersionedConstraints {
  const hash = createHash("sha256").update(toBinary(FormConstraintsSchema, constraints));
  return { constraints, etag: hash.digest("base64url").slice(0, 22) };
}

function constraintsFrom({ settings, customFields }: TenantSettings, isMerchant: boolean): FormConstraints {
  const allowed = settings.allowedCountries.length === 0 ? countryCodes : settings.allowedCountries;
  const visibleFields = customFields.filter((field) => field.enabled && (isMerchant || field.writableByCustomer));
  return create(FormConstraintsSchema, {
    customerFields: fieldsOf(CustomerSchema, customerPaths, countryCodes).map((field) => ({
      ...field,
      required: settings.requiredCustomerFields.includes(field.name),
      immutable: field.name === "email" && isEmailImmutable(settings),
    })),
    addressFields: fieldsOf(AddressSchema, addressPaths, allowed).map((field) => ({
      ...field,
      required: settings.requiredAddressFields.includes(field.name),
    })),
    countries: countries.filter(({ code }) => allowed.includes(code)),
    maxAddresses: settings.maxAddressesPerCustomer ?? 0,
    customFields: visibleFields.map(customFieldConstraints),
    password: { minLength: minCharacters, maxBytes },
    photo: { contentTypes: [...photoTypes], maxBytes: maxPhotoBytes, maxPixels },
  });
}

const countries = addressForms.map((form) => {
  const states = form.states.map((state) => ({ ...state }));
  return create(CountryConstraintsSchema, { ...form, states, postalCodeExamples: [...form.postalCodeExamples] });
});

type FieldInit = Exclude<MessageInitShape<typeof FieldConstraintsSchema>, { readonly $typeName: string }> & {
  readonly name: string;
};

// The texts that a client may write, with the rules of the contract and of the formats. Ids are no texts to a form.
function fieldsOf(
  schema: DescMessage,
  writable: readonly string[],
  countryCodesAllowed: readonly string[],
): FieldInit[] {
  const fields = schema.fields.filter(({ name }) => writable.includes(name) && !/_id$|^password$/.test(name));
  return fields.flatMap((field) => {
    if (isText(field)) return [{ name: field.name, ...rulesOf(field, countryCodesAllowed) }];
    if (field.fieldKind !== "message" || field.name === "shipping") return [];
    const inner = field.message.fields.filter(isText);
    return inner.map((text) => ({ name: `${field.name}.${text.name}`, ...rulesOf(text, countryCodesAllowed) }));
  });
}

function isText(field: DescField): boolean {
  return field.fieldKind === "scalar" && field.scalar === ScalarType.STRING;
}

// The formats are stricter here than the contract, which lets other spellings pass.
function rulesOf(field: DescField, allowed: readonly string[]): TextRules {
  if (field.name === "phone") return { maxLength: maxPhoneLength, pattern: phonePattern };
  if (field.name === "locale") return { pattern: localePattern };
  if (field.name === "country") return { pattern: `^(?:${allowed.join("|")})$` };
  return textRulesOf(field);
}

function customFieldConstraints(field: CustomField): MessageInitShape<typeof CustomFieldConstraintsSchema> {
  const { createTime: _, updateTime: __, ...definition } = field;
  const kinds = field.rules.map(({ kind }) => kind.case);
  return {
    customField: { ...definition, etag: "" },
    maxLength: field.type === CustomFieldType.STRING ? maxTextLength : 0,
    patterns: [...(kinds.includes("email") ? [emailPattern] : []), ...(kinds.includes("slug") ? [slugPattern] : [])],
  };
}

function isEmailImmutable({ emailMutability }: AccountSettings): boolean {
  return emailMutability === EmailMutability.IMMUTABLE;
}
