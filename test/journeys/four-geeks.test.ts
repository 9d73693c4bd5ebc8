import { createHash } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { AddressService } from "../../gen/clientele/v1/addresses_pb.js";
import { CheckoutService } from "../../gen/clientele/v1/checkouts_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { OrderService } from "../../gen/clientele/v1/orders_pb.js";
import { useClientele } from "../support/clientele.js";
import { failureOf } from "../support/errors.js";
import { maxPhotoBytes, plain, pngOf } from "../support/images.js";
import { type Call, ways } from "../support/ways.js";

const { createCustomer, getCustomer, listCustomers, searchCustomers, updateCustomer, deleteCustomer } =
  CustomerService.method;
const { createAddress } = AddressService.method;
const { createCheckout } = CheckoutService.method;
const { createOrder, listOrders } = OrderService.method;

interface Answer {
  readonly customer: { readonly id: string; readonly email: string; readonly photoUrl: string };
  readonly customers?: readonly { readonly firstName: string }[];
  readonly totalSize?: number;
  readonly checkout: { readonly id: string };
  readonly order: { readonly id: string };
}

const shadya = { firstName: "Shadya", lastName: "Mora", email: "shadya.mora+401@4geeks.io", country: "Costa Rica" };
const home = { line1: "Calle 5", city: "San José", country: "CR" };
const basic = (key: string) => `Basic ${Buffer.from(`${key}:`).toString("base64")}`;

let largest: Buffer;
let larger: Buffer;
let gif: Buffer;
const clientele = useClientele();
beforeAll(async () => {
  [largest, larger, gif] = [await pngOf(maxPhotoBytes), await pngOf(maxPhotoBytes + 1), await plain("gif")];
});

// A merchant's life under the preset FOUR_GEEKS.
test.for(ways)("a merchant lives through FOUR_GEEKS over $name", { timeout: 90_000 }, async ({ open }) => {
  const account = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
  const authenticated = (key: string): Call => {
    const call = open(clientele, "");
    return (method, request, headers) => call(method, request, { authorization: basic(key), ...headers });
  };
  const call = authenticated(account.testKey);
  const answer = async (...[method, request]: Parameters<Call>) => (await call(method, request)) as unknown as Answer;

  const anonymous = open(clientele, "")(listCustomers, {});
  expect(await failureOf(anonymous)).toMatchObject({ message: "Authentication credentials were not provided." });

  const required = "This field is required.";
  expect((await failureOf(call(createCustomer, { customer: {} }))).fields).toEqual({
    "customer.first_name": required,
    "customer.last_name": required,
    "customer.email": required,
  });
  const unmailable = call(createCustomer, { customer: { ...shadya, email: "shadya" } });
  expect((await failureOf(unmailable)).fields).toEqual({ "customer.email": "Enter a valid email address." });

  const { customer } = await answer(createCustomer, { customer: shadya });
  expect(customer).toMatchObject({ country: "CR", countryName: "Costa Rica" });
  const again = call(createCustomer, { customer: { ...shadya, email: ` ${shadya.email.toUpperCase()}` } });
  expect(await failureOf(again)).toMatchObject({ reason: "EMAIL_TAKEN" });

  for (const firstName of ["Ana", "Bea", "Cira", "Dora"]) {
    await call(createCustomer, { customer: { firstName, lastName: "Cruz", email: `${firstName}@4geeks.io` } });
  }
  const second = await answer(listCustomers, { page: 2, pageSize: 1, includeTotalSize: true });
  expect(second).toMatchObject({ customers: [{ firstName: "Cira" }], totalSize: 5 });

  expect((await answer(searchCustomers, { query: "shad" })).customers).toMatchObject([{ firstName: "Shadya" }]);
  expect(await failureOf(call(searchCustomers, { query: "" }))).toMatchObject({
    message: "The search query cannot be empty.",
  });
  expect(await failureOf(call(searchCustomers, { query: "nobody" }))).toMatchObject({ code: "NotFound" });

  const { id } = customer;
  const parallel = await Promise.allSettled(
    Array.from({ length: 10 }, () => call(createAddress, { customerId: id, address: home })),
  );
  expect(parallel.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  expect(await failureOf(call(createAddress, { customerId: id, address: home }))).toMatchObject({
    code: "FailedPrecondition",
    message: "Customer already has 3 addresses registered.",
  });

  const hash = createHash("md5").update(shadya.email).digest("hex");
  expect(customer.photoUrl).toBe(`https://seccdn.libravatar.org/avatar/${hash}?d=monsterid`);
  const upload = async (photo: Buffer) => {
    const body = new FormData();
    body.set("photo", new Blob([new Uint8Array(photo)]), "photo");
    const headers = { authorization: basic(account.testKey) };
    return await fetch(`${clientele.httpUrl}/v1/customers/${id}/photo`, { method: "POST", body, headers });
  };
  expect((await upload(larger)).status).toBe(400);
  expect((await upload(gif)).status).toBe(400);
  expect((await upload(largest)).status).toBe(200);
  const { photoUrl } = (await answer(getCustomer, { id })).customer;
  expect((await fetch(photoUrl)).headers.get("content-type")).toBe("image/png");

  const note = "x".repeat(10_240 - '{"note":""}'.length);
  await call(updateCustomer, { customer: { id, metadata: { note } } });
  const oneMore = call(updateCustomer, { customer: { id, metadata: { note: `${note}x` } } });
  expect((await failureOf(oneMore)).fields).toEqual({ "customer.metadata": "must be at most 10240 bytes of JSON" });

  const live = authenticated(account.liveKey);
  expect(((await live(listCustomers, {})) as unknown as Answer).customers ?? []).toEqual([]);
  expect(await failureOf(live(getCustomer, { id }))).toMatchObject({
    message: "The customer could not be found, please check the id.",
  });

  const purchase = { url: "https://shop.example", customerId: id, paymentMethodId: `cct_sandbox_${account.accountId}` };
  const { checkout } = await answer(createCheckout, { checkout: { ...purchase, shipping: home } });
  const { order } = await answer(createOrder, { checkoutId: checkout.id });
  await call(deleteCustomer, { id });
  expect(await failureOf(call(getCustomer, { id }))).toMatchObject({ code: "NotFound" });
  expect(await answer(listOrders, { customerId: id })).toMatchObject({ orders: [{ id: order.id }] });
});
