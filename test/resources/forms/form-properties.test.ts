import type { JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FormConstraints } from "../../../gen/clientele/v1/forms_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { codes, customValues, filled, home, person, places, rulesOf } from "../../support/form-cases.js";
import { addressFaults, customerFaults, type Texts } from "../../support/forms.js";

const clientele = useClientele();

interface Scene {
  readonly own: Clients;
  readonly form: FormConstraints;
  readonly customerId: string;
}

// Random settings, and custom fields of every type of which some are required and some have a default.
async function newScene(seed: number): Promise<Scene> {
  const { test: own } = await clientele.createAccount();
  const [draw] = fc.sample(
    fc.record({
      requiredCustomerFields: fc.subarray(["email", "name", "first_name", "phone", "country", "locale"]),
      requiredAddressFields: fc.subarray(["name", "line1", "city", "country", "phone"]),
      allowedCountries: fc.oneof(
        fc.constant<string[]>([]),
        fc.subarray(codes).map((some) => [...new Set(["US", ...some])]),
      ),
      required: fc.subarray(Object.keys(rulesOf), { maxLength: 2 }),
    }),
    { numRuns: 1, seed },
  );
  const { required, ...settings } = draw!;
  const { id: customerId } = await createCustomer(own);
  await own.accounts.updateAccountSettings({
    settings,
    updateMask: { paths: ["required_customer_fields", "required_address_fields", "allowed_countries"] },
    acceptViolations: true,
  });
  for (const [slug, [type, rule]] of Object.entries(rulesOf)) {
    const hasDefault = slug === "tier" && seed % 2 === 0;
    const defaultValue = { kind: { case: "stringValue" as const, value: "silver" } };
    const rules = rule === undefined ? [] : [{ kind: rule }];
    const more = { rules, required: required.includes(slug), ...(hasDefault && { defaultValue }) };
    await own.customFields.createCustomField({ customField: { slug, name: slug, type, ...more } });
  }
  return { own, form: (await own.forms.getFormConstraints({})).constraints!, customerId };
}

/** What the service answered; undefined if it refused the input. */
async function accepted<Answer>(call: Promise<Answer>): Promise<Answer | undefined> {
  return await call.catch((error: unknown) => {
    expect(ConnectError.from(error).code).toBe(Code.InvalidArgument);
    return undefined;
  });
}

// Only the service can know that.
function unlessTaken(error: unknown): "taken" {
  if (ConnectError.from(error).code === Code.AlreadyExists) return "taken";
  throw error;
}

// The message of texts by path, and back.
function nested(texts: Texts): JsonObject {
  const message: JsonObject = {};
  for (const [path, text = ""] of Object.entries(texts)) {
    const [name = "", inner] = path.split(".").map(camelCase);
    if (inner === undefined) message[name] = text;
    else message[name] = { ...(message[name] as JsonObject | undefined), [inner]: text };
  }
  return message;
}

function textsIn(message: object, names: readonly string[]): Record<string, string | undefined> {
  const texts = names.map((name) => {
    const path = name.split(".").map(camelCase);
    const value = path.reduce<unknown>((inner, key) => Object(inner)[key], message);
    return [name, typeof value === "string" ? value : undefined];
  });
  return Object.fromEntries(texts);
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const numRuns = 150;

describe.for([1, 2, 3, 4])("by the random settings no. %i", { timeout: 120_000 }, (seed) => {
  test("a customer within the answered constraints is accepted, and one outside is refused or normalised", async () => {
    const { own, form } = await newScene(seed);
    const names = form.customerFields.map(({ name }) => name);
    const right = fc.constant(person).map((texts) => ({ ...texts, email: newEmail() }));
    let [allowed, refused] = [0, 0];
    const check = async (texts: Texts, customFields: JsonObject) => {
      const faults = customerFaults(form, texts, customFields);
      const call = own.customers.createCustomer({ customer: { ...nested(texts), customFields } });
      const answer = await accepted(call.catch(unlessTaken));
      if (answer === "taken") return;
      if (answer === undefined) {
        expect(faults).not.toEqual([]);
        refused += 1;
        return;
      }
      if (faults.length === 0) allowed += 1;
      const customer = answer.customer!;
      // What it is called is always said.
      const kept = { ...textsIn(customer, names), display_name: texts.display_name };
      expect(customerFaults(form, kept, customer.customFields!)).toEqual([]);
    };
    await fc.assert(fc.asyncProperty(filled(names, right), customValues, check), { numRuns, seed });
    expect(Math.min(allowed, refused)).toBeGreaterThan(10);
  });

  test("an address within the answered constraints is accepted, and one outside is refused or normalised", async () => {
    const { own, form, customerId } = await newScene(seed);
    const names = form.addressFields.map(({ name }) => name);
    const { locale: _, ...contact } = person;
    const within = places.filter((at) => form.countries.some(({ code }) => code === at.country));
    const right = fc.constantFrom(...within).map((at) => ({ ...contact, ...home, ...at }));
    let [allowed, refused] = [0, 0];
    const check = async (texts: Texts) => {
      const faults = addressFaults(form, texts);
      const answer = await accepted(own.addresses.createAddress({ customerId, address: nested(texts) }));
      if (answer === undefined) {
        expect(faults).not.toEqual([]);
        refused += 1;
        return;
      }
      if (faults.length === 0) allowed += 1;
      expect(addressFaults(form, textsIn(answer.address!, names))).toEqual([]);
    };
    await fc.assert(fc.asyncProperty(filled(names, right), check), { numRuns, seed });
    expect(Math.min(allowed, refused)).toBeGreaterThan(10);
  });
});
