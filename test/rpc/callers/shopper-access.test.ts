import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CustomerSchema } from "../../../gen/clientele/v1/customers_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { idsOf } from "../../support/fields.js";
import { createPopulatedAccounts } from "../../support/populated.js";
import { casesOf, methods, nameOf, replaceAt } from "../../support/scenario.js";
import { merchantFields, requestOfShopper, shopperMethods } from "../../support/shopper-requests.js";
import { changesBetween, snapshot } from "../../support/snapshot.js";
import { pathOf } from "../../support/ways.js";
import { populate, type World } from "../../support/world.js";

let merchant: Clients;
/** Two customers of one tenant, each with one of everything, and a token of the first. */
let own: World;
let foreign: World;
let token: string;
let foreignToken: string;

const clientele = useClientele();
const createPopulated = createPopulatedAccounts(clientele, (clients) =>
  Promise.all([populate(clients), populate(clients)]),
);
beforeAll(async () => {
  await renew();
});
/** To be called by a test whose calls succeed: they may use the worlds up. */
async function renew(): Promise<void> {
  const { account, world: worlds } = await createPopulated();
  merchant = account.test;
  [own, foreign] = worlds;
  [token, foreignToken] = await Promise.all([tokenOf(own), tokenOf(foreign)]);
}

async function tokenOf({ customer }: World): Promise<string> {
  const { secret } = await merchant.customerTokens.createCustomerToken({
    credential: { case: "customerId", value: customer },
  });
  return secret;
}

async function send(
  name: string | DescMethodUnary,
  request: JsonObject,
  headers: Record<string, string> = {},
  by = token,
) {
  const method = typeof name === "string" ? methods.find((one) => nameOf(one) === name)! : name;
  const answer = await fetch(clientele.httpUrl + pathOf(method), {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${by}`, ...headers },
    body: JSON.stringify(request),
  });
  const text = await answer.text();
  return { status: answer.status, text, json: JSON.parse(text) };
}

const theirs = methods.filter((method) => shopperMethods.includes(nameOf(method)));

/** What a call with the id of another customer's resource comes to. */
type Treatment =
  /** It answers as with an id that nobody has: NOT_FOUND. */
  | "not found"
  /** It answers as with an id that nobody has: the field is one among many. */
  | "refused"
  /** It answers as with an id that nobody has: the default address is another one. */
  | "stale"
  /** The field is output only. */
  | "ignored"
  /** The token of a payment method is refused, because it belongs to one customer at most. */
  | "taken";

// Every id that is not simply NOT_FOUND.
const exceptions: Readonly<Record<string, Treatment>> = {
  "CustomerService.UpdateCustomer customer.defaultAddressId": "refused",
  "CustomerService.UpdateCustomer customer.defaultBillingAddressId": "refused",
  "CustomerService.UpdateCustomer customer.defaultPaymentMethodId": "refused",
  "CustomerService.UpdateCustomer customer.shipping.id": "stale",
  "AddressService.CreateAddress address.id": "ignored",
  "PaymentMethodService.AttachPaymentMethod paymentMethod.id": "taken",
  "PaymentMethodService.SetDefaultPaymentMethod id": "taken",
  "TaxIdentifierService.CreateTaxIdentifier taxIdentifier.id": "ignored",
  "CheckoutService.CreateCheckout checkout.shipping.id": "ignored",
  "CheckoutService.CreateCheckout checkout.billing.id": "ignored",
  "CheckoutService.PreviewCheckout checkout.shipping.id": "ignored",
  "CheckoutService.PreviewCheckout checkout.billing.id": "ignored",
  "CheckoutService.CreateCheckout checkout.paymentMethodId": "taken",
  "CheckoutService.PreviewCheckout checkout.paymentMethodId": "taken",
  "CheckoutService.UpdateCheckout checkout.paymentMethodId": "taken",
  "CheckoutService.UpdateCheckout checkout.shipping.id": "ignored",
  "CheckoutService.UpdateCheckout checkout.billing.id": "ignored",
};

const cases = theirs.flatMap((method) =>
  idsOf(method.input).map(({ path }) => {
    const at = `${nameOf(method)} ${path.join(".")}`;
    return { at, method, path, treatment: exceptions[at] ?? "not found" };
  }),
);

/** The id in the other customer's world that belongs in a field. */
function foreignId(method: DescMethodUnary, path: readonly string[], treatment: Treatment): string {
  if (treatment === "taken") return foreign.paymentMethod;
  const given = path.reduce<unknown>((value, key) => Object(value)[key], requestOfShopper(method, foreign));
  if (typeof given === "string") return given;
  return path.join(".").endsWith("PaymentMethodId") ? foreign.paymentMethod : foreign.address;
}

function requestWith(method: DescMethodUnary, path: readonly string[], id: string): JsonObject {
  const request = replaceAt(requestOfShopper(method, own), path, () => id) as JsonObject;
  if (path.at(-1) === "addressId") delete Object(request.checkout).shipping;
  if (path.at(-1) === "billingAddressId") delete Object(request.checkout).billing;
  return request;
}

const absentLike = (id: string) => id.slice(0, 4) + [...id.slice(4)].reverse().join("");

async function rowsOf(world: World) {
  const ids = Object.values(world);
  return new Map(
    [...(await snapshot(clientele.db))].filter(([, row]) => ids.some((id) => row.text.includes(`"${id}"`))),
  );
}

test.for(cases)(
  "with a customer token, another customer's id answers as an absent one in $at",
  async ({ method, path, treatment }) => {
    if (treatment === "ignored") await renew();
    const id = foreignId(method, path, treatment);
    const before = await rowsOf(foreign);
    const answer = await send(method, requestWith(method, path, id));
    if (treatment === "ignored") expect(answer.status, answer.text).toBe(200);
    else if (treatment === "taken") expect(answer.json.code, answer.text).toMatch(/failed_precondition|already_exists/);
    else {
      expect(answer.status, answer.text).toBe({ refused: 400, stale: 409, "not found": 404 }[treatment]);
      expect(answer).toEqual(await send(method, requestWith(method, path, absentLike(id))));
    }
    expect(answer.text).not.toContain(id);
    expect(changesBetween(before, await rowsOf(foreign))).toEqual([]);
  },
);

test.for(casesOf(theirs.filter(({ input }) => idsOf(input).length > 0)))(
  "a whole request of another customer is NOT_FOUND, present or absent: $name",
  async ({ method }) => {
    const request = requestOfShopper(method, foreign);
    const before = await rowsOf(foreign);
    const answer = await send(method, request);
    expect(answer.json.code).toBe("not_found");
    const absent = idsOf(method.input).reduce<unknown>(
      (value, { path }) => replaceAt(value, path, (id) => (typeof id === "string" ? absentLike(id) : id)),
      request,
    );
    expect(answer).toEqual(await send(method, absent as JsonObject));
    expect(changesBetween(before, await rowsOf(foreign))).toEqual([]);
  },
);

test("every exception is still one of the contract", () => {
  expect(Object.keys(exceptions).filter((at) => !cases.some((one) => one.at === at))).toEqual([]);
});

describe("where a customer token is used without a customer_id", () => {
  beforeEach(renew);

  test.for(["CheckoutService.ListCheckouts", "OrderService.ListOrders"])("%s lists its own", async (name) => {
    const { json } = await send(name, { pageSize: 100 });
    const rows: { customerId: string }[] = json.checkouts ?? json.orders;
    expect(rows.length).toBeGreaterThan(0);
    expect(new Set(rows.map(({ customerId }) => customerId))).toEqual(new Set([own.customer]));
  });

  test("a checkout is its own, never a guest's", async () => {
    const { checkout } = requestOfShopper(methodOf("CheckoutService.CreateCheckout"), own);
    const request = { checkout: { ...Object(checkout), customerId: "" } };
    expect((await send("CheckoutService.CreateCheckout", request)).json.checkout.customerId).toBe(own.customer);
  });

  test("a page token of another customer is refused", async () => {
    for (let count = 0; count < 2; count++)
      await merchant.checkouts.createCheckout({ checkout: { url: "https://x.example", customerId: foreign.customer } });
    const { json } = await send("CheckoutService.ListCheckouts", { pageSize: 1 }, {}, foreignToken);
    const { status } = await send("CheckoutService.ListCheckouts", { pageSize: 1, pageToken: json.nextPageToken });
    expect(status).toBe(400);
  });
});

const methodOf = (name: string) => methods.find((one) => nameOf(one) === name)!;

describe("the fields that a shopper does not write", () => {
  const update = (customer: JsonObject, updateMask?: string) =>
    send("CustomerService.UpdateCustomer", {
      customer: { id: own.customer, ...customer },
      ...(updateMask && { updateMask }),
    });
  // Unchanged values may be sent back, so the merchant's differ from those that the shopper sends.
  beforeAll(async () => {
    await renew();
    await merchant.customers.updateCustomer({
      customer: {
        id: own.customer,
        enabled: false,
        taxExempt: true,
        metadata: { note: "said by the merchant" },
        externalReferences: [{ name: "stripe", id: `cus_${own.unique}` }],
      },
    });
  });
  const pathOfField = (jsonName: string) => CustomerSchema.fields.find((field) => field.jsonName === jsonName)!.name;

  describe.for(Object.entries(merchantFields))("%s", ([field, value]) => {
    const cases = [
      { name: "populated without a mask", ask: () => update({ name: "Mine", [field]: value! }) },
      { name: "named by the mask", ask: () => update({ name: "Mine", [field]: value! }, `name,${field}`) },
      // Metadata merges key by key, so that none of it changes nothing.
      ...(field === "metadata"
        ? []
        : [{ name: "cleared by the mask", ask: () => update({ name: "Mine" }, `name,${field}`) }]),
    ];
    test.for(cases)("$name is refused, and nothing is written", async ({ ask }) => {
      const { json } = await ask();
      expect(json.code).toBe("permission_denied");
      expect(json.details[0].debug).toMatchObject({ reason: "FIELDS_NOT_PERMITTED" });
      expect(json.message).toBe(`These credentials do not permit writing customer.${pathOfField(field)}.`);
      expect((await send("CustomerService.GetCustomer", { id: own.customer })).json.customer.name).not.toBe("Mine");
    });
  });

  test("a mask of everything names what is not the shopper's", async () => {
    expect((await update({ name: "Mine" }, "*")).json.message).toContain("customer.tax_exempt");
  });

  test("a customer that was read can be sent back whole, under the mask of everything", async () => {
    const { customer } = (await send("CustomerService.GetCustomer", { id: own.customer })).json;
    const { json } = await update({ ...customer, firstName: "Cleo" }, "*");
    expect(json.customer).toMatchObject({ firstName: "Cleo", enabled: false });
  });

  test("a customer that was read can be sent back with a mask of the shopper's own fields", async () => {
    const { customer } = (await send("CustomerService.GetCustomer", { id: own.customer })).json;
    const { json } = await update({ ...customer, firstName: "Bea" }, "firstName");
    expect(json.customer).toMatchObject({ firstName: "Bea", enabled: false });
  });
});

describe("an Idempotency-Key of one customer", () => {
  test("replays nothing to another, and does not stand in the way", async () => {
    await renew();
    const request = { checkoutId: foreign.checkout };
    const key = { "idempotency-key": "1" };
    expect((await send("OrderService.CreateOrder", request, key, foreignToken)).status).toBe(200);
    expect((await send("OrderService.CreateOrder", request, key)).json.code).toBe("not_found");
    expect((await send("OrderService.CreateOrder", { checkoutId: own.checkout }, key)).status).toBe(200);
  });
});
