import { describe, expect, test } from "vitest";
import { EmailMutability, SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { CustomFieldType } from "../../../gen/clientele/v1/custom_fields_pb.js";
import type { FormConstraints } from "../../../gen/clientele/v1/forms_pb.js";
import { type Clients, clientsOn, transports, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { changeSettings } from "../../support/settings.js";

const { STRING, INTEGER } = CustomFieldType;

const clientele = useClientele();

async function constraintsOf({ forms }: Clients): Promise<FormConstraints> {
  return (await forms.getFormConstraints({})).constraints!;
}

async function define(on: Clients, slug: string, type: CustomFieldType, more = {}): Promise<void> {
  await on.customFields.createCustomField({ customField: { slug, name: slug, type, ...more } });
}

describe("the answer says", () => {
  test("the required fields, the lengths of texts, and their patterns", async () => {
    const { test: own } = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
    const { customerFields, addressFields } = await constraintsOf(own);
    expect(customerFields.map(({ name }) => name)).toEqual([
      "email",
      "name",
      "first_name",
      "last_name",
      "display_name",
      "phone",
      "country",
      "locale",
    ]);
    expect(customerFields.filter((field) => field.required).map(({ name }) => name)).toEqual(["email"]);
    expect(customerFields[0]).toMatchObject({ maxLength: 254, immutable: true });
    expect(customerFields[0]!.pattern).toContain("@");
    expect(addressFields.filter((field) => field.required).map(({ name }) => name)).toEqual([
      "line1",
      "city",
      "state",
      "postal_code",
      "country",
    ]);
    const limits = Object.fromEntries(addressFields.map(({ name, maxLength }) => [name, maxLength]));
    expect(limits).toMatchObject({ line1: 200, instructions: 500, "additional_address_info.phonetic_name": 200 });
  });

  test("the permitted countries, by name, with their states and postal codes", async () => {
    const { test: own } = await clientele.createAccount(SettingsPreset.SIMPLE_CHECKOUT);
    const { countries } = await constraintsOf(own);
    expect(countries.map(({ code, name }) => [code, name])).toEqual([["US", "United States"]]);
    const texas = countries[0]!.states.find(({ code }) => code === "TX")!;
    expect(texas.name).toBe("Texas");
    expect("77002").toMatch(new RegExp(countries[0]!.postalCodePattern, "u"));
    expect("77002").toMatch(new RegExp(texas.postalCodePattern, "u"));
    expect("10001").not.toMatch(new RegExp(texas.postalCodePattern, "u"));
    const { test: open } = await clientele.createAccount();
    const all = (await constraintsOf(open)).countries;
    expect(all).toHaveLength(250);
    expect(all.find(({ code }) => code === "US")).toMatchObject({
      statePattern: "",
      postalCodePattern: expect.stringContaining("\\d{5}"),
    });
    // What is only known, and not certain, refuses nothing.
    expect(all.find(({ code }) => code === "CR")).toMatchObject({
      name: "Costa Rica",
      postalCodePattern: "^[^\\p{Cc}]{1,20}$",
    });
  });

  test("expressions that JavaScript and RE2 read alike", async () => {
    const { test: own } = await clientele.createAccount();
    const { customerFields, addressFields, countries } = await constraintsOf(own);
    const ofCountries = countries.flatMap(({ states, statePattern, postalCodePattern }) => {
      return [statePattern, postalCodePattern, ...states.map((state) => state.postalCodePattern)];
    });
    const patterns = [...customerFields, ...addressFields].map(({ pattern }) => pattern).concat(ofCountries);
    expect(patterns.length).toBeGreaterThan(1000);
    for (const pattern of patterns) {
      expect(() => new RegExp(pattern, "u"), pattern).not.toThrow();
      // What RE2 lacks: looking around, and references back.
      expect(pattern).not.toMatch(/\(\?[=!<]|\\[1-9]|\\k/);
    }
  });

  test("the custom fields, for shoppers only those that they may write", async () => {
    const { test: own } = await clientele.createAccount();
    await define(own, "rating", INTEGER, { position: 2 });
    const rules = [{ kind: { case: "slug", value: {} } }];
    await define(own, "handle", STRING, { position: 1, writableByCustomer: true, rules });
    await define(own, "old", STRING, { enabled: false });
    const { customFields } = await constraintsOf(own);
    expect(customFields.map(({ customField }) => customField!.slug)).toEqual(["handle", "rating"]);
    expect(customFields[0]).toMatchObject({ maxLength: 1000, patterns: [expect.stringContaining("a-z0-9")] });
    const { secret } = await own.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } });
    const page = clientsOn(transports["Connect in binary"]!(clientele, secret));
    const shown = (await constraintsOf(page)).customFields;
    expect(shown.map(({ customField }) => customField!.slug)).toEqual(["handle"]);
  });

  test("the limits of a photo, and the number of addresses", async () => {
    const { test: own } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
    expect(await constraintsOf(own)).toMatchObject({
      maxAddresses: 3,
      photo: { contentTypes: ["image/jpeg", "image/png"], maxBytes: 5_242_880, maxPixels: 40_000_000 },
    });
  });

  test("how short and how long a password may be", async () => {
    const { test: own } = await clientele.createAccount();
    const { minLength, maxBytes } = (await constraintsOf(own)).password!;
    const create = (password: string) => createCustomer(own, { password });
    expect((await create("\u{1f600}".repeat(minLength))).hasPassword).toBe(true);
    expect((await create("p".repeat(maxBytes))).hasPassword).toBe(true);
    for (const password of ["p".repeat(minLength - 1), "p".repeat(maxBytes + 1)]) {
      expect(Object.keys((await failureOf(create(password))).fields)).toEqual(["customer.password"]);
    }
  });

  test("only the etag for a client that has the constraints already, until a setting or a field changes", async () => {
    const { test: own } = await clientele.createAccount();
    const first = await own.forms.getFormConstraints({});
    expect(await own.forms.getFormConstraints({ etag: first.etag })).toMatchObject({ etag: first.etag });
    expect((await own.forms.getFormConstraints({ etag: first.etag })).constraints).toBeUndefined();
    await changeSettings(own, { emailMutability: EmailMutability.IMMUTABLE });
    const second = await own.forms.getFormConstraints({ etag: first.etag });
    expect(second.constraints!.customerFields[0]!.immutable).toBe(true);
    await define(own, "handle", STRING);
    const third = await own.forms.getFormConstraints({ etag: second.etag });
    expect(third.constraints!.customFields).toHaveLength(1);
  });
});
