import { create, type DescField, type DescMessage, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { beforeAll, expect, test } from "vitest";
import { CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import { services } from "../../../src/routes.js";
import { isOutputOnly } from "../../../src/rpc/requests/plan.js";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";

let account: TestAccount;
const clientele = useClientele();
beforeAll(async () => {
  account = await clientele.createAccount();
});

const methods: readonly DescMethod[] = services
  .filter(({ typeName }) => typeName.startsWith("clientele."))
  .flatMap((service) => service.methods)
  .filter(({ methodKind }) => methodKind === "unary");
const cases = methods.flatMap((method) =>
  listsIn(method.input).map((path) => ({ method, path, name: path.map(({ name }) => name).join(".") })),
);

test("there are list methods to try", () => expect(cases.length).toBeGreaterThan(15));

test.for(cases)("$method.name refuses a $name without end, at once", async ({ method, path, name }) => {
  const message = create(method.input);
  let at = reflect(method.input, message);
  for (const field of path) {
    if (field.fieldKind === "list") fill(at, field);
    else {
      const inner = reflect(field.message!);
      at.set(field, inner);
      at = inner;
    }
  }
  const answer = await fetch(`${clientele.httpUrl}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: { "content-type": "application/proto", "api-key": account.testKey },
    body: Buffer.from(toBinary(method.input, message)),
  });
  const failure = JSON.stringify(await answer.json());
  expect(failure).toContain("must contain no more than");
  expect(failure).toContain(`"field":"${name}"`);
});

test("a list within a list is refused, too", async () => {
  const type = CustomFieldType.STRING;
  const values = Array.from({ length: 5_000 }, () => "");
  const kind = { case: "stringEnum", value: { values } } as const;
  const customField = { slug: "a", type, rules: [{}, { kind }] };
  const failure = await failureOf(account.test.customFields.createCustomField({ customField }));
  expect(failure.fields).toEqual({
    "custom_field.rules[1].string_enum.values": "must contain no more than 100 item(s)",
  });
});

function fill(message: ReflectMessage, field: DescField & { fieldKind: "list" }): void {
  const items = message.get(field);
  const item = () => (field.listKind === "message" ? reflect(field.message) : "");
  for (let count = 0; count < 5_000; count += 1) items.add(item());
}

// The first list on each way into a message.
function listsIn(schema: DescMessage): DescField[][] {
  return schema.fields.flatMap((field) => {
    if (isOutputOnly(field)) return [];
    if (field.fieldKind === "list") return [[field]];
    if (field.fieldKind !== "message" || field.message.typeName.startsWith("google.protobuf.")) return [];
    return listsIn(field.message).map((rest) => [field, ...rest]);
  });
}
