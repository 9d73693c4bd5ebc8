import type { MessageInitShape } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { type TaxCertificateSchema, TaxCertificateState } from "../../../gen/clientele/v1/tax_certificates_pb.js";
import { type Clients, clientsOn, type TestAccount, transports, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { plain } from "../../support/images.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { certificate, createByCall, formOf, partsOf, pdfOf, postForm } from "../../support/tax-certificates.js";

const maxFileBytes = 10_485_760;
const { PENDING, ACTIVE, LAPSED } = TaxCertificateState;

let now = new Date("2026-03-01T12:00:00Z");
let account: TestAccount;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  account = await clientele.createAccount();
  clients = account.test;
});

type Init = MessageInitShape<typeof TaxCertificateSchema>;

// All of them must agree.
const uploads = [
  {
    name: "a call",
    upload: (id: string, content: Buffer, overrides?: Init) => createByCall(clients, id, content, overrides),
  },
  {
    name: "a form",
    upload: (id: string, content: Buffer, overrides?: Init) =>
      postForm(clientele, account, id, formOf(content, overrides)),
  },
];

const files = [
  { contentType: "application/pdf", make: async () => pdfOf(100) },
  { contentType: "image/png", make: () => plain("png") },
  { contentType: "image/jpeg", make: () => plain("jpeg") },
];

async function fileOf(customerId: string, id: string, { taxCertificates }: Clients = clients) {
  const [first, ...others] = await partsOf(taxCertificates.getTaxCertificateFile({ customerId, id }));
  for (const part of others) expect(part).toMatchObject({ contentType: "", fileSize: 0 });
  const content = Buffer.concat([first!, ...others].map((part) => part.content));
  expect(first!.fileSize).toBe(content.length);
  return { contentType: first!.contentType, content };
}

describe.for(uploads)("a tax certificate uploaded by $name", ({ upload }) => {
  test.for(files)("is kept with its $contentType, byte by byte", async ({ contentType, make }) => {
    const { id: customerId } = await createCustomer(clients);
    const content = await make();
    const made = await upload(customerId, content);
    expect(made).toMatchObject({ ...certificate, customerId, contentType, fileSize: content.length, state: ACTIVE });
    expect(made.id).toMatch(/^txc_[0-9a-z]{26}$/);
    expect(made.createTime!.seconds).toBe(BigInt(now.getTime() / 1000));
    const { taxCertificate } = await clients.taxCertificates.getTaxCertificate({ customerId, id: made.id });
    expect(taxCertificate).toEqual(made);
    expect(await fileOf(customerId, made.id)).toEqual({ contentType, content });
  });

  test("may have 10 MB, and not a byte more", async () => {
    const { id: customerId } = await createCustomer(clients);
    const content = pdfOf(maxFileBytes);
    const { id } = await upload(customerId, content);
    expect((await fileOf(customerId, id)).content.equals(content)).toBe(true);
    expect(await failureOf(upload(customerId, pdfOf(maxFileBytes + 1)))).toMatchObject({
      code: "InvalidArgument",
      reason: "TAX_CERTIFICATE_FILE_TOO_LARGE",
      fields: { content: "The file must be at most 10485760 bytes." },
    });
  });

  test.for([
    { name: "a GIF", make: () => plain("gif") },
    { name: "text", make: async () => Buffer.from("I am exempt.") },
    { name: "HTML", make: async () => Buffer.from("<!doctype html><script>alert(1)</script>") },
    { name: "one byte", make: async () => Buffer.from("%") },
    { name: "what is a PDF further down", make: async () => Buffer.concat([Buffer.from("<html>"), pdfOf(64)]) },
  ])("is refused with $name for a file", async ({ make }) => {
    const { id } = await createCustomer(clients);
    expect(await failureOf(upload(id, await make()))).toMatchObject({
      code: "InvalidArgument",
      reason: "TAX_CERTIFICATE_FILE_INVALID",
      fields: { content: "The file must be a PDF, PNG or JPEG." },
    });
  });

  const wrong: { name: string; given: Init; fields: Record<string, unknown> }[] = [
    { name: "without a company", given: { companyName: " " }, fields: { company_name: "This field is required." } },
    {
      name: "with a company of 201 letters",
      given: { companyName: "x".repeat(201) },
      fields: { company_name: expect.anything() },
    },
    { name: "without an authority", given: { taxAuthority: "" }, fields: { tax_authority: "This field is required." } },
    {
      name: "of a Canadian authority",
      given: { taxAuthority: "ON" },
      fields: { tax_authority: "Enter a valid state of the United States." },
    },
    {
      name: "of a post office",
      given: { taxAuthority: "AE" },
      fields: { tax_authority: "Enter a valid state of the United States." },
    },
    { name: "without a start", given: { startDate: "" }, fields: { start_date: "This field is required." } },
    {
      name: "that ends on no day",
      given: { endDate: "2027-02-29" },
      fields: { end_date: "Enter a valid date, such as 2026-01-31." },
    },
    {
      name: "that starts in the year 0",
      given: { startDate: "0000-01-01" },
      fields: { start_date: "Enter a valid date, such as 2026-01-31." },
    },
    {
      name: "of American dates",
      given: { startDate: "01/31/2026" },
      fields: { start_date: "Enter a valid date, such as 2026-01-31." },
    },
    {
      name: "that ends before it starts",
      given: { endDate: "2025-12-31" },
      fields: { end_date: "must not be before the start date" },
    },
  ];

  test.for(wrong)("is refused $name", async ({ given, fields }) => {
    const { id } = await createCustomer(clients);
    const failure = await failureOf(upload(id, pdfOf(64), given));
    expect(failure).toMatchObject({ code: "InvalidArgument", reason: "FIELDS_INVALID" });
    const named = Object.entries(fields).map(([field, description]) => [`tax_certificate.${field}`, description]);
    expect(failure.fields).toEqual(Object.fromEntries(named));
  });

  test("belongs to a customer that there is, and is not deleted", async () => {
    expect(await failureOf(upload("cus_absent", pdfOf(64)))).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
    const { id } = await createCustomer(clients);
    await clients.customers.deleteCustomer({ id });
    expect(await failureOf(upload(id, pdfOf(64)))).toMatchObject({ reason: "CUSTOMER_DELETED" });
  });
});

test("an authority may be named, and the dates may be one day", async () => {
  const { id } = await createCustomer(clients);
  const given = { taxAuthority: " new york ", startDate: "2026-03-01", endDate: "2026-03-01" };
  expect(await createByCall(clients, id, pdfOf(64), given)).toMatchObject({ taxAuthority: "NY", state: ACTIVE });
});

test("a certificate holds from the first moment of its first day to the last of its last, in UTC", async () => {
  const present = now;
  const { id: customerId } = await createCustomer(clients);
  const { id, etag } = await createByCall(clients, customerId, pdfOf(64), {
    startDate: "2026-05-01",
    endDate: "2026-05-31",
  });
  const stateAt = async (time: string) => {
    now = new Date(time);
    const { taxCertificate } = await clients.taxCertificates.getTaxCertificate({ customerId, id });
    const { taxCertificates } = await clients.taxCertificates.listTaxCertificates({ customerId });
    expect(taxCertificates).toEqual([taxCertificate]);
    expect(taxCertificate!.etag).toBe(etag);
    return taxCertificate!.state;
  };
  expect(await stateAt("2026-04-30T23:59:59.999Z")).toBe(PENDING);
  expect(await stateAt("2026-05-01T00:00:00Z")).toBe(ACTIVE);
  expect(await stateAt("2026-05-31T23:59:59.999Z")).toBe(ACTIVE);
  expect(await stateAt("2026-06-01T00:00:00Z")).toBe(LAPSED);
  now = present;
});

test("certificates are listed newest first, page by page, and deleted permanently", async () => {
  const { id: customerId } = await createCustomer(clients);
  const made: string[] = [];
  for (let count = 0; count < 5; count++) {
    now = new Date(now.getTime() + 1);
    made.unshift((await createByCall(clients, customerId)).id);
  }
  const { taxCertificates } = clients;
  const listed: string[] = [];
  let pageToken = "";
  do {
    const page = await taxCertificates.listTaxCertificates({ customerId, pageSize: 2, pageToken });
    listed.push(...page.taxCertificates.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(listed).toEqual(made);
  const [first, ...others] = made;
  const request = { customerId, id: first! };
  expect(await failureOf(taxCertificates.deleteTaxCertificate({ ...request, etag: "v9" }))).toMatchObject({
    reason: "ETAG_STALE",
  });
  await taxCertificates.deleteTaxCertificate({ ...request, etag: "v1" });
  const calls = [
    taxCertificates.getTaxCertificate(request),
    fileOf(customerId, first!),
    taxCertificates.deleteTaxCertificate(request),
  ];
  for (const failure of await Promise.all(calls.map(failureOf)))
    expect(failure).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
  const left = await taxCertificates.listTaxCertificates({ customerId });
  expect(left.taxCertificates.map(({ id }) => id)).toEqual(others);
  expect(await failureOf(taxCertificates.listTaxCertificates({ customerId: "cus_absent" }))).toMatchObject({
    reason: "RESOURCE_NOT_FOUND",
  });
});

test("a certificate is found under its customer alone", async () => {
  const [owner, other] = [await createCustomer(clients), await createCustomer(clients)];
  const { id } = await createByCall(clients, owner.id);
  const request = { customerId: other.id, id };
  const calls = [
    clients.taxCertificates.getTaxCertificate(request),
    fileOf(other.id, id),
    clients.taxCertificates.deleteTaxCertificate(request),
  ];
  for (const failure of await Promise.all(calls.map(failureOf)))
    expect(failure).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
});

test("a soft deletion of the customer keeps them; a permanent one deletes them", async () => {
  const soft = await createCustomer(clients);
  const kept = await createByCall(clients, soft.id);
  await clients.customers.deleteCustomer({ id: soft.id });
  expect((await clients.taxCertificates.listTaxCertificates({ customerId: soft.id })).taxCertificates).toEqual([kept]);
  const remove = clients.taxCertificates.deleteTaxCertificate({ customerId: soft.id, id: kept.id });
  expect(await failureOf(remove)).toMatchObject({ reason: "CUSTOMER_DELETED" });

  const { test: own } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const { id } = await createCustomer(own);
  const gone = await createByCall(own, id);
  await own.customers.deleteCustomer({ id });
  expect(await clientele.db("tax_certificates").where({ customer_id: id })).toEqual([]);
  const events = await clientele.db("events").where({ resource_id: gone.id }).orderBy("position").pluck("type");
  expect(events).toEqual(["tax_certificate.created", "tax_certificate.deleted"]);
});

test("of 50 certificates made at once for a customer with 90, ten are made", async () => {
  const { test: own, testKey } = await clientele.createAccount();
  const callers = createCallers(clientele, testKey);
  const { id } = await createCustomer(own);
  for (let count = 0; count < 90; count++) await createByCall(own, id);
  const { answers, failures } = await allAtOnce(callers, (by) => createByCall(by, id));
  expect(answers).toHaveLength(10);
  expect(new Set(failures.map(({ reason }) => reason))).toEqual(new Set(["TAX_CERTIFICATE_LIMIT_REACHED"]));
  expect(await clientele.db("tax_certificates").where({ customer_id: id })).toHaveLength(100);
});

test.for(Object.keys(transports))("the largest file goes in and out over %s", async (name) => {
  const own = clientsOn(transports[name]!(clientele, account.testKey));
  const { id: customerId } = await createCustomer(own);
  const content = pdfOf(maxFileBytes);
  const { id } = await createByCall(own, customerId, content);
  expect((await fileOf(customerId, id, own)).content.equals(content)).toBe(true);
});

test("no part of a file is larger than 262144 bytes", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id } = await createByCall(clients, customerId, pdfOf(600_000));
  const parts = await partsOf(clients.taxCertificates.getTaxCertificateFile({ customerId, id }));
  expect(parts.map(({ content }) => content.length)).toEqual([262_144, 262_144, 75_712]);
});

test("a certificate that is deleted while its file is read ends the stream as NOT_FOUND", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id } = await createByCall(clients, customerId, pdfOf(maxFileBytes));
  const parts = clients.taxCertificates.getTaxCertificateFile({ customerId, id })[Symbol.asyncIterator]();
  await parts.next();
  await clients.taxCertificates.deleteTaxCertificate({ customerId, id });
  const rest = async () => {
    while (!(await parts.next()).done);
  };
  expect(await failureOf(rest())).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
});
