import type { DescMethodUnary, JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { AddressService } from "../../gen/clientele/v1/addresses_pb.js";
import { CustomerTokenService } from "../../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { OrderService } from "../../gen/clientele/v1/orders_pb.js";
import { houston } from "../support/addresses.js";
import { failureOf } from "../support/errors.js";
import { authorize } from "../support/oidc.js";
import { type Mall, openMall } from "../support/shop.js";
import { ways } from "../support/ways.js";

interface Answer {
  readonly secret: string;
  readonly customerToken: { readonly customerId: string; readonly method: string };
}

let mall: Mall;
beforeAll(async () => {
  mall = await openMall();
});
afterAll(async () => await mall[Symbol.asyncDispose]());

const { createCustomerToken } = CustomerTokenService.method;

// Elastic Path: the customer token by OpenID Connect.
test.for(ways)("a shopper signs in at a provider, over $name", { timeout: 60_000 }, async ({ open }) => {
  const { publishable } = await mall.newShop(SettingsPreset.ELASTIC_PATH);
  const page = open(mall.clientele, publishable);
  const subject = mall.person();
  const grant = async () => ({ provider: "home", ...(await authorize(mall.provider.issuer, subject)) });
  const redeem = async (authorizationCode: Awaited<ReturnType<typeof grant>>) =>
    (await page(createCustomerToken, { authorizationCode })) as unknown as Answer;

  const first = await grant();
  const { secret, customerToken } = await redeem(first);
  expect(customerToken.method).toBe("CUSTOMER_TOKEN_METHOD_IDENTITY_PROVIDER");
  const { customerId } = customerToken;
  const own = (method: DescMethodUnary, request: JsonValue) => page(method, request, { "x-customer-token": secret });
  const person = { name: `Name of ${subject}`, email: `${subject}@example.com` };
  expect(await own(CustomerService.method.getCustomer, { id: customerId })).toMatchObject({ customer: person });
  await own(AddressService.method.createAddress, { customerId, address: houston });
  expect(await own(AddressService.method.listAddresses, { customerId })).toMatchObject({ addresses: [houston] });
  expect(await own(OrderService.method.listOrders, {})).toEqual({});

  // A code works once, and not with another verifier; the person is the same customer ever after.
  const second = await grant();
  for (const wrong of [first, { ...second, codeVerifier: first.codeVerifier }]) {
    expect(await failureOf(redeem(wrong))).toMatchObject({ code: "Unauthenticated", reason: "IDENTITY_NOT_CONFIRMED" });
  }
  expect((await redeem(await grant())).customerToken.customerId).toBe(customerId);
});
