import type { DescMethodUnary, JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyKind } from "../gen/clientele/v1/api_keys_pb.js";
import { CustomerSchema, CustomerService } from "../gen/clientele/v1/customers_pb.js";
import { accessOf } from "../src/access.js";
import type { CallerKind } from "../src/rpc/caller.js";
import { type Clientele, startClientele } from "./support/clientele.js";
import { failureOf } from "./support/errors.js";
import { casesOf, methods, nameOf, requestFor } from "./support/scenario.js";
import { merchantFields, pageMethods, personalOf, requestOfPage, shopperMethods } from "./support/shopper-requests.js";
import { overFetch } from "./support/ways.js";
import { populate, type World } from "./support/world.js";

interface Tenant {
  readonly world: World;
  readonly secretKey: string;
  readonly publishableKey: string;
}

let clientele: Clientele;
beforeAll(async () => {
  clientele = await startClientele();
});
afterAll(() => clientele.stop());

async function newTenant(): Promise<Tenant> {
  const { testKey, test: clients } = await clientele.createAccount();
  const { secret } = await clients.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } });
  return { world: await populate(clients), secretKey: testKey, publishableKey: secret };
}

/** One kind of caller, and what it may call. */
interface Row {
  readonly caller: string;
  readonly kind: CallerKind;
  readonly credential: (tenant: Tenant) => string;
  readonly request: (method: DescMethodUnary, world: World) => JsonObject;
  readonly may: (name: string) => boolean;
  readonly otherwise: string;
}

const rows: readonly Row[] = [
  {
    caller: "a secret key",
    kind: "secret_key",
    credential: ({ secretKey }) => secretKey,
    request: requestFor,
    may: () => true,
    otherwise: "ACCESS_DENIED",
  },
  {
    caller: "a publishable key",
    kind: "publishable_key",
    credential: ({ publishableKey }) => publishableKey,
    request: requestOfPage,
    may: (name) => pageMethods.includes(name),
    otherwise: "ACCESS_DENIED",
  },
  {
    caller: "no credential",
    kind: "public",
    credential: () => "",
    request: requestFor,
    may: () => false,
    otherwise: "CREDENTIALS_MISSING",
  },
];

describe.for(rows)("every method of the contract, called with $caller", (row) => {
  test.for(casesOf(methods))("$name", async ({ name, method }) => {
    const tenant = await newTenant();
    const call = overFetch(clientele.httpUrl, row.credential(tenant))(method, row.request(method, tenant.world));
    expect(accessOf(method).callers.includes(row.kind)).toBe(row.may(name));
    if (row.may(name)) await call;
    else expect((await failureOf(call)).reason).toBe(row.otherwise);
  });
});

test("the lists of what pages and shoppers may call name methods of the contract", () => {
  const known = methods.map(nameOf);
  for (const name of [...pageMethods, ...shopperMethods]) expect(known).toContain(name);
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
      const { call, world } = await page();
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
    const naming = (customerId: string) => failureOf(call(method, { ...requestOfPage(method, world), customerId }));
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
  const decided = [...writes!.fields, ...writes!.ignored, ...Object.keys(merchantFields), ...elsewhere];
  const undecided = CustomerSchema.fields.filter(
    ({ name, jsonName }) => ![name, jsonName].some((n) => decided.includes(n)),
  );
  expect(undecided.map(({ name }) => name)).toEqual([]);
});
