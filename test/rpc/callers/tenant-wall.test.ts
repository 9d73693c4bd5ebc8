import { randomUUID } from "node:crypto";
import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { tenantOfSecret } from "../../../src/rpc/callers/secret.js";
import { useClientele } from "../../support/clientele.js";
import { idsOf } from "../../support/fields.js";
import { createPopulatedAccounts } from "../../support/populated.js";
import { casesOf, methods, nameOf, reads, replaceAt, replaceField, requestFor } from "../../support/scenario.js";
import { changesBetween, snapshot } from "../../support/snapshot.js";
import { pathOf } from "../../support/ways.js";
import { populate, type World } from "../../support/world.js";

interface Tenant {
  readonly key: string;
  readonly world: World;
}

let foreign: Tenant;
let own: Tenant;
const clientele = useClientele();
const createPopulated = createPopulatedAccounts(clientele);
beforeAll(async () => {
  // Filled by calls of its own, so that its ids are others than those of `own`.
  const { testKey, test: clients } = await clientele.createAccount();
  foreign = { key: testKey, world: await populate(clients) };
});
// A change that succeeds may use its world up.
let isUsedUp = true;
beforeEach(async () => {
  if (isUsedUp) {
    const { account, world } = await createPopulated();
    own = { key: account.testKey, world };
  }
  isUsedUp = false;
});

/** What a call does with an id of somebody else: as much as with one that nobody has. */
type Treatment =
  /** It is NOT_FOUND. */
  | "not found"
  /** It is INVALID_ARGUMENT: the field is one among many that an update writes. */
  | "refused"
  /** The call succeeds without a look at it. */
  | "ignored"
  /** The call succeeds and finds nothing. */
  | "finds nothing"
  /** The call succeeds and uses it: the caller chooses the id, or the vault does, and no tenant owns it. */
  | "used";

// Every id that is not simply NOT_FOUND, with the reason.
const exceptions: Readonly<Record<string, readonly [Treatment, string]>> = {
  "ApiKeyService.CreateApiKey apiKey.id": ["ignored", "output only"],
  "CustomerService.CreateCustomer customer.id": ["used", "chosen by the caller, apart in each tenant"],
  "CustomerService.CreateCustomer customer.defaultAddressId": ["refused", "must be the customer's own"],
  "CustomerService.CreateCustomer customer.defaultBillingAddressId": ["refused", "must be the customer's own"],
  "CustomerService.CreateCustomer customer.defaultPaymentMethodId": ["used", "a token is the vault's"],
  "CustomerService.CreateCustomer customer.shipping.id": ["ignored", "output only"],
  "CustomerService.GetOrCreateCustomer customer.id": ["used", "chosen by the caller, apart in each tenant"],
  "CustomerService.GetOrCreateCustomer customer.defaultAddressId": ["refused", "must be the customer's own"],
  "CustomerService.GetOrCreateCustomer customer.defaultBillingAddressId": ["refused", "must be the customer's own"],
  "CustomerService.GetOrCreateCustomer customer.defaultPaymentMethodId": ["used", "a token is the vault's"],
  "CustomerService.GetOrCreateCustomer customer.shipping.id": ["ignored", "output only"],
  "CustomerService.UpdateCustomer customer.shipping.id": ["ignored", "output only"],
  "CustomerService.UpdateCustomer customer.defaultAddressId": ["refused", "must be the customer's own"],
  "CustomerService.UpdateCustomer customer.defaultBillingAddressId": ["refused", "must be the customer's own"],
  "CustomerService.UpdateCustomer customer.defaultPaymentMethodId": ["refused", "must be the customer's own"],
  "AddressService.CreateAddress address.id": ["ignored", "output only"],
  "PaymentMethodService.AttachPaymentMethod paymentMethod.id": ["used", "a token is the vault's"],
  "PaymentMethodService.SetDefaultPaymentMethod id": ["used", "a token is the vault's, attached on the way"],
  "WebhookService.CreateWebhookEndpoint webhookEndpoint.id": ["ignored", "output only"],
  "CheckoutService.CreateCheckout checkout.shipping.id": ["ignored", "output only"],
  "CheckoutService.CreateCheckout checkout.billing.id": ["ignored", "output only"],
  "CheckoutService.PreviewCheckout checkout.shipping.id": ["ignored", "output only"],
  "CheckoutService.PreviewCheckout checkout.billing.id": ["ignored", "output only"],
  "CheckoutService.UpdateCheckout checkout.customerId": ["refused", "a checkout keeps its customer"],
  "CheckoutService.CreateCheckout checkout.paymentMethodId": ["used", "a token is the vault's"],
  "CheckoutService.PreviewCheckout checkout.paymentMethodId": ["used", "a token is the vault's"],
  "CheckoutService.UpdateCheckout checkout.paymentMethodId": ["used", "a token is the vault's"],
  "CheckoutService.UpdateCheckout checkout.shipping.id": ["ignored", "output only"],
  "CheckoutService.UpdateCheckout checkout.billing.id": ["ignored", "output only"],
  "CheckoutService.ListCheckouts customerId": ["finds nothing", "a filter"],
  "EventService.ListEvents resourceId": ["finds nothing", "a filter"],
  "EventService.ListEvents customerId": ["finds nothing", "a filter"],
  "EventService.ListEvents actorId": ["finds nothing", "a filter"],
  "CustomFieldService.CreateCustomField customField.id": ["ignored", "output only"],
  "OrderService.ListOrders customerId": ["finds nothing", "a filter"],
  "TaxIdentifierService.CreateTaxIdentifier taxIdentifier.id": ["ignored", "output only"],
  "TaxIdentifierService.ListTaxIdentifiers customerId": ["finds nothing", "a filter"],
  "TaxCertificateService.CreateTaxCertificate taxCertificate.id": ["ignored", "output only"],
  "PrivacyService.ListErasures customerId": ["finds nothing", "a filter"],
};

const cases = methods.flatMap((method) =>
  idsOf(method.input).map(({ path }) => {
    const at = `${nameOf(method)} ${path.join(".")}`;
    const [treatment, reason] = exceptions[at] ?? ["not found", ""];
    return { at, method, path, treatment, reason };
  }),
);

/** The id of the foreign world that belongs in a field; another one where the tenant's own request names none. */
function foreignId(method: DescMethodUnary, path: readonly string[]): string {
  const given = path.reduce<unknown>((value, key) => Object(value)[key], requestFor(method, foreign.world));
  if (typeof given === "string") return given;
  return path.join(".").endsWith("PaymentMethodId") ? foreign.world.paymentMethod : foreign.world.address;
}

// Formed like the other, and nobody's.
function absentLike(id: string): string {
  return id.replace(
    /^(cct_sandbox_|\w+?[_-]).*$/,
    (_, prefix: string) => prefix + randomUUID().replaceAll("-", "").slice(0, 26),
  );
}

function requestWith(method: DescMethodUnary, path: readonly string[], id: string): JsonObject {
  const request = replaceField(method, requestFor(method, own.world), path, () => id);
  if (path.at(-1) === "addressId") delete Object(request.checkout).shipping;
  if (path.at(-1) === "billingAddressId") delete Object(request.checkout).billing;
  const mask = request.updateMask;
  return typeof mask === "string" ? { ...request, updateMask: `${mask},${maskedBy(path)}` } : request;
}

// What the field needs so that the update looks at it; a mask must not name what is output only.
function maskedBy(path: readonly string[]): string {
  return /^default/.test(path.at(-1) ?? "")
    ? path.at(-1)!
    : ({ label: "label", customer: "name" }[path[0] ?? ""] ?? "label");
}

async function send(method: DescMethodUnary, request: JsonObject, key = own.key) {
  const answer = await fetch(clientele.httpUrl + pathOf(method), {
    method: "POST",
    headers: { "content-type": "application/json", "api-key": key },
    body: JSON.stringify(request),
  });
  if (answer.status === 200 && !reads.includes(method)) isUsedUp = true;
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== "date"));
  return { status: answer.status, headers, body: await answer.text() };
}

test.for(cases)("an id of another tenant is treated like an absent one in $at", async ({ method, path, treatment }) => {
  const theirs = foreignId(method, path);
  const before = await rowsOf(foreign);
  const answer = await send(method, requestWith(method, path, theirs));
  if (treatment === "not found" || treatment === "refused") {
    expect(answer.status, answer.body).toBe(treatment === "refused" ? 400 : 404);
    expect(answer).toEqual(await send(method, requestWith(method, path, absentLike(theirs))));
    expect(answer.body).not.toContain(theirs);
  } else {
    expect(answer.status, answer.body).toBe(200);
    if (treatment === "ignored") expect(answer.body).not.toContain(theirs);
    if (treatment === "finds nothing") expect(JSON.parse(answer.body)).toEqual({});
  }
  expect(changesBetween(before, await rowsOf(foreign))).toEqual([]);
});

test.for(casesOf(methods).filter(({ method }) => idsOf(method.input).length > 0))(
  "a whole request of another tenant is treated like one of absent ids in $name",
  async ({ method }) => {
    const paths = cases.filter((one) => one.method === method && /not found|finds nothing/.test(one.treatment));
    const theirs = requestFor(method, foreign.world);
    const absent = paths.reduce<unknown>(
      (request, { path }) => replaceAt(request, path, (id) => (typeof id === "string" ? absentLike(id) : id)),
      theirs,
    );
    const before = await rowsOf(foreign);
    const answer = await send(method, theirs);
    if (paths.length > 0) expect(answer).toEqual(await send(method, absent as JsonObject));
    expect(changesBetween(before, await rowsOf(foreign))).toEqual([]);
  },
);

test("every exception is still one of the contract", () => {
  const known = new Set(cases.map(({ at }) => at));
  expect(Object.keys(exceptions).filter((at) => !known.has(at))).toEqual([]);
});

const lists = casesOf(reads.filter((method) => method.name.startsWith("List")));

test.for(lists)("no row of another tenant is in $name", async ({ method }) => {
  const { body } = await send(method, { ...requestFor(method, own.world), pageSize: 100 });
  for (const id of Object.values(foreign.world)) expect(body).not.toContain(id);
});

test.for(lists)("a page token of another tenant is refused by $name", async ({ method }) => {
  const theirs = JSON.parse((await send(method, requestFor(method, foreign.world), foreign.key)).body);
  const token = theirs.nextPageToken ?? nothingToTurn(theirs);
  const mine = await send(method, { ...requestFor(method, own.world), pageToken: token });
  expect(mine.status).toBe(400);
  expect(mine.body).toContain("The page token does not belong to this list.");
});

// One row is one page: what a forged token would then look like.
function nothingToTurn(page: object): string {
  expect(Object.values(page).flat()).toHaveLength(1);
  return Buffer.from(`${"0".repeat(16)}[1,0,"x"]`).toString("base64url");
}

test("the two halves of an account are two tenants", async () => {
  const account = await clientele.createAccount();
  const world = await populate(account.test);
  const get = methods.filter((method) => /^Get(?!Or)\w+$/.test(method.name) && idsOf(method.input).length > 0);
  for (const method of get) expect((await send(method, requestFor(method, world), account.liveKey)).status).toBe(404);
});

async function rowsOf({ key }: Tenant) {
  return await snapshot(clientele.db, tenantOfSecret(key, ["sk"])!);
}
