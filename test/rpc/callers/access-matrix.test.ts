import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { CustomerSchema, CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { accessOf } from "../../../src/access.js";
import type { CallerKind } from "../../../src/rpc/callers/caller.js";
import { isServerField } from "../../../src/rpc/requests/plan.js";
import { useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { idsOf } from "../../support/fields.js";
import { createPopulatedAccounts } from "../../support/populated.js";
import { casesOf, methods, nameOf, reads, requestFor } from "../../support/scenario.js";
import {
  merchantFields,
  pageMethods,
  personalOf,
  requestOfPage,
  requestOfShopper,
  shopperMethods,
} from "../../support/shopper-requests.js";
import { overFetch } from "../../support/ways.js";
import type { World } from "../../support/world.js";

interface Tenant {
  readonly world: World;
  readonly secretKey: string;
  readonly publishableKey: string;
  /** Of the world's customer. */
  readonly customerToken: string;
  /** Of another customer. */
  readonly foreignToken: string;
}

/** For calls that change nothing. */
let untouched: Tenant;
const clientele = useClientele();
const createPopulated = createPopulatedAccounts(clientele);
beforeAll(async () => {
  untouched = await newTenant();
});

async function newTenant(): Promise<Tenant> {
  const { account, world } = await createPopulated();
  const { testKey, test: clients } = account;
  const { secret } = await clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } });
  const { customer } = await clients.customers.createCustomer({ customer: { email: "another@example.com" } });
  const [customerToken, foreignToken] = await Promise.all(
    [world.customer, customer!.id].map(async (value) => {
      return (await clients.customerTokens.createCustomerToken({ credential: { case: "customerId", value } })).secret;
    }),
  );
  return {
    world,
    secretKey: testKey,
    publishableKey: secret,
    customerToken: customerToken!,
    foreignToken: foreignToken!,
  };
}

/** One kind of caller, and what it may call. */
interface Row {
  readonly caller: string;
  readonly headers: (tenant: Tenant) => Record<string, string>;
  readonly request: (method: DescMethodUnary, world: World) => JsonObject;
  readonly may: (name: string) => boolean;
  /** The reason of the refusal. */
  readonly otherwise: (name: string) => string;
}

function namesSomebody(name: string): boolean {
  return methods.some((method) => nameOf(method) === name && idsOf(method.input).length > 0);
}

const rows: readonly Row[] = [
  {
    caller: "a secret key",
    headers: ({ secretKey }) => ({ "api-key": secretKey }),
    request: requestFor,
    may: () => true,
    otherwise: () => "ACCESS_DENIED",
  },
  {
    caller: "a publishable key",
    headers: ({ publishableKey }) => ({ "api-key": publishableKey }),
    request: requestOfPage,
    may: (name) => pageMethods.includes(name),
    otherwise: () => "ACCESS_DENIED",
  },
  {
    caller: "a customer token",
    headers: ({ customerToken }) => ({ authorization: `Bearer ${customerToken}` }),
    request: requestOfShopper,
    may: (name) => shopperMethods.includes(name),
    otherwise: () => "ACCESS_DENIED",
  },
  {
    caller: "a customer token beside a publishable key",
    headers: ({ customerToken, publishableKey }) => ({ "x-customer-token": customerToken, "api-key": publishableKey }),
    request: requestOfShopper,
    may: (name) => shopperMethods.includes(name),
    otherwise: () => "ACCESS_DENIED",
  },
  {
    caller: "a customer token that calls its customer me",
    headers: ({ customerToken }) => ({ authorization: `Bearer ${customerToken}` }),
    request: (method, world) =>
      JSON.parse(JSON.stringify(requestOfShopper(method, world)).replaceAll(`"${world.customer}"`, '"me"')),
    may: (name) => shopperMethods.includes(name),
    otherwise: () => "ACCESS_DENIED",
  },
  {
    caller: "a token of another customer",
    headers: ({ foreignToken }) => ({ authorization: `Bearer ${foreignToken}` }),
    request: requestOfShopper,
    may: (name) => shopperMethods.includes(name) && !namesSomebody(name),
    otherwise: (name) => (shopperMethods.includes(name) ? "RESOURCE_NOT_FOUND" : "ACCESS_DENIED"),
  },
  {
    caller: "no credential",
    headers: () => ({}),
    request: requestFor,
    may: () => false,
    otherwise: () => "CREDENTIALS_MISSING",
  },
];

describe.for(rows)("every method of the contract, called with $caller", (row) => {
  test.for(casesOf(methods))("$name", async ({ name, method }) => {
    const tenant = row.may(name) && !reads.includes(method) ? await newTenant() : untouched;
    const send = overFetch(clientele.httpUrl, "");
    const call = send(method, row.request(method, tenant.world), row.headers(tenant));
    if (row.may(name)) await call;
    else expect((await failureOf(call)).reason).toBe(row.otherwise(name));
  });
});

test("the table allows what the lists say, and no more", () => {
  const callable = (kind: CallerKind) => methods.filter((one) => accessOf(one).callers.includes(kind)).map(nameOf);
  expect(callable("secret_key")).toEqual(methods.map(nameOf));
  expect(callable("publishable_key").sort()).toEqual([...pageMethods].sort());
  expect(callable("customer_token").sort()).toEqual([...shopperMethods].sort());
  expect(callable("public")).toEqual([]);
});

describe("with a publishable key", () => {
  const page = async () => {
    const tenant = await newTenant();
    return { ...tenant, call: overFetch(clientele.httpUrl, tenant.publishableKey) };
  };
  const { createCustomer } = CustomerService.method;

  test("a customer who signs up is enabled and has an id of ours", async () => {
    const { call, world } = await page();
    const { customer } = Object(await call(createCustomer, { customer: personalOf(world) }));
    expect(customer).toMatchObject({ enabled: true, id: expect.stringMatching(/^cus_/), metadata: {} });
  });

  test.for(Object.entries({ id: "chosen", ...merchantFields }))(
    "a customer who signs up says nothing of %s",
    async ([field, value]) => {
      const call = overFetch(clientele.httpUrl, untouched.publishableKey);
      const { world } = untouched;
      const signUp = call(createCustomer, { customer: { ...personalOf(world), [field]: value } });
      const path = `customer.${CustomerSchema.fields.find(({ jsonName }) => jsonName === field)!.name}`;
      expect(await failureOf(signUp)).toMatchObject({
        code: "PermissionDenied",
        reason: "FIELDS_NOT_PERMITTED",
        fields: { [path]: "These credentials do not permit writing this field." },
      });
    },
  );

  test("a guest's checkout names no customer, present or absent", async () => {
    const { call, world } = await page();
    const method = methods.find((one) => one.name === "CreateCheckout")!;
    const ofGuest = requestOfPage(method, world).checkout as JsonObject;
    const naming = (customerId: string) => failureOf(call(method, { checkout: { ...ofGuest, customerId } }));
    const refusal = await naming(world.customer);
    expect(refusal).toMatchObject({ code: "PermissionDenied", reason: "ACCESS_DENIED" });
    expect(await naming("cus_absent")).toEqual(refusal);
  });

  test("an answer that a server's Idempotency-Key remembers is not replayed", async () => {
    const { call, world, secretKey } = await page();
    const request = { customer: personalOf(world) };
    const headers = { "idempotency-key": "one" };
    await overFetch(clientele.httpUrl, secretKey)(createCustomer, request, headers);
    expect(await failureOf(call(createCustomer, request, headers))).toMatchObject({ reason: "EMAIL_TAKEN" });
  });
});

test("of every field of a customer it is known who may write it", () => {
  const { writes } = accessOf(CustomerService.method.updateCustomer);
  // Not by an update: these have RPCs of their own.
  const elsewhere = ["password", "request_to_be_forgotten", "tax_identifiers"];
  const decided = ["id", ...writes!.fields, ...Object.keys(merchantFields), ...elsewhere];
  const undecided = CustomerSchema.fields.filter(
    (field) => !isServerField(field) && ![field.name, field.jsonName].some((name) => decided.includes(name)),
  );
  expect(undecided.map(({ name }) => name)).toEqual([]);
});
