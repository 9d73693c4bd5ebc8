import { afterAll, beforeAll, expect, test } from "vitest";
import { type Checkout, ResolutionSource, SkippedDefault } from "../../../gen/clientele/v1/checkouts_pb.js";
import { AttentionReason } from "../../../gen/clientele/v1/customers_pb.js";
import { TaxIdentifierState } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { createAddress } from "../../support/addresses.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { createWorker, type Worker } from "../../support/jobs.js";
import { createCheckout, guest, url } from "../../support/purchases.js";
import { clientsWith, newPublishableKey } from "../../support/shoppers.js";
import { createByCall, pdfOf } from "../../support/tax-certificates.js";
import { createTaxIdentifier, getTaxIdentifier, sandboxNumbers } from "../../support/tax-identifiers.js";

const { REQUEST, CUSTOMER_PROFILE, NONE } = ResolutionSource;
const { NOT_VERIFIED, NOT_STARTED, EXPIRED, UNSPECIFIED } = SkippedDefault;
const german = { type: "de_vat", value: "136695976" };
const british = { type: "gb_vat", value: "980780684" };

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

const verify = () => worker.run("verify_tax_identifiers");

function resolutionOf(checkout: Checkout, field: "tax_identifiers" | "tax_certificates") {
  const { source, skippedDefault } = checkout.resolutions.find((one) => one.field === field)!;
  return [source, skippedDefault];
}

test("verified identifiers and certificates that hold are copied, the others are not, and the order has the same", async () => {
  const { id: customerId } = await createCustomer(clients);
  const known = await createTaxIdentifier(clients, customerId, german);
  await createTaxIdentifier(clients, customerId, { type: "us_ein", value: sandboxNumbers.notValid });
  await verify();
  await createTaxIdentifier(clients, customerId, british);
  const holds = await createByCall(clients, customerId);
  await createByCall(clients, customerId, pdfOf(64), { startDate: "2025-01-01", endDate: "2025-12-31" });

  const request = { customerId, ...guest() };
  const { checkout: preview } = await clients.checkouts.previewCheckout({ checkout: { url, ...request } });
  const checkout = await createCheckout(clients, request);
  expect(checkout.taxIdentifiers).toEqual([{ ...(await getTaxIdentifier(clients, known.id)), etag: "" }]);
  expect(checkout.taxIdentifiers[0]!.state).toBe(TaxIdentifierState.VERIFIED);
  expect(checkout.taxCertificates).toEqual([{ ...holds, etag: "" }]);
  expect(resolutionOf(checkout, "tax_identifiers")).toEqual([CUSTOMER_PROFILE, NOT_VERIFIED]);
  expect(resolutionOf(checkout, "tax_certificates")).toEqual([CUSTOMER_PROFILE, EXPIRED]);
  expect(preview).toMatchObject({
    taxIdentifiers: checkout.taxIdentifiers,
    taxCertificates: checkout.taxCertificates,
    resolutions: checkout.resolutions,
  });

  await clients.taxIdentifiers.deleteTaxIdentifier({ id: known.id });
  await clients.taxCertificates.deleteTaxCertificate({ customerId, id: holds.id });
  expect((await clients.checkouts.getCheckout({ id: checkout.id })).checkout).toEqual(checkout);
  const { order } = await clients.orders.createOrder({ checkoutId: checkout.id });
  const { taxIdentifiers, taxCertificates } = checkout;
  expect(order).toMatchObject({ taxIdentifiers, taxCertificates });
  expect((await clients.orders.getOrder({ id: order!.id })).order).toEqual(order);
});

test("a checkout of a customer without valid identifiers copies none, and says why", async () => {
  const { id: customerId } = await createCustomer(clients);
  const resolved = async () => {
    const checkout = await createCheckout(clients, { customerId, ...guest() });
    expect([checkout.taxIdentifiers, checkout.taxCertificates]).toEqual([[], []]);
    return [resolutionOf(checkout, "tax_identifiers"), resolutionOf(checkout, "tax_certificates")];
  };
  expect(await resolved()).toEqual([
    [NONE, UNSPECIFIED],
    [NONE, UNSPECIFIED],
  ]);
  await createTaxIdentifier(clients, customerId, german);
  await createByCall(clients, customerId, pdfOf(64), { startDate: "2026-04-01" });
  expect(await resolved()).toEqual([
    [NONE, NOT_VERIFIED],
    [NONE, NOT_STARTED],
  ]);
});

test("a certificate counts to the last moment of its last day", async () => {
  const present = now;
  const { id: customerId } = await createCustomer(clients);
  await createByCall(clients, customerId, pdfOf(64), { endDate: "2026-03-01" });
  const countAt = async (time: string) => {
    now = new Date(time);
    return (await createCheckout(clients, { customerId, ...guest() })).taxCertificates.length;
  };
  expect(await countAt("2026-03-01T23:59:59.999Z")).toBe(1);
  expect(await countAt("2026-03-02T00:00:00Z")).toBe(0);
  now = present;
});

test("only the certificates of the destination state are copied, and follow another address", async () => {
  const { id: customerId } = await createCustomer(clients);
  const texan = await createByCall(clients, customerId);
  const ohioan = await createByCall(clients, customerId, pdfOf(64), { taxAuthority: "OH" });
  const columbus = { ...guest().shipping, city: "Columbus", state: "OH", postalCode: "43215" };
  const toronto = { ...guest().shipping, city: "Toronto", state: "ON", postalCode: "M5H 2N2", country: "CA" };
  const checkout = await createCheckout(clients, { customerId, ...guest() });
  const idsOf = ({ taxCertificates }: Checkout) => taxCertificates.map(({ id }) => id);
  expect(idsOf(checkout)).toEqual([texan.id]);
  const shippedTo = async (input: object) =>
    idsOf((await clients.checkouts.updateCheckout({ id: checkout.id, checkout: input })).checkout!);
  expect(await shippedTo({ shipping: columbus })).toEqual([ohioan.id]);
  expect(await shippedTo({ locale: "en_US" })).toEqual([ohioan.id]);
  expect(await shippedTo({ shipping: toronto })).toEqual([]);
});

test("identifiers that the request names go before the customer's, for guests too", async () => {
  const customer = await createCustomer(clients);
  const own = await createTaxIdentifier(clients, customer.id, german);
  const nobodys = await createTaxIdentifier(clients, "", british);
  await verify();
  const ids = async (customerId: string, taxIdentifierIds: string[]) => {
    const checkout = await createCheckout(clients, { customerId, ...guest(), taxIdentifierIds });
    expect(resolutionOf(checkout, "tax_identifiers")).toEqual([REQUEST, UNSPECIFIED]);
    return checkout.taxIdentifiers.map(({ id }) => id);
  };
  expect(await ids(customer.id, [nobodys.id])).toEqual([nobodys.id]);
  expect(await ids(customer.id, [nobodys.id, own.id])).toEqual([nobodys.id, own.id]);
  expect(await ids("", [nobodys.id])).toEqual([nobodys.id]);
});

test("identifiers that the request may not name are refused", async () => {
  const [customer, other] = [await createCustomer(clients), await createCustomer(clients)];
  const foreign = await createTaxIdentifier(clients, other.id, german);
  const own = await createTaxIdentifier(clients, customer.id, german);
  const second = await createTaxIdentifier(clients, "", german);
  await verify();
  const pending = await createTaxIdentifier(clients, "", british);
  const cases = [
    { ids: [foreign.id], want: { code: "NotFound", reason: "RESOURCE_NOT_FOUND" } },
    { ids: ["tax_absent"], want: { code: "NotFound", reason: "RESOURCE_NOT_FOUND" } },
    { ids: [own.id, pending.id], want: { code: "FailedPrecondition", reason: "TAX_IDENTIFIER_NOT_VERIFIED" } },
    { ids: [own.id, second.id], want: { code: "InvalidArgument", reason: "FIELDS_INVALID" } },
    { ids: [own.id, own.id], want: { code: "InvalidArgument", reason: "FIELDS_INVALID" } },
  ];
  for (const { ids, want } of cases) {
    const request = { url, customerId: customer.id, ...guest(), taxIdentifierIds: ids };
    expect(await failureOf(clients.checkouts.createCheckout({ checkout: request }))).toMatchObject(want);
    expect(await failureOf(clients.checkouts.previewCheckout({ checkout: request }))).toMatchObject(want);
  }
  const ofGuest = { url, ...guest(), taxIdentifierIds: [own.id] };
  expect(await failureOf(clients.checkouts.createCheckout({ checkout: ofGuest }))).toMatchObject({ code: "NotFound" });
});

test("an update copies them anew where its mask names them, and keeps them elsewhere", async () => {
  const { id: customerId } = await createCustomer(clients);
  await createAddress(clients, customerId);
  const { id } = await createCheckout(clients, { customerId, ...guest() });
  const own = await createTaxIdentifier(clients, customerId, german);
  const nobodys = await createTaxIdentifier(clients, "", british);
  const certificate = await createByCall(clients, customerId);
  await verify();
  const update = async (paths: string[], taxIdentifierIds: string[] = []) => {
    const { checkout } = await clients.checkouts.updateCheckout({
      id,
      updateMask: { paths },
      checkout: { locale: "en_US", taxIdentifierIds },
    });
    return [...checkout!.taxIdentifiers, ...checkout!.taxCertificates].map((one) => one.id);
  };
  expect(await update(["locale"])).toEqual([]);
  expect(await update(["tax_identifier_ids"])).toEqual([own.id, certificate.id]);
  await clients.taxIdentifiers.detachTaxIdentifier({ customerId, id: own.id });
  expect(await update(["locale"], [nobodys.id])).toEqual([own.id, certificate.id]);
  expect(await update([], [nobodys.id])).toEqual([nobodys.id, certificate.id]);
  expect(await update(["*"])).toEqual([certificate.id]);
});

test("an overview calls attention to identifiers that are not verified", async () => {
  const { id } = await createCustomer(clients);
  const attention = async () => {
    const { overview } = await clients.customers.getCustomerOverview({ id });
    return overview!.attention
      .filter(({ reason }) => reason === AttentionReason.TAX_IDENTIFIER_NOT_VERIFIED)
      .map(({ resourceId }) => resourceId);
  };
  expect(await attention()).toEqual([]);
  const wrong = await createTaxIdentifier(clients, id, { type: "us_ein", value: sandboxNumbers.notValid });
  const right = await createTaxIdentifier(clients, id, german);
  expect((await attention()).sort()).toEqual([wrong.id, right.id].sort());
  await verify();
  expect(await attention()).toEqual([wrong.id]);
});

test("with a publishable key a guest cannot use an address without a customer", async () => {
  const { id } = await createTaxIdentifier(clients, "", british);
  await verify();
  const page = clientsWith(clientele, await newPublishableKey(clients));
  const request = { url, ...guest(), taxIdentifierIds: [id] };
  expect(await failureOf(page.checkouts.createCheckout({ checkout: request }))).toMatchObject({ code: "NotFound" });
  expect((await createCheckout(clients, request)).taxIdentifiers).toHaveLength(1);
});
