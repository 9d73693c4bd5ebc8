// Fills third_party/ with the .proto files that ours import, from npm packages alone: no network, no schema registry.
// buf/validate/validate.proto is in no npm package; it is printed back from the descriptor inside protovalidate.
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRegistry, getOption, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { FieldDescriptorProto_Label as Label } from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate as validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(root, "third_party");
const copies = [
  ["google-gax/build/protos/google/api/annotations.proto", "google/api/annotations.proto"],
  ["google-gax/build/protos/google/api/field_behavior.proto", "google/api/field_behavior.proto"],
  ["google-gax/build/protos/google/api/http.proto", "google/api/http.proto"],
  ["google-gax/build/protos/google/rpc/error_details.proto", "google/rpc/error_details.proto"],
  ["@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto", "grpc/reflection/v1/reflection.proto"],
  ["@grpc/reflection/build/proto/grpc/reflection/v1alpha/reflection.proto", "grpc/reflection/v1alpha/reflection.proto"],
  ["grpc-health-check/proto/health/v1/health.proto", "grpc/health/v1/health.proto"],
];

rmSync(target, { recursive: true, force: true });
for (const [from, to] of copies) {
  mkdirSync(dirname(join(target, to)), { recursive: true });
  cpSync(join(root, "node_modules", from), join(target, to));
}
mkdirSync(join(target, "buf/validate"), { recursive: true });
writeFileSync(join(target, "buf/validate/validate.proto"), printValidate());

function printValidate() {
  const lines = [
    "// Copyright Buf Technologies, Inc. Apache-2.0. Printed from the descriptor in @bufbuild/protovalidate.",
  ];
  const registry = createRegistry(validate);
  const scalarNames = { 14: undefined, ...Object.fromEntries(scalars()) };
  const { proto } = validate;
  lines.push(`syntax = "${proto.syntax || "proto2"}";`, `package ${proto.package};`);
  for (const dependency of proto.dependency) lines.push(`import "${dependency}";`);
  for (const extendee of new Set(proto.extension.map((extension) => extension.extendee))) {
    lines.push(`extend ${extendee} {`);
    for (const extension of proto.extension.filter((e) => e.extendee === extendee)) printField(extension, "  ", false);
    lines.push("}");
  }
  for (const enumType of proto.enumType) printEnum(enumType, "");
  for (const messageType of proto.messageType) printMessage(messageType, "");
  return `${lines.join("\n")}\n`;

  function* scalars() {
    for (const [name, number] of Object.entries(ScalarType))
      if (typeof number === "number") yield [number, name.toLowerCase()];
  }

  function textOf(message, descriptor) {
    const reflected = reflect(descriptor, message);
    const set = descriptor.fields.filter((field) => reflected.isSet(field));
    return set.flatMap((field) => valuesOf(reflected, field).map((value) => `${field.name}: ${value}`)).join("\n    ");
  }

  function valuesOf(reflected, field) {
    const value = reflected.get(field);
    return field.fieldKind === "list" ? [...value].map((item) => one(item, field)) : [one(value, field)];
  }

  function one(value, field) {
    if (field.message) return `{ ${textOf(value.message ?? value, field.message)} }`;
    if (field.enum) return field.enum.value[value].name;
    return field.scalar === ScalarType.STRING ? JSON.stringify(value) : String(value);
  }

  function optionsOf(options, kind) {
    const extendee = `google.protobuf.${kind === "field" ? "FieldOptions" : "OneofOptions"}`;
    return [...registry]
      .filter((type) => type.kind === "extension" && type.extendee.typeName === extendee)
      .filter((type) => options?.$unknown?.some((unknown) => unknown.no === type.number))
      .map((type) => `(${type.typeName}) = { ${textOf(getOption({ kind, proto: { options } }, type), type.message)} }`);
  }

  function printField(field, indent, inOneof) {
    const labels = { [Label.REPEATED]: "repeated ", [Label.REQUIRED]: "required ", [Label.OPTIONAL]: "optional " };
    const options = optionsOf(field.options, "field");
    if (field.options?.deprecated) options.unshift("deprecated = true");
    const label = inOneof ? "" : labels[field.label];
    const bracket = options.length > 0 ? ` [${options.join(", ")}]` : "";
    const type = scalarNames[field.type] ?? field.typeName;
    lines.push(`${indent}${label}${type} ${field.name} = ${field.number}${bracket};`);
  }

  function printReserved(descriptor, indent, isEnum) {
    for (const { start, end } of descriptor.reservedRange)
      lines.push(`${indent}reserved ${start} to ${isEnum ? end : end - 1};`);
    for (const name of descriptor.reservedName) lines.push(`${indent}reserved "${name}";`);
  }

  function printEnum(descriptor, indent) {
    lines.push(`${indent}enum ${descriptor.name} {`);
    if (descriptor.options?.allowAlias) lines.push(`${indent}  option allow_alias = true;`);
    for (const value of descriptor.value) {
      const deprecated = value.options?.deprecated ? " [deprecated = true]" : "";
      lines.push(`${indent}  ${value.name} = ${value.number}${deprecated};`);
    }
    printReserved(descriptor, `${indent}  `, true);
    lines.push(`${indent}}`);
  }

  function printMessage(descriptor, indent) {
    const inner = `${indent}  `;
    lines.push(`${indent}message ${descriptor.name} {`);
    for (const nested of descriptor.enumType) printEnum(nested, inner);
    for (const nested of descriptor.nestedType) printMessage(nested, inner);
    const oneofOf = (field) => (Object.hasOwn(field, "oneofIndex") ? field.oneofIndex : undefined);
    for (const field of descriptor.field.filter((f) => oneofOf(f) === undefined)) printField(field, inner, false);
    for (const [index, oneof] of descriptor.oneofDecl.entries()) {
      lines.push(`${inner}oneof ${oneof.name} {`);
      for (const option of optionsOf(oneof.options, "oneof")) lines.push(`${inner}  option ${option};`);
      for (const field of descriptor.field.filter((f) => oneofOf(f) === index)) printField(field, `${inner}  `, true);
      lines.push(`${inner}}`);
    }
    for (const { start, end } of descriptor.extensionRange)
      lines.push(`${inner}extensions ${start} to ${end === 536870912 ? "max" : end - 1};`);
    printReserved(descriptor, inner, false);
    lines.push(`${indent}}`);
  }
}
