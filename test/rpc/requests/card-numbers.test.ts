import { Writable } from "node:stream";
import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { pino } from "pino";
import { beforeAll, expect, test, vi } from "vitest";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { holdsCardNumber } from "../../../src/formats/card-numbers.js";
import { eventId } from "../../../src/resources/events/convert.js";
import type { EventRow } from "../../../src/resources/events/log-store.js";
import { errorForLog } from "../../../src/rpc/log.js";
import { cardNumbers, otherDigits } from "../../support/card-numbers.js";
import { type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { createCustomer, newEmail } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { plain } from "../../support/images.js";
import { importRows } from "../../support/imports.js";
import { formOf, formPoster } from "../../support/photos.js";
import { messagesOf } from "../../support/random-messages.js";
import { casesOf, methods } from "../../support/scenario.js";
import { dump } from "../../support/snapshot.js";
import { spotsOf } from "../../support/text-spots.js";
import { overFetch } from "../../support/ways.js";

const number = "4242 4242 4242 4242";
// Eight digits, because a random trace id may well hold four.
const anyCard = /(4242[ -]?){2}/;
const given = { code: "InvalidArgument", reason: "CARD_NUMBER_GIVEN" };

let log = "";
const logger = pino(
  { level: "trace", base: null, serializers: { error: errorForLog, err: errorForLog } },
  new Writable({
    write(chunk, _encoding, done) {
      log += chunk;
      done();
    },
  }),
);

let account: TestAccount;
const clientele = useClientele({ logger });
beforeAll(async () => {
  account = await clientele.createAccount();
});

function call(method: DescMethodUnary, request: Record<string, unknown>, headers = {}): Promise<unknown> {
  const transport = transports["Connect in binary"]!(clientele, account.testKey);
  return transport.unary(method, undefined, undefined, headers, create(method.input, request));
}

// What is hashed at once, or kept only if its check digits are right.
const exempt = /(^|\.)(\w*password|code|code_verifier|nonce|\w*secret)$|tax_identifiers?(\[0\])?\.value$/;
const planted = casesOf(methods).flatMap(({ name, method }) =>
  spotsOf(method.input)
    .filter(({ path }) => !exempt.test(path))
    .map((spot) => ({ at: `${name} ${spot.path}`, method, ...spot })),
);

test.for(planted)("the number of a card is refused in $at", async ({ method, path, init }) => {
  const failure = await failureOf(call(method, init(number)));
  expect(failure).toMatchObject(given);
  expect(Object.keys(failure.fields)).toEqual([path]);
  expect(JSON.stringify(failure)).not.toMatch(anyCard);
});

test.for(casesOf(methods))(
  "any number of a card in any text of $name is refused, and in no log",
  async ({ method }) => {
    const spots = spotsOf(method.input).filter(({ path }) => !exempt.test(path) && !/phone$/.test(path));
    if (spots.length === 0) return;
    const requests = fc.record({
      base: messagesOf(method.input, ["US", "name"]),
      spot: fc.constantFrom(...spots),
      text: cardNumbers,
    });
    const refused = async ({ base, spot, text }: { base: object; spot: (typeof spots)[number]; text: string }) => {
      log = "";
      const failure = await failureOf(call(method, merged(base, spot.init(text))));
      expect(failure).toMatchObject(given);
      expect(failure.fields).toHaveProperty([spot.path]);
      await vi.waitFor(() => expect(log).toContain("CARD_NUMBER_GIVEN"));
      for (const told of [JSON.stringify(failure), log]) expect(told.replace(/\D/g, "")).not.toContain(digitsOf(text));
    };
    await fc.assert(fc.asyncProperty(requests, refused), { numRuns: 10 });
  },
);

function digitsOf(text: string): string {
  return text.replace(/\D/g, "");
}

// As deep as both are objects; else the second one's.
function merged(base: unknown, over: unknown): Record<string, unknown> {
  const both = { ...Object(base) };
  for (const [key, value] of Object.entries(Object(over))) {
    const inner =
      typeof value === "object" && !Array.isArray(value) && typeof both[key] === "object" && !("case" in Object(value));
    both[key] = inner ? merged(both[key], value) : value;
  }
  return both;
}

test("other digits are kept, wherever they stand", async () => {
  const { id } = await createCustomer(account.test);
  const keeps = async (digits: string) => {
    const name = `No. ${digits}`;
    const metadata = { note: digits, [digits]: [digits] };
    const { customer } = await account.test.customers.updateCustomer({
      customer: { id, name, metadata },
      updateMask: { paths: ["name", "metadata"] },
    });
    expect(customer).toMatchObject({ name, metadata });
  };
  await fc.assert(
    fc.asyncProperty(otherDigits, (digits) => keeps(digits)),
    { numRuns: 30 },
  );
});

test("numbers of JSON are refused where they are those of cards, and times are kept", async () => {
  const save = (metadata: { at: number }) => createCustomer(account.test, { metadata });
  expect(await failureOf(save({ at: 4242424242424242 }))).toMatchObject(given);
  for (let second = 0; second < 20; second++) await save({ at: 1_764_000_000_000 + second * 1000 });
});

const kept = [
  { name: "a telephone number that passes the check", customer: { phone: "+5511987654325" } },
  { name: "a UUID of digits", customer: { metadata: { id: "42424242-4242-4242-8242-424242424242" } } },
  { name: "a hexadecimal id", customer: { externalReferences: [{ name: "mongo", id: "4242424242424242abcdefab" }] } },
];

test.for(kept)("$name is kept", async ({ customer }) => {
  expect(await createCustomer(account.test, customer)).toMatchObject(customer);
});

test("a filter may name a telephone number that passes the check, but no number of a card", async () => {
  const email = newEmail();
  const phones = ["+4915112345678", "+5511987654325"];
  for (const phone of phones) await createCustomer(account.test, { phone, metadata: { email } });
  const list = (filter: string) => account.test.customers.listCustomers({ filter });
  const of = (clause: string) => `${clause}:eq(metadata.email,${email})`;
  expect((await list(of(`eq(phone,${phones[0]})`))).customers.map(({ phone }) => phone)).toEqual([phones[0]]);
  expect((await list(of(`in(phone, "${phones[0]}", ${phones[1]})`))).customers).toHaveLength(2);
  expect((await list(of(`like(phone,${phones[1]}*)`))).customers.map(({ phone }) => phone)).toEqual([phones[1]]);
  const refused = [`eq(phone,${number})`, 'eq(phone,"378282246310005")', "eq(name,378282246310005)"];
  refused.push(`eq(phone,${phones[0]}):eq(name,${number})`);
  for (const filter of refused) expect(await failureOf(list(filter))).toMatchObject(given);
});

test("a generated id is a name, whatever digits it holds", async () => {
  const customerId = "cus_01h4242424242424242xyzabcd";
  const absent = { code: "NotFound", reason: "RESOURCE_NOT_FOUND" };
  expect(await failureOf(account.test.customers.getCustomer({ id: customerId }))).toMatchObject(absent);
  expect(
    await failureOf(account.test.customers.updateCustomer({ customer: { id: customerId, name: "Ada" } })),
  ).toMatchObject(absent);
});

test("an id of an event is one, whatever digits meet in it", async () => {
  const eventOf = (number: number): string =>
    eventId({ tenant_id: "ten_01m89q1v4se5jscn4jj23pxy50", id: number, create_time: new Date(0) } as EventRow);
  const ids = Array.from({ length: 1_000 }, (_, number) => eventOf(number)).filter((id) => holdsCardNumber(id));
  expect(ids.length).toBeGreaterThan(5);
  for (const id of ids.slice(0, 5)) {
    expect(await failureOf(account.test.events.getEvent({ id }))).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
  }
  const hiding = `evt_01m89q1v4se5jscn4jj23p5xyz4242424242424242abcdefgh`;
  expect(await failureOf(account.test.events.getEvent({ id: hiding }))).toMatchObject(given);
});

test("the prefix of a token does not hide the number of a card", async () => {
  const { id } = await createCustomer(account.test);
  for (const token of ["cct_sandbox_4242424242424242", "tok-4242424242424242", "4242424242424242_x"]) {
    const attached = account.test.paymentMethods.attachPaymentMethod({ customerId: id, paymentMethod: { id: token } });
    expect(await failureOf(attached)).toMatchObject({
      ...given,
      fields: { "payment_method.id": expect.any(String) },
    });
    expect(await failureOf(createCustomer(account.test, { defaultPaymentMethodId: token }))).toMatchObject(given);
  }
});

test("a time in an e-mail address or a text is kept", async () => {
  for (let second = 0; second < 20; second++) {
    const at = 1_764_000_000_000 + second * 1000;
    const customer = { email: `shopper+${at}@example.com`, name: `Shopper ${at}`, metadata: { at: String(at) } };
    expect(await createCustomer(account.test, customer)).toMatchObject(customer);
  }
});

test("an id that the caller chooses is a text", async () => {
  for (const id of ["4242424242424242", "card-4242424242424242"]) {
    expect(await failureOf(createCustomer(account.test, { id }))).toMatchObject({
      ...given,
      fields: { "customer.id": expect.any(String) },
    });
  }
});

test("an Idempotency-Key with the number of a card is refused, and kept nowhere", async () => {
  const create = (key: string) =>
    call(CustomerService.method.createCustomer, { customer: { email: newEmail() } }, { "idempotency-key": key });
  const failure = await failureOf(create("pay-4242424242424242"));
  expect(failure).toMatchObject({ ...given, fields: { "idempotency-key": expect.any(String) } });
  await create("42424242-4242-4242-8242-424242424242");
  const now = 1_764_000_000_000;
  for (let second = 0; second < 20; second++) await create(`sign-up-${now + second * 1000}`);
  expect(await dump(clientele.db)).not.toContain("pay-4242");
});

const unreadable = [
  { name: "as a boolean", request: { customer: { enabled: number } } },
  { name: "as an enum", request: { customer: { type: number } } },
  { name: "as a message", request: { customer: number } },
  { name: "as the name of a field", request: { customer: { [number]: 1 } } },
  { name: "as a mask", request: { customer: {}, updateMask: number } },
];

test.for(unreadable)("JSON that cannot be read is refused without its values: $name", async ({ request }) => {
  log = "";
  const answer = overFetch(clientele.httpUrl, account.testKey)(CustomerService.method.updateCustomer, request);
  const failure = await failureOf(answer);
  await vi.waitFor(() => expect(log).toContain("UpdateCustomer"));
  expect(JSON.stringify(failure) + log).not.toMatch(anyCard);
});

test("a form for the number of a card as a customer is refused, and in no log", async () => {
  log = "";
  const poster = formPoster(clientele, account);
  const failure = await failureOf(poster.post("4242424242424242", formOf(await plain("png"))));
  expect(failure).toMatchObject(given);
  await vi.waitFor(() => expect(log).toContain("CARD_NUMBER_GIVEN"));
  expect(JSON.stringify(failure) + log).not.toMatch(anyCard);
});

const rows = [
  { name: "a name", row: { name: `Ada ${number}` }, field: "customer.name" },
  { name: "metadata", row: { metadata: { a: [number] } }, field: "customer.metadata.a[0]" },
  { name: "a key of metadata", row: { metadata: { [number]: 1 } }, field: "customer.metadata" },
  { name: "an id", row: { id: "4242424242424242" }, field: "customer.id" },
  { name: "an address", row: { addresses: [{ line1: number }] }, field: "addresses[0].line1" },
  { name: "an unknown field", row: { "4242424242424242": 1 }, field: "customer", reason: "FIELDS_INVALID" },
  { name: "a wrong type", row: { enabled: number }, field: "customer.enabled", reason: "FIELDS_INVALID" },
];

test("an import rejects rows with numbers of cards, and repeats none", async () => {
  const lines = rows.map(({ row }) => ({ email: newEmail(), ...row }));
  const { done, rejections } = await importRows(clientele, account, lines);
  expect(done).toMatchObject({ imported: 0, rejected: rows.length });
  expect(rejections.map(({ reason, violations }) => [reason, violations[0]?.field])).toEqual(
    rows.map(({ field, reason = "CARD_NUMBER_GIVEN" }) => [reason, field]),
  );
  expect(JSON.stringify(rejections)).not.toMatch(anyCard);
});

test("after all this the database holds no number of a card", async () => {
  expect(
    await failureOf(account.test.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.SECRET, label: number } })),
  ).toMatchObject(given);
  const everything = await dump(clientele.db);
  for (const text of [number, "card-4242", "pay-4242"]) expect(everything).not.toContain(text);
});
