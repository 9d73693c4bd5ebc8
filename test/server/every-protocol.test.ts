import { gzipSync } from "node:zlib";
import { type DescMethodUnary, fromJson, type JsonObject, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, test } from "vitest";
import { CheckoutService } from "../../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { PaymentMethodService } from "../../gen/clientele/v1/payment_methods_pb.js";
import { mayTravelInUrl } from "../../src/rpc/calls/method-facts.js";
import { type TestAccount, useClientele } from "../support/clientele.js";
import { failureOf } from "../support/errors.js";
import { createPopulatedAccounts } from "../support/populated.js";
import { casesOf, methods, reads, requestFor } from "../support/scenario.js";
import { type Call, overFetch, pathOf, ways } from "../support/ways.js";
import { canary, type World } from "../support/world.js";

const { createCustomer, getCustomer, listCustomers, updateCustomer } = CustomerService.method;
const { createCheckout } = CheckoutService.method;
const { setDefaultPaymentMethod } = PaymentMethodService.method;

let account: TestAccount;
let world: World;
const clientele = useClientele();
const createPopulated = createPopulatedAccounts(clientele);
beforeAll(async () => {
  ({ account, world } = await createPopulated());
});

const foreign = 'Zoë Łukasz 李小龍 🙈 %41 %zz "quoted" \\ \u0301 & <b>';

const failures: {
  name: string;
  method: DescMethodUnary;
  ask: () => JsonObject;
  headers?: Record<string, string>;
  want: object;
}[] = [
  {
    name: "INVALID_ARGUMENT with every wrong field",
    method: createCustomer,
    ask: () => ({ customer: { email: "nobody", phone: "x" } }),
    want: {
      code: "InvalidArgument",
      reason: "FIELDS_INVALID",
      message: "Enter a valid email address.",
      fields: { "customer.email": "Enter a valid email address.", "customer.phone": "Enter a valid phone number." },
    },
  },
  {
    name: "INVALID_ARGUMENT for a missing field",
    method: createCheckout,
    ask: () => ({ checkout: { url: "https://shop.example" } }),
    want: {
      message: "This field is required.",
      fields: {
        "checkout.contact.email": "This field is required.",
        "checkout.shipping": "This field is required.",
      },
    },
  },
  {
    name: "a violation that quotes what is not ASCII",
    method: createCustomer,
    ask: () => ({ customer: { email: "zoe@example.com", metadata: { [`ключ${"ж".repeat(60)}`]: 1 } } }),
    want: { message: `customer.metadata.ключ${"ж".repeat(36)}: must be at most 40 characters long as a key` },
  },
  {
    name: "UNAUTHENTICATED",
    method: getCustomer,
    ask: () => ({ id: "x" }),
    headers: { "api-key": "" },
    want: { code: "Unauthenticated", message: "Authentication credentials were not provided." },
  },
  {
    name: "NOT_FOUND",
    method: getCustomer,
    ask: () => ({ id: "cus_absent" }),
    want: {
      code: "NotFound",
      reason: "RESOURCE_NOT_FOUND",
      message: "The customer could not be found, please check the id.",
    },
  },
  {
    name: "ALREADY_EXISTS",
    method: createCustomer,
    ask: () => ({ customer: { email: `FIRST.${world.unique}@example.com` } }),
    want: { code: "AlreadyExists", reason: "EMAIL_TAKEN" },
  },
  {
    name: "ABORTED",
    method: updateCustomer,
    ask: () => ({ customer: { id: world.customer, name: "New", etag: "v0" } }),
    want: { code: "Aborted", reason: "ETAG_STALE" },
  },
  {
    name: "FAILED_PRECONDITION",
    method: setDefaultPaymentMethod,
    ask: () => ({ customerId: world.customer, id: "cct_live_1" }),
    want: { code: "FailedPrecondition", reason: "PAYMENT_METHOD_MODE_MISMATCH" },
  },
];

describe.for(ways)("over $name", ({ open }) => {
  const call: Call = (...args) => open(clientele, account.testKey)(...args);

  test("text of any script survives, in data, keys and metadata", { timeout: 60_000 }, async () => {
    const customer = {
      email: `Zoë.${crypto.randomUUID()}@example.com`,
      name: foreign,
      metadata: { [foreign.slice(0, 20)]: foreign },
    };
    const made = (await call(createCustomer, { customer })) as JsonObject;
    expect(made).toMatchObject({ customer });
    expect(await call(getCustomer, { id: idOf(made) })).toEqual(made);
  });

  test.for(failures)("$name arrives with its details", async ({ method, ask, headers, want }) => {
    expect(await failureOf(call(method, ask(), headers))).toMatchObject(want);
  });

  test("a replayed answer is the first one", async () => {
    const request = { customer: { email: `${crypto.randomUUID()}@example.com` } };
    const headers = { "idempotency-key": crypto.randomUUID() };
    expect(await call(createCustomer, request, headers)).toEqual(await call(createCustomer, request, headers));
  });
});

test.for(casesOf(methods))("$name answers alike over every way in", { timeout: 60_000 }, async ({ method }) => {
  const shapes: [string, string[]][] = [];
  for (const { name, open } of ways.filter((way) => !way.name.startsWith("buf") || method.name === "CreateCheckout")) {
    // What changes something uses its world up.
    const isRead = reads.includes(method);
    const own = isRead ? { account, world } : await createPopulated();
    const request = requestFor(method, own.world);
    const answer = await open(clientele, own.account.testKey)(method, request);
    shapes.push([name, pathsOf(answer).sort()]);
  }
  const [[, first] = ["", []]] = shapes;
  for (const [name, paths] of shapes) expect(paths, name).toEqual(first);
});

test.for([10, 40, 60, 500, 4_000])("metadata nested %i deep is refused, or read over every way in", async (depth) => {
  const own = await clientele.createAccount();
  const nested = JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as JsonValue;
  const request = { customer: { email: "deep@example.com", metadata: { nested } } };
  const headers = { "idempotency-key": "key-1" };
  const create = () => overFetch(clientele.httpUrl, own.testKey)(createCustomer, request, headers);
  const made = await create().catch((error: unknown) => failureOf(Promise.reject(error)));
  if ("reason" in Object(made)) return expect(made).toMatchObject({ code: "InvalidArgument" });
  expect(await create()).toEqual(made);
  for (const { name, open } of ways.filter((way) => !way.name.startsWith("buf"))) {
    const read = open(clientele, own.testKey)(getCustomer, { id: idOf(made as JsonObject) });
    expect(await read.catch(String), name).toEqual(made);
  }
});

describe("Connect", () => {
  const headersOf = (key: string) => ({ "api-key": key, "connect-protocol-version": "1" });

  test.for(casesOf(reads.filter(mayTravelInUrl)))("answers $name by GET", async ({ method }) => {
    const request = requestFor(method, world);
    const url = new URL(clientele.httpUrl + pathOf(method));
    const by = async (parameters: Record<string, string>) => {
      url.search = new URLSearchParams({ connect: "v1", ...parameters }).toString();
      const answer = await fetch(url, { headers: headersOf(account.testKey) });
      return { status: answer.status, body: await answer.json() };
    };
    const want = { status: 200, body: await overFetch(clientele.httpUrl, account.testKey)(method, request) };
    expect(await by({ encoding: "json", message: JSON.stringify(request) })).toEqual(want);
    const bytes = toBinary(method.input, fromJson(method.input, request));
    const packed = Buffer.from(gzipSync(Buffer.from(JSON.stringify(request)))).toString("base64url");
    expect(await by({ encoding: "json", base64: "1", compression: "gzip", message: packed })).toEqual(want);
    url.search = new URLSearchParams({
      connect: "v1",
      encoding: "proto",
      base64: "1",
      message: Buffer.from(bytes).toString("base64url"),
    }).toString();
    const answer = await fetch(url, { headers: headersOf(account.testKey) });
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/proto"]);
  });

  test.for(casesOf(methods.filter((method) => !mayTravelInUrl(method))))("refuses $name by GET", async ({ method }) => {
    const url = `${clientele.httpUrl}${pathOf(method)}?connect=v1&encoding=json&message=%7B%7D`;
    const answer = await fetch(url, { headers: headersOf(account.testKey) });
    expect(answer.status).toBe(405);
    expect(await answer.json()).toMatchObject({ details: [{ type: "google.rpc.ErrorInfo" }] });
  });

  const post = async (
    method: DescMethodUnary,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ) => {
    const answer = await fetch(clientele.httpUrl + pathOf(method), {
      method: "POST",
      headers: { "content-type": "application/json", "api-key": account.testKey, ...headers },
      body,
    });
    return { answer, body: (await answer.json()) as JsonObject };
  };

  test("takes names in camel case and in snake case, and answers in camel case", async () => {
    const names = { camel: "firstName", snake: "first_name" };
    for (const [spelling, name] of Object.entries(names)) {
      const customer = { email: `${crypto.randomUUID()}@example.com`, [name]: canary };
      const { body } = await post(createCustomer, JSON.stringify({ customer }));
      expect(body, spelling).toMatchObject({ customer: { firstName: canary, displayName: customer.email } });
      expect(JSON.stringify(body)).not.toContain("_name");
    }
    const pages = await Promise.all(
      ["page_size", "pageSize"].map((size) => post(listCustomers, JSON.stringify({ [size]: 1, showDeleted: true }))),
    );
    expect(pages.map(({ body }) => (body.customers as JsonValue[]).length)).toEqual([1, 1]);
  });

  test("refuses a field that it does not know", async () => {
    const { answer } = await post(getCustomer, JSON.stringify({ id: world.customer, favouriteColour: "green" }));
    expect(answer.status).toBe(400);
  });

  test("takes a gzipped request, and gzips a long answer for a client that accepts it", async () => {
    const packed = gzipSync(
      JSON.stringify({
        customer: { email: `${crypto.randomUUID()}@example.com`, metadata: { text: "long ".repeat(1_000) } },
      }),
    );
    const { answer, body } = await post(createCustomer, packed, {
      "content-encoding": "gzip",
      "accept-encoding": "gzip",
    });
    expect(answer.headers.get("content-encoding")).toBe("gzip");
    expect(body).toMatchObject({ customer: { metadata: { text: "long ".repeat(1_000) } } });
  });

  const strangers: { name: string; path: string; headers?: Record<string, string>; status: number }[] = [
    { name: "an unknown method", path: "/clientele.v1.CustomerService/DropCustomers", status: 404 },
    { name: "an unknown service", path: "/clientele.v1.NoService/Get", status: 404 },
    {
      name: "an unknown content type",
      path: pathOf(getCustomer),
      headers: { "content-type": "text/xml" },
      status: 415,
    },
    { name: "an unknown encoding", path: pathOf(getCustomer), headers: { "content-encoding": "zstd" }, status: 404 },
  ];

  test.for(strangers)("answers $name with one ErrorInfo", async ({ path, headers, status }) => {
    const answer = await fetch(clientele.httpUrl + path, {
      method: "POST",
      headers: { "content-type": "application/json", "api-key": account.testKey, ...headers },
      body: "{}",
    });
    expect(answer.status).toBeOneOf([status, 501]);
    const { details } = (await answer.json()) as { details: { type: string }[] };
    expect(details.map(({ type }) => type)).toEqual(["google.rpc.ErrorInfo"]);
  });
});

function idOf(answer: JsonObject): string {
  return String(Object(answer.customer).id);
}

// The paths of all that an answer holds; of a list, those of its first item. Empty objects and defaults are the codec's.
function pathsOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return pathsOf(value[0], `${path}[]`);
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, `${path}.${key}`));
}
