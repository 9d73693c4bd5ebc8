import { readdirSync, readFileSync } from "node:fs";
import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { describe, expect, test } from "vitest";
import { CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { FieldBehavior, field_behavior } from "../../../gen/google/api/field_behavior_pb.js";
import { customerFields, writableFields } from "../../../src/resources/customers/fields.js";
import { services } from "../../../src/routes.js";
import { reasons } from "../../../src/rpc/errors.js";
import { immutableReasonOf } from "../../../src/rpc/requests/field-mask.js";
import { fieldsOf, isServerField, leadsTo, writableFieldsOf } from "../../../src/rpc/requests/plan.js";

const { IDENTIFIER, IMMUTABLE, OUTPUT_ONLY } = FieldBehavior;
const behaviorsOf = (field: DescField) => (hasOption(field, field_behavior) ? getOption(field, field_behavior) : []);
const ours = services.filter(({ typeName }) => typeName.startsWith("clientele."));
const messages: readonly DescMessage[] = [...new Set(ours.map(({ file }) => file))].flatMap((file) =>
  [...nestedTypes(file)].filter((type) => type.kind === "message"),
);
const fields = messages.flatMap((message) => message.fields);
const fullName = (field: DescField) => `${field.parent.name}.${field.name}`;

// A resource has an id and a history.
const has = (message: DescMessage, ...names: string[]) =>
  names.some((name) => message.fields.some((field) => field.name === name));
const resources = messages.filter(
  (message) =>
    !/(Request|Response)$/.test(message.name) &&
    has(message, "id", "update_time") &&
    has(message, "etag", "create_time"),
);
const requests = ours.flatMap(({ methods }) => methods.map(({ input }) => input));
const isSent = (message: DescMessage) =>
  requests.some((request) => leadsTo(request, ({ inner, isOutputOnly }) => inner === message && !isOutputOnly));

test("no field has one behavior twice", () => {
  const twice = fields.filter((field) => new Set(behaviorsOf(field)).size < behaviorsOf(field).length);
  expect(twice.map(fullName)).toEqual([]);
});

test("the id of a resource says that it is the identifier", () => {
  const ids = resources.flatMap((resource) => resource.fields.filter(({ name }) => name === "id"));
  expect(ids.length).toBeGreaterThan(14);
  expect(ids.filter((field) => !behaviorsOf(field).includes(IDENTIFIER)).map(fullName)).toEqual([]);
});

test("a time at which something happened to a resource is output only", () => {
  const times = resources.flatMap((resource) => resource.fields.filter(({ name }) => name.endsWith("_time")));
  expect(times.length).toBeGreaterThan(30);
  expect(times.filter((field) => !behaviorsOf(field).includes(OUTPUT_ONLY)).map(fullName)).toEqual([]);
});

test("a resource that no request holds is output only as a whole", () => {
  const answered = resources.filter((resource) => !isSent(resource));
  expect(answered.length).toBeGreaterThan(6);
  const open = answered.flatMap((resource) =>
    resource.fields.filter((field) => ![IDENTIFIER, OUTPUT_ONLY].some((one) => behaviorsOf(field).includes(one))),
  );
  expect(open.map(fullName)).toEqual([]);
});

describe("a field that no handler reads is output only", () => {
  // The functions that make a message from rows write its fields; the rest of a resource's code reads them.
  const codeOf = (folder: string) =>
    readdirSync(`src/resources/${folder}`, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(`src/resources/${folder}/${name}`, "utf8"))
      .join("\n")
      .replace(/^(?:export )?function \w+From\w+\([\s\S]*?^}$/gm, "");
  const folders: Readonly<Record<string, string>> = {
    AccountSettings: "accounts",
    Address: "addresses",
    ApiKey: "api-keys",
    CustomField: "custom-fields",
    PaymentMethod: "payment-methods",
    TaxCertificate: "tax-certificates",
    TaxIdentifier: "tax-identifiers",
    WebhookEndpoint: "webhooks",
  };
  const sent = resources.filter((resource) => isSent(resource) && resource !== CustomerSchema);

  test.for(sent)("$name", (resource) => {
    const folder = folders[resource.name];
    expect(folder, "the folder of the resource stands in the test").toBeDefined();
    const code = codeOf(folder ?? "");
    const writable = fieldsOf(resource).filter(({ name }) => writableFieldsOf(resource).includes(name));
    const unread = writable.filter(({ field }) => !new RegExp(`\\b${field.localName}\\b`).test(code));
    expect(unread.map(({ field }) => fullName(field))).toEqual([]);
  });

  test("Customer, by its table", () => {
    const server = CustomerSchema.fields.filter(isServerField).map(({ name }) => name);
    const rows = Object.entries(customerFields);
    const ofTable = rows.filter(([, { writer }]) => writer === "server").map(([name]) => name);
    expect(server.sort()).toEqual(ofTable.sort());
    const writable = writableFieldsOf(CustomerSchema).filter((name) => name !== "password");
    expect(writable.sort()).toEqual([...writableFields].sort());
  });
});

test("an immutable field belongs to a message that is sent, and its error has a known reason", () => {
  const immutable = fields.filter((field) => behaviorsOf(field).includes(IMMUTABLE));
  expect(immutable.map(fullName)).toContain("CustomField.slug");
  const named = fields.filter((field) => immutableReasonOf(field) !== "");
  expect(named.filter((field) => !immutable.includes(field)).map(fullName)).toEqual([]);
  expect(named.map(immutableReasonOf).filter((reason) => !Object.hasOwn(reasons, reason))).toEqual([]);
});
