import { create, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { timestampFromDate, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type CustomField,
  type CustomFieldRule,
  CustomFieldRuleSchema,
  CustomFieldSchema,
  type CustomFieldType,
  CustomFieldTypeSchema,
} from "../../../gen/clientele/v1/custom_fields_pb.js";
import { enumColumn } from "../../db/enums.js";
import { etagOf } from "../../rpc/etag.js";
import { writableFieldsOf } from "../../rpc/requests/plan.js";
import type { CustomFieldColumns, CustomFieldRow } from "./store.js";

/** The fields that a mask may name. Slug and type may be named, not changed. */
export const writableFields = writableFieldsOf(CustomFieldSchema);

const type = enumColumn<CustomFieldType>(CustomFieldTypeSchema);

export function customFieldFromRow(row: CustomFieldRow): CustomField {
  return create(CustomFieldSchema, {
    id: row.id,
    slug: row.slug,
    name: row.name,
    ...(row.description !== null && { description: row.description }),
    type: type.fromColumn(row.type),
    rules: row.rules.map((rule) => fromJson(CustomFieldRuleSchema, rule)),
    required: row.required,
    ...(row.default_value !== null && { defaultValue: fromJson(ValueSchema, row.default_value) }),
    enabled: row.enabled,
    position: row.position,
    writableByCustomer: row.writable_by_customer,
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
  });
}

/** The columns of a valid definition. */
export function customFieldToColumns(field: CustomField): CustomFieldColumns {
  return {
    slug: field.slug,
    name: field.name,
    description: field.description ?? null,
    type: type.toColumn(field.type) ?? "",
    rules: field.rules.map((rule: CustomFieldRule) => toJson(CustomFieldRuleSchema, rule)),
    required: field.required ?? false,
    default_value: jsonOf(field.defaultValue) ?? null,
    enabled: field.enabled ?? true,
    position: field.position ?? 0,
    writable_by_customer: field.writableByCustomer ?? false,
  };
}

/** A value as JSON; undefined if it is none, as a blank text is. Of a list or an object, which no field holds, only that. */
export function jsonOf(value: Value | undefined): JsonValue | undefined {
  if (value?.kind.case === undefined) return undefined;
  const { kind } = value;
  switch (kind.case) {
    case "nullValue":
      return null;
    // Their values may not be valid JSON.
    case "listValue":
      return [];
    case "structValue":
      return {};
    case "stringValue":
      return kind.value.trim() === "" ? undefined : kind.value;
    default:
      return kind.value;
  }
}
