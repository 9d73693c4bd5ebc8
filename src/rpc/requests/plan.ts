import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { StructSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import { subject, TextKind, text_kind, validated_after_merge } from "../../../gen/clientele/options/v1/options_pb.js";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";

/** A field as the questions about a request see it: what may stand in it, and what the contract says of it. */
export interface FieldPlan {
  readonly field: DescField;
  /** In snake_case, as a path names it. */
  readonly name: string;
  readonly shape: "single" | "list" | "map";
  /** `json` is a Struct, which is a plain JSON object; `other` holds neither text nor anything that leads to one. */
  readonly kind: "text" | "decimal" | "json" | "message" | "other";
  /** The message of the field, of each item or of each value of the map. */
  readonly inner: DescMessage | undefined;
  /** Reads the value; undefined where it is absent, or where another field of its oneof is set. */
  readonly get: (message: object) => unknown;
  readonly textKind: TextKind;
  readonly isSubject: boolean;
  readonly isSecret: boolean;
  /** Whether it holds the id of the resource that its message is. */
  readonly isIdentifier: boolean;
  readonly isOutputOnly: boolean;
  /** Whether it keeps its value once it has one. */
  readonly isImmutable: boolean;
  readonly isValidatedAfterMerge: boolean;
}

/**
 * Makes a function that works something out once for each type of message. `compile` gets the fields of the type; a type
 * that holds itself must be asked for lazily.
 */
export function oncePerType<T>(
  compile: (fields: readonly FieldPlan[], schema: DescMessage) => T,
): (schema: DescMessage) => T {
  const results = new Map<DescMessage, T>();
  return (schema) => {
    const cachedResult = results.get(schema);
    if (cachedResult !== undefined) return cachedResult;
    const result = compile(fieldsOf(schema), schema);
    results.set(schema, result);
    return result;
  };
}

/** Whether a type has a field of a kind, itself or in a message that it holds. */
export function leadsTo(schema: DescMessage, isMeant: (field: FieldPlan) => boolean, seen = new Set<DescMessage>()) {
  if (seen.has(schema)) return false;
  seen.add(schema);
  return fieldsOf(schema).some(
    (field): boolean => isMeant(field) || (field.inner !== undefined && leadsTo(field.inner, isMeant, seen)),
  );
}

const plans = new Map<DescMessage, readonly FieldPlan[]>();

/** The plan of a type: its fields in the order of the proto. */
export function fieldsOf(schema: DescMessage): readonly FieldPlan[] {
  const cachedFields = plans.get(schema);
  if (cachedFields !== undefined) return cachedFields;
  const fields = schema.fields.map(planOf);
  plans.set(schema, fields);
  return fields;
}

function planOf(field: DescField): FieldPlan {
  const { name } = field;
  const kind = kindOf(field);
  const shape = field.fieldKind === "list" || field.fieldKind === "map" ? field.fieldKind : "single";
  return {
    field,
    name,
    shape,
    kind,
    inner: kind === "message" ? field.message : undefined,
    get: getterOf(field),
    textKind: textKindOf(field),
    isSubject: hasOption(field, subject) && getOption(field, subject),
    isSecret: field.proto.options?.debugRedact === true,
    isIdentifier: hasBehavior(field, FieldBehavior.IDENTIFIER),
    isOutputOnly: isOutputOnly(field),
    isImmutable: hasBehavior(field, FieldBehavior.IMMUTABLE),
    isValidatedAfterMerge: hasOption(field, validated_after_merge) && getOption(field, validated_after_merge),
  };
}

/** Whether only the service writes a field: what a client sends in it is ignored. */
export function isOutputOnly(field: DescField): boolean {
  return hasBehavior(field, FieldBehavior.OUTPUT_ONLY);
}

/** Whether no answer shows a field, such as a password. */
export function isInputOnly(field: DescField): boolean {
  return hasBehavior(field, FieldBehavior.INPUT_ONLY);
}

/** Whether a client may send a field back as it was read, because nobody writes it. An etag is compared. */
export function isServerField(field: DescField): boolean {
  return isOutputOnly(field) || field.name === "etag";
}

/** The fields that an update mask may name: those that a client writes, without the identifier. */
export function writableFieldsOf(schema: DescMessage): readonly string[] {
  const writable = schema.fields.filter(
    (field) => !isServerField(field) && !hasBehavior(field, FieldBehavior.IDENTIFIER),
  );
  return writable.map(({ name }) => name);
}

function hasBehavior(field: DescField, behavior: FieldBehavior): boolean {
  return hasOption(field, field_behavior) && getOption(field, field_behavior).includes(behavior);
}

// A Struct in a Value is a message like any other. A singular StringValue is a plain text.
function kindOf(field: DescField): FieldPlan["kind"] {
  if (field.message !== undefined) {
    if (field.message.typeName === StructSchema.typeName && field.parent.typeName !== ValueSchema.typeName)
      return "json";
    return field.fieldKind === "message" && field.message.typeName === "google.protobuf.StringValue"
      ? "text"
      : "message";
  }
  if (field.scalar === ScalarType.STRING) return "text";
  return field.scalar === ScalarType.DOUBLE || field.scalar === ScalarType.FLOAT ? "decimal" : "other";
}

function getterOf(field: DescField): FieldPlan["get"] {
  const { localName, oneof } = field;
  if (oneof === undefined) return (message) => Reflect.get(message, localName);
  return (message) => {
    const chosen = Object(Reflect.get(message, oneof.localName));
    return chosen.case === localName ? chosen.value : undefined;
  };
}

const generatedNames = /^(.*_)?(cursor|etag|page_token)$/;
const referenceNames = /^(.*_)?(ids?|token)$/;

function textKindOf(field: DescField): TextKind {
  if (hasOption(field, text_kind)) return getOption(field, text_kind);
  if (generatedNames.test(field.name)) return TextKind.GENERATED;
  return referenceNames.test(field.name) ? TextKind.REFERENCE : TextKind.FREE;
}
