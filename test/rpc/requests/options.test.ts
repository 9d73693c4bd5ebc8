import {
  clearField,
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  isMessage,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { CreateCustomerRequestSchema, CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { services } from "../../../src/routes.js";
import { hasEffect, mayTravelInUrl } from "../../../src/rpc/calls/method-facts.js";
import { fieldsOf, leadsTo } from "../../../src/rpc/requests/plan.js";
import { quickTestOf } from "../../../src/rpc/requests/quick-tests.js";
import { subjectIn } from "../../../src/rpc/requests/subject.js";
import { requireValidRequest } from "../../../src/rpc/requests/validate.js";
import { useClientele } from "../../support/clientele.js";
import { messagesOf } from "../../support/random-messages.js";

let testKey: string;
const clientele = useClientele();
beforeAll(async () => {
  testKey = (await clientele.createAccount()).testKey;
});

const ours = services.filter(({ typeName }) => typeName.startsWith("clientele."));
const methods: readonly DescMethod[] = ours.flatMap((service) => service.methods);
const messages: readonly DescMessage[] = [...new Set(ours.map(({ file }) => file))].flatMap((file) =>
  [...nestedTypes(file)].filter((type) => type.kind === "message"),
);
const fullName = (field: DescField) => `${field.parent.typeName}.${field.name}`;

test("a method that reads says so, and no other one does", () => {
  const reads = methods.filter((method) => !hasEffect(method)).map(({ name }) => name);
  const named = methods
    .map(({ name }) => name)
    .filter((name) => /^(Get|List|Search|Preview|Watch|Export|BatchGet)(?!Or[A-Z])/.test(name));
  expect(reads.sort()).toEqual(named.sort());
});

test("every customer_id names the customer that its message is about", () => {
  const silent = messages.flatMap(fieldsOf).filter(({ name, isSubject }) => name === "customer_id" && !isSubject);
  expect(silent.map(({ field }) => fullName(field))).toEqual([]);
  const request = { customer: { id: "own-1", email: "a@example.com" } };
  expect(subjectIn(CreateCustomerRequestSchema, create(CreateCustomerRequestSchema, request))).toBe("own-1");
});

test("a message that is validated after a merge stands at the top of a request, or in one that does", () => {
  for (const { input } of methods) {
    for (const { inner, isValidatedAfterMerge } of fieldsOf(input)) {
      const leads = inner !== undefined && leadsTo(inner, (field) => field.isValidatedAfterMerge);
      expect(isValidatedAfterMerge || !leads, input.typeName).toBe(true);
    }
  }
});

test.for(methods.map((method) => ({ method, name: method.name })))(
  "the quick test of $name never passes what protovalidate refuses",
  ({ method: { input } }) => {
    const validator = createValidator();
    const quickTest = quickTestOf(input);
    fc.assert(
      fc.property(messagesOf(input, ["", "US", "name", "x".repeat(300)]), (init) => {
        const message = create(input, init);
        const passes = quickTest === undefined || quickTest(message);
        clearExempt(input, message);
        if (passes) expect(validator.validate(input, message).kind).toBe("valid");
      }),
      { numRuns: 50 },
    );
  },
);

// As a request reaches protovalidate.
function clearExempt(schema: DescMessage, message: Message): void {
  for (const { field, get, inner, shape, ...plan } of fieldsOf(schema)) {
    if (plan.isOutputOnly || plan.isValidatedAfterMerge) clearField(message, field);
    const value = inner === undefined ? undefined : get(message);
    if (inner !== undefined && isMessage(value)) clearExempt(inner, value);
    if (inner !== undefined && shape === "list") for (const item of value as Message[]) clearExempt(inner, item);
  }
}

test("an output-only field that a client sends is passed over, whatever it holds", () => {
  const message = create(CreateCustomerRequestSchema, {
    customer: { email: "a@example.com", taxIdentifiers: [{ value: "4242 4242 4242 4242\0" }] },
  });
  expect(() => requireValidRequest(CustomerService.method.createCustomer, message)).not.toThrow();
});

test.for(
  methods
    .filter((method) => method.methodKind === "unary" && !hasEffect(method))
    .map((method) => ({ method, name: method.name })),
)("a GET of $name is answered as its options say", async ({ method }) => {
  const message = Buffer.from(toBinary(method.input, create(method.input))).toString("base64url");
  const path = `/${method.parent.typeName}/${method.name}?connect=v1&encoding=proto&base64=1&message=${message}`;
  const answer = await fetch(clientele.httpUrl + path, { headers: { "api-key": testKey } });
  await answer.arrayBuffer();
  if (mayTravelInUrl(method)) expect(answer.status).not.toBe(405);
  else expect(answer.status).toBe(405);
});

test("five reads never travel in a URL", () => {
  const forbidden = methods.filter((method) => !hasEffect(method) && !mayTravelInUrl(method)).map(({ name }) => name);
  expect(forbidden.sort()).toEqual([
    "GetCheckout",
    "GetPaymentMethod",
    "ListCustomers",
    "PreviewCheckout",
    "SearchCustomers",
  ]);
});
