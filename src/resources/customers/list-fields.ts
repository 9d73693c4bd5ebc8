import { type CustomField, CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import type { Fields, Member } from "../../rpc/lists/filter-clause.js";
import type { OrderFields } from "../../rpc/lists/order-by.js";
import { filterable, orderable } from "./fields.js";

const memberTypes: Record<CustomFieldType, Member["of"]> = {
  [CustomFieldType.UNSPECIFIED]: "text",
  [CustomFieldType.STRING]: "text",
  [CustomFieldType.INTEGER]: "number",
  [CustomFieldType.BOOLEAN]: "boolean",
  [CustomFieldType.FLOAT]: "number",
  [CustomFieldType.DATE]: "day",
};

/** The fields that a filter may name. A custom field is named by its slug, and stored by the id of its definition. */
export function filterableFields(customFields: readonly CustomField[]): Fields {
  return { ...filterable, custom_fields: { type: "record", members: membersOf(customFields) } };
}

/** The fields that order_by may name. */
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
