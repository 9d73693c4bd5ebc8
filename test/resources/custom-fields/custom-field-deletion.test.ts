import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type CustomField,
  type CustomFieldSchema,
  CustomFieldType,
} from "../../../gen/clientele/v1/custom_fields_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";

type FieldInit = Exclude<MessageInitShape<typeof CustomFieldSchema>, { readonly $typeName: string }>;

const { STRING, INTEGER } = CustomFieldType;
const day = 24 * 60 * 60 * 1000;

let now = new Date("2026-03-01T12:00:00Z");
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});

let made = 0;

async function define(field: FieldInit = {}, on = clients): Promise<CustomField> {
  const customField = { slug: `field_${++made}`, name: "Tier", type: STRING, ...field };
  return (await on.customFields.createCustomField({ customField })).customField!;
}

describe("a definition that was deleted", () => {
  async function deletedField(own: Clients, field: FieldInit = {}) {
    const definition = await define(field, own);
    const customer = await createCustomer(own, { customFields: { [definition.slug]: "gold" } });
    await own.customFields.deleteCustomField({ id: definition.id });
    return { definition, customer, again: { slug: definition.slug, name: "Again", type: definition.type } };
  }

  test("hides its values, and comes back with them under its old id when it is made again", async () => {
    const { definition, customer, again } = await deletedField(clients);
    expect((await getCustomer(clients, customer.id)).customFields).not.toHaveProperty(definition.slug);
    // What nobody sees stays through updates, of everything too.
    const everything = { customer: { id: customer.id, email: customer.email! }, updateMask: { paths: ["*"] } };
    await clients.customers.updateCustomer(everything);
    now = new Date(now.getTime() + 30 * day - 1);
    const { customField, restored } = await clients.customFields.createCustomField({ customField: again });
    expect(restored).toBe(true);
    expect(customField).toMatchObject({ id: definition.id, name: "Again" });
    expect((await getCustomer(clients, customer.id)).customFields).toEqual({ [definition.slug]: "gold" });
  });

  test("does not come back after 30 days", async () => {
    const { definition, customer, again } = await deletedField(clients);
    now = new Date(now.getTime() + 30 * day);
    const { customField, restored } = await clients.customFields.createCustomField({ customField: again });
    expect(restored).toBe(false);
    expect(customField!.id).not.toBe(definition.id);
    expect((await getCustomer(clients, customer.id)).customFields).not.toHaveProperty(definition.slug);
  });

  test("does not come back as another type, and its values are not taken for such", async () => {
    const { definition, customer, again } = await deletedField(clients);
    const other = { ...again, type: INTEGER };
    expect((await clients.customFields.createCustomField({ customField: other })).restored).toBe(false);
    expect((await getCustomer(clients, customer.id)).customFields).not.toHaveProperty(definition.slug);
    const customFields = { [definition.slug]: 5 };
    const { customer: updated } = await clients.customers.updateCustomer({
      customer: { id: customer.id, customFields },
    });
    expect(updated!.customFields).toEqual(customFields);
  });
});
