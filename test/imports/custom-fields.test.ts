import { expect, test } from "vitest";
import { CustomFieldType } from "../../gen/clientele/v1/custom_fields_pb.js";
import { type TestAccount, useClientele } from "../support/clientele.js";
import { exportRows, importRows } from "../support/imports.js";

const clientele = useClientele();

// Each tenant stores values by ids of its own.
async function shop(): Promise<TestAccount> {
  const account = await clientele.createAccount();
  const define = async (slug: string, type: CustomFieldType, more = {}) =>
    await account.test.customFields.createCustomField({ customField: { slug, name: slug, type, ...more } });
  await define("tier", CustomFieldType.STRING, { defaultValue: { kind: { case: "stringValue", value: "silver" } } });
  await define("shoe", CustomFieldType.INTEGER, { required: true });
  return account;
}

test("values of custom fields are imported by the rules of the API, and exported by slug", async () => {
  const [first, second] = [await shop(), await shop()];
  const rows = [
    { id: "ada", email: "ada@example.com", customFields: { tier: "gold", shoe: 38 } },
    { id: "bea", email: "bea@example.com", customFields: { shoe: 40 } },
    { id: "cleo", email: "cleo@example.com" },
    { id: "dora", email: "dora@example.com", customFields: { shoe: "large" } },
    { id: "eve", email: "eve@example.com", customFields: { shoe: 1, nobody: 1 } },
  ];
  const { done, rejections } = await importRows(clientele, first, rows);
  expect(done).toMatchObject({ imported: 2, rejected: 3 });
  expect(rejections.map(({ line, violations }) => [line, violations])).toEqual([
    [3, [{ field: "customer.custom_fields.shoe", description: "This field is required." }]],
    [4, [{ field: "customer.custom_fields.shoe", description: "must be a whole number" }]],
    [5, [{ field: "customer.custom_fields.nobody", description: "is no custom field in use" }]],
  ]);
  const exported = await exportRows(clientele, first);
  expect(exported.map(({ id, customFields }) => [id, customFields])).toEqual([
    ["ada", { tier: "gold", shoe: 38 }],
    ["bea", { tier: "silver", shoe: 40 }],
  ]);
  await importRows(clientele, second, exported);
  const { customer } = await second.test.customers.getCustomer({ id: "ada" });
  expect(customer!.customFields).toEqual({ tier: "gold", shoe: 38 });
});
