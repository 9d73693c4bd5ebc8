import { create, type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { message as messageRules, field as rulesOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { beforeAll, describe, expect, test } from "vitest";
import { form } from "../../../gen/clientele/options/v1/options_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { EventService } from "../../../gen/clientele/v1/events_pb.js";
import { services } from "../../../src/routes.js";
import { violationsIn } from "../../../src/rpc/requests/validate.js";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { importRows } from "../../support/imports.js";
import { ways } from "../../support/ways.js";

const clientele = useClientele();
let account: TestAccount;
beforeAll(async () => {
  account = await clientele.createAccount();
});

const files = [
  ...new Set(services.filter(({ typeName }) => typeName.startsWith("clientele.")).map(({ file }) => file)),
];
const messages: readonly DescMessage[] = files.flatMap((file) =>
  [...nestedTypes(file)].filter((type) => type.kind === "message"),
);
const named = (field: DescField) => `${field.parent.typeName}.${field.name}`;

/** The fields with a pattern of their own, or for their items. */
const patterned = messages
  .flatMap(({ fields }) => fields)
  .flatMap((field) => {
    if (!hasOption(field, rulesOption)) return [];
    const { type } = getOption(field, rulesOption);
    const text = type.case === "repeated" ? type.value.items?.type : type;
    const pattern = text?.case === "string" ? text.value.pattern : "";
    return pattern === "" ? [] : [{ name: named(field), field, pattern }];
  });

test("the contract has patterns, of texts and of the items of lists", () => {
  expect(patterned.length).toBeGreaterThan(12);
  expect(patterned.some(({ field }) => field.fieldKind === "list")).toBe(true);
});

test.for(patterned)("a violation of the pattern of $name says in words what is permitted", ({ field, pattern }) => {
  const message = create(field.parent);
  const wrong = " \u00a7 ";
  Reflect.set(message, field.localName, field.fieldKind === "list" ? [wrong] : wrong);
  const own = violationsIn(field.parent, message, "").filter((it) => it.field.startsWith(field.name));
  expect(own.map(({ description }) => description)).toContain(getOption(field, form));
  for (const { description } of own) {
    expect(description).not.toContain(pattern);
    expect(description).not.toMatch(/regex|expression|[\^$\\{}[\]]/);
  }
});

test("every expression of the contract has a message of its own, in words", () => {
  const rules = messages.flatMap((message) => {
    const ofFields = message.fields.flatMap((field) =>
      hasOption(field, rulesOption)
        ? getOption(field, rulesOption).cel.map((rule) => ({ at: named(field), rule }))
        : [],
    );
    const own = hasOption(message, messageRules) ? getOption(message, messageRules).cel : [];
    return [...ofFields, ...own.map((rule) => ({ at: message.typeName, rule }))];
  });
  expect(rules.length).toBeGreaterThan(5);
  const silent = rules.filter(({ rule }) => rule.message === "" || /regex|[\^$\\{}[\]]/.test(rule.message));
  expect(silent.map(({ at }) => at)).toEqual([]);
});

describe.for(ways.filter(({ name }) => /^(grpc-js on the public|Connect in JSON)/.test(name)))(
  "over $name",
  ({ open }) => {
    test.for([
      {
        at: "customer.id",
        method: CustomerService.method.createCustomer,
        request: { customer: { id: "..", email: "a@example.com" } },
        want: "must begin with a letter or a digit",
      },
      {
        at: "customer.locale",
        method: CustomerService.method.createCustomer,
        request: { customer: { email: "a@example.com", locale: "english" } },
        want: "Enter a valid locale, such as en_US.",
      },
      {
        at: "event_types[0]",
        method: EventService.method.listEvents,
        request: { eventTypes: ["Customer"] },
        want: "must be the type of an event",
      },
    ])("$at is refused in words", async ({ at, method, request, want }) => {
      const failure = await failureOf(open(clientele, account.testKey)(method, request));
      expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
      expect(failure.fields[at]).toContain(want);
      expect(JSON.stringify(failure)).not.toMatch(/regex|\[0-9\]|A-Za-z/);
    });
  },
);

describe.for([".", ".."])("the id %s", (id) => {
  const other = `other${id.length}@example.com`;

  test("is refused for a customer", async () => {
    const failure = await failureOf(account.test.customers.createCustomer({ customer: { id, email: other } }));
    expect(Object.keys(failure.fields)).toEqual(["customer.id"]);
    const found = account.test.customers.getOrCreateCustomer({ customer: { id, email: other }, lookup: 1 });
    expect(Object.keys((await failureOf(found)).fields)).toEqual(["customer.id"]);
  });

  test("is refused for a payment method", async () => {
    const { customer } = await account.test.customers.createCustomer({ customer: { email: other } });
    const attached = account.test.paymentMethods.attachPaymentMethod({
      customerId: customer!.id,
      paymentMethod: { id },
    });
    expect(await failureOf(attached)).toMatchObject({ code: "InvalidArgument" });
  });

  test("is refused in an import, for a customer and for an address", async () => {
    const place = { line1: "1 Main St", city: "Austin", state: "TX", postalCode: "78701", country: "US" };
    const rows = [
      { id, email: "b@example.com" },
      { email: "c@example.com", addresses: [{ ...place, id }] },
    ];
    const { rejections } = await importRows(clientele, account, rows);
    expect(rejections.map(({ violations }) => violations[0]!.field)).toEqual(["customer.id", "addresses[0].id"]);
  });

  test("becomes a reference where it is the id of a customer elsewhere", async () => {
    const email = `reference${id.length}@example.com`;
    const { rejections } = await importRows(clientele, account, [{ id, email }], { source: "digital-river" });
    expect(rejections).toEqual([]);
    const { customers } = await account.test.customers.listCustomers({ filter: `eq(email,${email})` });
    expect(customers[0]!.id).toMatch(/^cus_/);
    expect(customers[0]!.externalReferences).toMatchObject([{ name: "digital-river", id }]);
  });
});
