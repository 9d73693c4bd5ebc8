import { afterAll, beforeAll, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { plain } from "../../support/images.js";
import { createWorker, type Worker } from "../../support/jobs.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { createTaxIdentifier, getTaxIdentifier } from "../../support/tax-identifiers.js";

let now = new Date("2026-03-01T12:00:00Z");
let clients: Clients;
let worker: Worker;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
  worker = await createWorker(clientele, { clock: () => now });
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
});

const german = { type: "de_vat", value: "DE 136,695 976" };
const notFound = { reason: "RESOURCE_NOT_FOUND" };

test("a tax identifier is made alone or for a customer, and read back", async () => {
  const customer = await createCustomer(clients);
  for (const customerId of ["", customer.id]) {
    const identifier = await createTaxIdentifier(clients, customerId, german);
    expect(identifier).toMatchObject({ type: "de_vat", value: "136695976", country: "DE", customerId });
    expect(identifier.id).toMatch(/^tax_[0-9a-z]{26}$/);
    expect(identifier.createTime).toEqual(identifier.updateTime);
    expect(identifier.createTime!.seconds).toBe(BigInt(now.getTime() / 1000));
    expect(await getTaxIdentifier(clients, identifier.id)).toEqual(identifier);
  }
});

test("the same value may belong to several customers, each with a tax identifier of its own", async () => {
  const [first, second] = [await createCustomer(clients), await createCustomer(clients)];
  const made = [
    await createTaxIdentifier(clients, first.id, german),
    await createTaxIdentifier(clients, second.id, german),
  ];
  expect(made[0]!.value).toBe(made[1]!.value);
  expect(made[0]!.id).not.toBe(made[1]!.id);
});

test("output-only fields of a new tax identifier are ignored, and its country may be named", async () => {
  const given = { ...german, id: "mine", customerId: "cus_x", state: 2, etag: "mine", country: " germany " };
  const { taxIdentifier } = await clients.taxIdentifiers.createTaxIdentifier({ taxIdentifier: given });
  expect(taxIdentifier).toMatchObject({ customerId: "", country: "DE", state: 1 });
  expect(taxIdentifier!.id).toMatch(/^tax_/);
});

const wrong: { name: string; given: { type?: string; value?: string; country?: string }; field: string }[] = [
  { name: "without a type", given: { value: "1" }, field: "type" },
  { name: "without a value", given: { type: "de_vat", value: " " }, field: "value" },
  { name: "of an unknown type", given: { type: "de_ein", value: "136695976" }, field: "type" },
  { name: "of a social security number", given: { type: "us_ssn", value: "536-90-4399" }, field: "type" },
  { name: "with a wrong check digit", given: { type: "de_vat", value: "136695977" }, field: "value" },
  { name: "with a digit too few", given: { type: "de_vat", value: "13669597" }, field: "value" },
  { name: "of another type's number", given: { type: "gb_vat", value: "136695976" }, field: "value" },
  { name: "of nothing but the country", given: { type: "nl_vat", value: "NL" }, field: "value" },
  { name: "of 41 characters", given: { type: "de_vat", value: "1".repeat(41) }, field: "value" },
  { name: "of another country", given: { ...german, country: "FR" }, field: "country" },
  { name: "of no country at all", given: { ...german, country: "Atlantis" }, field: "country" },
];

test.for(wrong)("a tax identifier $name is refused", async ({ given, field }) => {
  const failure = await failureOf(clients.taxIdentifiers.createTaxIdentifier({ taxIdentifier: given }));
  expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
  expect(Object.keys(failure.fields)).toEqual([`tax_identifier.${field}`]);
  expect(failure.message).not.toMatch(/\d{6}/);
});

test("without a tax identifier the request is refused", async () => {
  expect(await failureOf(clients.taxIdentifiers.createTaxIdentifier({}))).toMatchObject({
    fields: { tax_identifier: "This field is required." },
  });
});

test("a customer has one tax identifier of a type, made or attached", async () => {
  const { id } = await createCustomer(clients);
  await createTaxIdentifier(clients, id, german);
  const taken = { code: "AlreadyExists", reason: "TAX_IDENTIFIER_TYPE_TAKEN" };
  expect(await failureOf(createTaxIdentifier(clients, id, german))).toMatchObject(taken);
  const alone = await createTaxIdentifier(clients, "", german);
  const attach = clients.taxIdentifiers.attachTaxIdentifier({ customerId: id, id: alone.id });
  expect(await failureOf(attach)).toMatchObject(taken);
  expect((await createTaxIdentifier(clients, id)).customerId).toBe(id);
});

test("a tax identifier is attached, detached, and attached to another customer", async () => {
  const [first, second] = [await createCustomer(clients), await createCustomer(clients)];
  const { id } = await createTaxIdentifier(clients);
  const attach = async (customerId: string) =>
    (await clients.taxIdentifiers.attachTaxIdentifier({ customerId, id })).taxIdentifier!;
  const attached = await attach(first.id);
  expect(attached.customerId).toBe(first.id);
  expect(await attach(first.id)).toEqual(attached);
  expect(await failureOf(attach(second.id))).toMatchObject({ reason: "TAX_IDENTIFIER_ATTACHED" });
  const stranger = clients.taxIdentifiers.detachTaxIdentifier({ customerId: second.id, id });
  expect(await failureOf(stranger)).toMatchObject(notFound);
  const { taxIdentifier } = await clients.taxIdentifiers.detachTaxIdentifier({ customerId: first.id, id });
  expect(taxIdentifier!.customerId).toBe("");
  const again = await clients.taxIdentifiers.detachTaxIdentifier({ customerId: first.id, id });
  expect(again.taxIdentifier).toEqual(taxIdentifier);
  const never = clients.taxIdentifiers.detachTaxIdentifier({ customerId: second.id, id });
  expect(await failureOf(never)).toMatchObject(notFound);
  expect((await attach(second.id)).customerId).toBe(second.id);
  const events = await clientele.db("events").where({ resource_id: id }).orderBy("position");
  expect(events.map(({ type, customer_id }) => [type, customer_id])).toEqual([
    ["tax_identifier.created", null],
    ["tax_identifier.attached", first.id],
    ["tax_identifier.detached", first.id],
    ["tax_identifier.attached", second.id],
  ]);
});

test("a repeated attach or detach answers the tax identifier, with the etag from before the first try too", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id, etag } = await createTaxIdentifier(clients);
  const { taxIdentifiers } = clients;
  const attached = await taxIdentifiers.attachTaxIdentifier({ customerId, id, etag });
  expect(await taxIdentifiers.attachTaxIdentifier({ customerId, id, etag })).toEqual(attached);
  const detach = { customerId, id, etag: attached.taxIdentifier!.etag };
  const detached = await taxIdentifiers.detachTaxIdentifier(detach);
  expect(await taxIdentifiers.detachTaxIdentifier(detach)).toEqual(detached);
});

test("a tax identifier is deleted for good, from its customer too", async () => {
  const customer = await createCustomer(clients);
  const { id } = await createTaxIdentifier(clients, customer.id);
  expect((await getCustomer(clients, customer.id)).taxIdentifiers.map((one) => one.id)).toEqual([id]);
  await clients.taxIdentifiers.deleteTaxIdentifier({ id });
  expect(await failureOf(clients.taxIdentifiers.getTaxIdentifier({ id }))).toMatchObject(notFound);
  expect(await failureOf(clients.taxIdentifiers.deleteTaxIdentifier({ id }))).toMatchObject(notFound);
  expect((await getCustomer(clients, customer.id)).taxIdentifiers).toEqual([]);
});

test("a stale etag is refused by each change", async () => {
  const customer = await createCustomer(clients);
  const { id, etag } = await createTaxIdentifier(clients);
  const stale = { reason: "ETAG_STALE" };
  const { taxIdentifiers } = clients;
  const attached = await taxIdentifiers.attachTaxIdentifier({ customerId: customer.id, id, etag });
  const request = { customerId: customer.id, id, etag };
  expect(await failureOf(taxIdentifiers.detachTaxIdentifier(request))).toMatchObject(stale);
  expect(await failureOf(taxIdentifiers.deleteTaxIdentifier({ id, etag }))).toMatchObject(stale);
  await taxIdentifiers.deleteTaxIdentifier({ id, etag: attached.taxIdentifier!.etag });
});

test("tax identifiers are listed newest first, all or those of a customer, page by page", async () => {
  const { test: own } = await clientele.createAccount();
  const customer = await createCustomer(own);
  const made = [];
  for (const [owner, type, value] of [
    [customer.id, "de_vat", "136695976"],
    ["", "de_vat", "136695976"],
    [customer.id, "us_ein", "10-0000001"],
    [customer.id, "gb_vat", "GB 980 7806 84"],
  ] as const) {
    now = new Date(now.getTime() + 1);
    made.unshift(await createTaxIdentifier(own, owner, { type, value }));
  }
  expect((await own.taxIdentifiers.listTaxIdentifiers({})).taxIdentifiers).toEqual(made);
  const first = await own.taxIdentifiers.listTaxIdentifiers({ customerId: customer.id, pageSize: 2 });
  const pageToken = first.nextPageToken;
  const second = await own.taxIdentifiers.listTaxIdentifiers({ customerId: customer.id, pageSize: 2, pageToken });
  expect([...first.taxIdentifiers, ...second.taxIdentifiers]).toEqual(made.filter((one) => one.customerId !== ""));
  expect(second.nextPageToken).toBe("");
  expect((await own.taxIdentifiers.listTaxIdentifiers({ customerId: "cus_absent" })).taxIdentifiers).toEqual([]);
});

test("every answer with a customer shows its tax identifiers, oldest first", async () => {
  const { test: own } = await clientele.createAccount();
  const { id, email } = await createCustomer(own, { shipping: { line1: "1 St", city: "Austin", country: "US" } });
  const made = [await createTaxIdentifier(own, id)];
  now = new Date(now.getTime() + 1);
  made.push(await createTaxIdentifier(own, id, german));
  const { customers, photos } = own;
  const content = await plain("png");
  const answers = [
    await customers.getCustomer({ id }),
    await customers.updateCustomer({ customer: { id, name: "Ada" } }),
    await customers.updateCustomer({ customer: { id, name: "Ada" } }),
    await customers.updateCustomer({
      customer: { id, defaultAddressId: "" },
      updateMask: { paths: ["default_address_id"] },
    }),
    await customers.updateCustomer({ customer: { id, name: "Bea" } }),
    await customers.updateCustomer({ customer: { id, name: "Bea" } }),
    await customers.getOrCreateCustomer({ customer: { email: email! } }),
    await photos.uploadPhoto({ customerId: id, content }),
    await photos.deletePhoto({ customerId: id }),
    { customer: (await customers.batchGetCustomers({ ids: [id] })).customers[0] },
    { customer: (await customers.listCustomers({})).customers[0] },
    { customer: (await customers.searchCustomers({ query: email! })).customers[0] },
    await customers.deleteCustomer({ id }),
    await customers.getCustomer({ id }),
    await customers.undeleteCustomer({ id }),
  ];
  for (const { customer } of answers) expect(customer!.taxIdentifiers).toEqual(made);
});

test("a soft deletion of the customer keeps them, and no change is possible", async () => {
  const customer = await createCustomer(clients);
  const kept = await createTaxIdentifier(clients, customer.id);
  const alone = await createTaxIdentifier(clients);
  await clients.customers.deleteCustomer({ id: customer.id });
  const { taxIdentifiers } = clients;
  const customerId = customer.id;
  const deleted = { reason: "CUSTOMER_DELETED" };
  expect(await failureOf(createTaxIdentifier(clients, customerId, german))).toMatchObject(deleted);
  expect(await failureOf(taxIdentifiers.attachTaxIdentifier({ customerId, id: alone.id }))).toMatchObject(deleted);
  expect(await failureOf(taxIdentifiers.detachTaxIdentifier({ customerId, id: kept.id }))).toMatchObject(deleted);
  expect(await failureOf(taxIdentifiers.deleteTaxIdentifier({ id: kept.id }))).toMatchObject(deleted);
  expect(await getTaxIdentifier(clients, kept.id)).toEqual(kept);
});

test("a permanent deletion of the customer deletes its tax identifiers", async () => {
  const { test: own } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const customer = await createCustomer(own);
  const gone = await createTaxIdentifier(own, customer.id);
  const alone = await createTaxIdentifier(own);
  await own.customers.deleteCustomer({ id: customer.id });
  expect(await failureOf(getTaxIdentifier(own, gone.id))).toMatchObject(notFound);
  expect(await getTaxIdentifier(own, alone.id)).toEqual(alone);
  const events = await clientele.db("events").where({ resource_id: gone.id }).orderBy("position").pluck("type");
  expect(events).toEqual(["tax_identifier.created", "tax_identifier.deleted"]);
});

test("an absent customer or tax identifier is NOT_FOUND", async () => {
  const customer = await createCustomer(clients);
  const { id } = await createTaxIdentifier(clients);
  const { taxIdentifiers } = clients;
  const calls = [
    createTaxIdentifier(clients, "cus_absent"),
    taxIdentifiers.attachTaxIdentifier({ customerId: "cus_absent", id }),
    taxIdentifiers.attachTaxIdentifier({ customerId: customer.id, id: "tax_absent" }),
    taxIdentifiers.detachTaxIdentifier({ customerId: customer.id, id: "tax_absent" }),
    taxIdentifiers.getTaxIdentifier({ id: "tax_absent" }),
    taxIdentifiers.deleteTaxIdentifier({ id: "tax_absent" }),
  ];
  for (const failure of await Promise.all(calls.map(failureOf))) expect(failure).toMatchObject(notFound);
});

test("of 50 tax identifiers of one type, made and attached at once, a customer gets one", async () => {
  const { test: own, testKey } = await clientele.createAccount();
  const callers = createCallers(clientele, testKey);
  const customer = await createCustomer(own);
  const alone = await Promise.all(callers.map((by) => createTaxIdentifier(by)));
  const { answers, failures } = await allAtOnce(callers, async (by, index) => {
    if (index % 2 === 0) return await createTaxIdentifier(by, customer.id);
    const { taxIdentifier } = await by.taxIdentifiers.attachTaxIdentifier({
      customerId: customer.id,
      id: alone[index]!.id,
    });
    return taxIdentifier!;
  });
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(49).fill("TAX_IDENTIFIER_TYPE_TAKEN"));
  expect((await getCustomer(own, customer.id)).taxIdentifiers).toEqual(answers);
});

test("of 50 customers that are given one tax identifier at once, one gets it", async () => {
  const { test: own, testKey } = await clientele.createAccount();
  const callers = createCallers(clientele, testKey);
  const customers = await Promise.all(callers.map((by) => createCustomer(by)));
  const { id } = await createTaxIdentifier(own);
  const { answers, failures } = await allAtOnce(callers, (by, index) =>
    by.taxIdentifiers.attachTaxIdentifier({ customerId: customers[index]!.id, id }),
  );
  expect(answers).toHaveLength(1);
  expect(failures.map(({ reason }) => reason)).toEqual(Array(49).fill("TAX_IDENTIFIER_ATTACHED"));
});

test("a tax identifier that is attached, detached, deleted and verified at once ends as one of them says", async () => {
  const { test: own, testKey } = await clientele.createAccount();
  const callers = createCallers(clientele, testKey, 48);
  const customer = await createCustomer(own);
  const { id } = await createTaxIdentifier(own);
  const request = { customerId: customer.id, id };
  const acts = [
    (by: Clients) => by.taxIdentifiers.attachTaxIdentifier(request),
    (by: Clients) => by.taxIdentifiers.detachTaxIdentifier(request),
    (by: Clients) => getCustomer(by, customer.id),
    (by: Clients, index: number) =>
      index < 40 ? worker.run("verify_tax_identifiers") : by.taxIdentifiers.deleteTaxIdentifier({ id }),
  ];
  const { failures } = await allAtOnce<Clients, unknown>(callers, (by, index) => acts[index % 4]!(by, index));
  expect(failures.map(({ reason }) => reason).filter((reason) => !/NOT_FOUND|CONFLICT/.test(reason))).toEqual([]);
  const events = await clientele.db("events").where({ resource_id: id }).orderBy("position").pluck("type");
  expect(events.filter((type) => type === "tax_identifier.verified").length).toBeLessThanOrEqual(1);
  const { taxIdentifiers } = await getCustomer(own, customer.id);
  const isAttached = events.findLast((type) => /attached|detached|deleted/.test(type)) === "tax_identifier.attached";
  expect(taxIdentifiers.map((one) => one.id)).toEqual(isAttached ? [id] : []);
});
