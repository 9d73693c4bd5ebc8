import { type CustomField, CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import type { Fields, Member } from "../../rpc/lists/filter-clause.js";
import type { OrderFields } from "../../rpc/lists/order-by.js";

const filterable = {
  id: { type: "text" },
  email: { type: "text", caseInsensitive: true },
  name: { type: "text" },
  first_name: { type: "text" },
  last_name: { type: "text" },
  display_name: { type: "text" },
  phone: { type: "text" },
  country: { type: "text" },
  locale: { type: "text" },
  type: {
    type: "enum",
    values: {
      CUSTOMER_TYPE_INDIVIDUAL: "individual",
      CUSTOMER_TYPE_BUSINESS: "business",
      INDIVIDUAL: "individual",
      BUSINESS: "business",
    },
  },
  enabled: { type: "boolean" },
  request_to_be_forgotten: { type: "boolean" },
  default_address_id: { type: "text" },
  default_payment_method_id: { type: "text" },
  create_time: { type: "timestamp" },
  update_time: { type: "timestamp" },
  delete_time: { type: "timestamp" },
  purge_time: { type: "timestamp" },
  metadata: { type: "map" },
} as const satisfies Fields;

const orderable = {
  id: { nullable: false },
  email: { nullable: true },
  name: { nullable: true },
  first_name: { nullable: true },
  last_name: { nullable: true },
  create_time: { nullable: false },
  update_time: { nullable: false },
} as const satisfies OrderFields;

const memberTypes: Record<CustomFieldType, Member["of"]> = {
  [CustomFieldType.UNSPECIFIED]: "text",
  [CustomFieldType.STRING]: "text",
  [CustomFieldType.INTEGER]: "number",
  [CustomFieldType.BOOLEAN]: "boolean",
  [CustomFieldType.FLOAT]: "number",
  [CustomFieldType.DATE]: "day",
};

/** What a filter may name: custom fields by their slugs, and by the ids of their definitions in the column. */
export function filterableFields(customFields: readonly CustomField[]): Fields {
  return { ...filterable, custom_fields: { type: "record", members: membersOf(customFields) } };
}

/** What order_by may name. */
export function orderableFields(customFields: readonly CustomField[]): OrderFields {
  const members = Object.entries(membersOf(customFields));
  const custom = members.map(([slug, { of, key }]) => {
    return [`custom_fields.${slug}`, { nullable: true, member: { column: "custom_fields", of, key } }] as const;
  });
  return { ...orderable, ...Object.fromEntries(custom) };
}

function membersOf(customFields: readonly CustomField[]): Record<string, Member> {
  const enabled = customFields.filter((field) => field.enabled);
  return Object.fromEntries(
    enabled.map(({ slug, id, type }) => [slug, { type: "member", of: memberTypes[type], key: id }]),
  );
}
