import { beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerTokenMethod } from "../../../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../../../gen/clientele/v1/customers_pb.js";
import { type Clients, type TestAccount, useClientele } from "../../support/clientele.js";
import { getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { allAtOnce, createCallers } from "../../support/parallel.js";
import { startReplica } from "../../support/replica.js";
import { clientsWith, createShopper, newPublishableKey, password, signIn, signInById } from "../../support/shoppers.js";
import { dump } from "../../support/snapshot.js";
import { overFetch } from "../../support/ways.js";

const start = new Date("2026-03-01T12:00:00Z");
const day = 24 * 60 * 60 * 1000;
const later = (ms: number) => new Date(start.getTime() + ms);
let now = start;
let account: TestAccount;
let publishableKey: string;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  account = await clientele.createAccount();
  publishableKey = await newPublishableKey(account.test);
});
beforeEach(() => {
  now = start;
});

const invalid = { code: "Unauthenticated", reason: "CREDENTIALS_INVALID" };
const shopper = (secret: string, at = clientele) => clientsWith(at, secret);
const isRefused = async (secret: string, id: string, at = clientele) =>
  expect(await failureOf(getCustomer(shopper(secret, at), id))).toMatchObject(invalid);

describe("a token", () => {
  const kinds = [
    { by: "a secret key", method: CustomerTokenMethod.SECRET_KEY },
    { by: "e-mail address and password", method: CustomerTokenMethod.PASSWORD },
  ];

  test.for(kinds)(
    "made by $by reaches the customer's own profile, and is read back without its secret",
    async (kind) => {
      const { id, email } = await createShopper(account.test);
      const page = clientsWith(clientele, publishableKey);
      const bySecretKey = kind.method === CustomerTokenMethod.SECRET_KEY;
      const { token, secret } = bySecretKey
        ? await signInById(account.test, id)
        : await signIn(page, ` ${email.toUpperCase()} `);
      expect(secret).toMatch(/^ct_test_[0-9a-z]{26}[0-9a-z]{32}$/);
      expect(token).toMatchObject({ customerId: id, method: kind.method, last4: secret.slice(-4), liveMode: false });
      expect(token.id).toMatch(/^tok_[0-9a-z]{26}$/);
      expect(token.expireTime!.seconds - token.createTime!.seconds).toBe(86_400n);
      expect((await getCustomer(shopper(secret), id)).email).toBe(email);
      const read = { customerId: id, id: token.id };
      expect((await account.test.customerTokens.getCustomerToken(read)).customerToken).toEqual(token);
      expect((await shopper(secret).customerTokens.listCustomerTokens({ customerId: id })).customerTokens).toEqual([
        token,
      ]);
    },
  );

  test("of the live tenant says so", async () => {
    const { id } = await createShopper(account.live);
    const { secret } = await signInById(account.live, id);
    expect(secret).toMatch(/^ct_live_/);
    expect((await getCustomer(shopper(secret), id)).liveMode).toBe(true);
  });

  test("reaches no other customer", async () => {
    const [one, other] = [await createShopper(account.test), await createShopper(account.test)];
    const { secret } = await signInById(account.test, one.id);
    const failure = await failureOf(getCustomer(shopper(secret), other.id));
    expect(failure).toMatchObject({ code: "NotFound" });
    expect(failure).toEqual(await failureOf(getCustomer(shopper(secret), "cus_absent")));
  });

  test("is made of a customer by a secret key alone", async () => {
    const { id } = await createShopper(account.test);
    const byPage = signInById(clientsWith(clientele, publishableKey), id);
    expect(await failureOf(byPage)).toMatchObject({ code: "PermissionDenied", reason: "ACCESS_DENIED" });
    expect(await failureOf(signInById(account.test, "cus_absent"))).toMatchObject({ code: "NotFound" });
    expect(await failureOf(signInById(account.live, id))).toMatchObject({ code: "NotFound" });
    await account.test.customers.deleteCustomer({ id });
    expect(await failureOf(signInById(account.test, id))).toMatchObject({ reason: "CUSTOMER_DELETED" });
  });

  test("works for a disabled customer, who may order nothing but look", async () => {
    const { id } = await createShopper(account.test, { enabled: false });
    const { secret } = await signInById(account.test, id);
    expect((await getCustomer(shopper(secret), id)).enabled).toBe(false);
  });

  test("is shown once: no replayed answer and no dump holds it", async () => {
    const { id } = await createShopper(account.test);
    const headers = { "Idempotency-Key": "once" };
    const create = () =>
      account.test.customerTokens.createCustomerToken({ credential: { case: "customerId", value: id } }, { headers });
    const [first, second] = [await create(), await create()];
    expect(second).toMatchObject({ customerToken: first.customerToken, secret: "" });
    await getCustomer(shopper(first.secret), id);
    const everything = await dump(clientele.db);
    const random = Buffer.from(first.secret.slice(-32));
    for (const form of [random.toString(), random.toString("hex"), random.toString("base64").slice(2, -4)]) {
      expect(everything).not.toContain(form);
    }
  });
});

describe("the forms of a token", () => {
  let id: string;
  let secret: string;
  let liveKey: string;
  beforeAll(async () => {
    ({ id } = await createShopper(account.test));
    ({ secret } = await signInById(account.test, id));
    liveKey = await newPublishableKey(account.live);
  });
  const forms: { name: string; headers: () => Record<string, string>; refused?: object }[] = [
    { name: "a Bearer token", headers: () => ({ authorization: `Bearer ${secret}` }) },
    {
      name: "a Bearer token beside a publishable key",
      headers: () => ({ authorization: `Bearer ${secret}`, "api-key": publishableKey }),
    },
    {
      name: "x-customer-token beside a publishable key",
      headers: () => ({ "x-customer-token": secret, "api-key": publishableKey }),
    },
    {
      name: "x-customer-token beside a publishable key as Basic",
      headers: () => ({ "x-customer-token": secret, authorization: `Basic ${btoa(`${publishableKey}:`)}` }),
    },
    {
      name: "x-customer-token alone",
      headers: () => ({ "x-customer-token": secret }),
      refused: { reason: "CREDENTIALS_MISSING" },
    },
    {
      name: "x-customer-token beside a secret key",
      headers: () => ({ "x-customer-token": secret, "api-key": account.testKey }),
      refused: invalid,
    },
    {
      name: "x-customer-token beside a key of the other half",
      headers: () => ({ "x-customer-token": secret, "api-key": liveKey }),
      refused: invalid,
    },
    {
      name: "x-customer-token beside a key that nobody has",
      headers: () => ({ "x-customer-token": secret, "api-key": `${publishableKey.slice(0, -4)}0000` }),
      refused: invalid,
    },
    {
      name: "an unknown x-customer-token beside a publishable key",
      headers: () => ({ "x-customer-token": `${secret.slice(0, -4)}0000`, "api-key": publishableKey }),
      refused: invalid,
    },
    {
      name: "a key as x-customer-token",
      headers: () => ({ "x-customer-token": publishableKey, "api-key": publishableKey }),
      refused: invalid,
    },
    { name: "a token as api-key", headers: () => ({ "api-key": secret }), refused: invalid },
    {
      name: "two tokens",
      headers: () => ({ authorization: `Bearer ${secret}`, "x-customer-token": `${secret.slice(0, -4)}0000` }),
      refused: invalid,
    },
    {
      name: "a token of the other mode",
      headers: () => ({ authorization: `Bearer ${secret.replace("test", "live")}` }),
      refused: invalid,
    },
  ];

  test.for(forms)("$name", async ({ headers, refused }) => {
    const call = overFetch(clientele.httpUrl, "")(CustomerService.method.getCustomer, { id }, headers());
    if (refused === undefined) expect(await call).toMatchObject({ customer: { id } });
    else expect(await failureOf(call)).toMatchObject(refused);
  });
});

describe("a token ends", () => {
  test("after 24 hours, exactly", async () => {
    const { id } = await createShopper(account.test);
    const { secret } = await signInById(account.test, id);
    now = later(day - 1);
    await getCustomer(shopper(secret), id);
    now = later(day);
    await isRefused(secret, id);
  });

  test("when it is revoked, and no other does; every replica refuses it within a second", async () => {
    await using replica = await startReplica(clientele, { clock: () => now });
    const { id } = await createShopper(account.test);
    const [one, other] = [await signInById(account.test, id), await signInById(account.test, id)];
    for (const at of [clientele, replica]) await getCustomer(shopper(one.secret, at), id);
    const revoke = { customerId: id, id: one.token.id };
    const { customerToken } = await shopper(one.secret).customerTokens.revokeCustomerToken(revoke);
    expect(customerToken!.revokeTime).toEqual(one.token.createTime);
    await isRefused(one.secret, id);
    await vi.waitFor(() => expect(getCustomer(shopper(one.secret, replica), id)).rejects.toThrow(), 1_000);
    await isRefused(one.secret, id, replica);
    await getCustomer(shopper(other.secret, replica), id);
    const again = await account.test.customerTokens.revokeCustomerToken(revoke);
    expect(again.customerToken).toEqual(customerToken);
  });

  const ends: { name: string; preset?: SettingsPreset; end: (by: Clients, id: string) => Promise<unknown> }[] = [
    {
      name: "all are revoked",
      end: ({ customerTokens }, id) => customerTokens.revokeAllCustomerTokens({ customerId: id }),
    },
    {
      name: "the password is set",
      end: ({ passwords }, id) => passwords.setPassword({ customerId: id, password: "another one" }),
    },
    {
      name: "the password is changed",
      end: ({ passwords }, id) =>
        passwords.changePassword({ customerId: id, oldPassword: password, newPassword: "another one" }),
    },
    { name: "the password is removed", end: ({ passwords }, id) => passwords.removePassword({ customerId: id }) },
    {
      name: "an update writes the password",
      end: ({ customers }, id) => customers.updateCustomer({ customer: { id, password: "another one" } }),
    },
    { name: "the customer is deleted", end: ({ customers }, id) => customers.deleteCustomer({ id }) },
    {
      name: "the customer is deleted for good",
      preset: SettingsPreset.ELASTIC_PATH,
      end: ({ customers }, id) => customers.deleteCustomer({ id }),
    },
  ];

  test.for(ends)("with all others when $name, at once and everywhere", async ({ preset, end }) => {
    await using replica = await startReplica(clientele, { clock: () => now });
    const { test: own } = preset === undefined ? account : await clientele.createAccount(preset);
    const { id } = await createShopper(own);
    const secrets = [(await signInById(own, id)).secret, (await signInById(own, id)).secret];
    for (const secret of secrets) await getCustomer(shopper(secret, replica), id);
    await end(own, id);
    for (const secret of secrets) await isRefused(secret, id);
    await vi.waitFor(() => expect(getCustomer(shopper(secrets[0]!, replica), id)).rejects.toThrow(), 1_000);
    for (const secret of secrets) await isRefused(secret, id, replica);
  });

  test("once, whoever of 50 revokes it, and each gets the same answer", async () => {
    const { id } = await createShopper(account.test);
    const { token } = await signInById(account.test, id);
    const callers = createCallers(clientele, account.testKey);
    const { answers, failures } = await allAtOnce(callers, ({ customerTokens }) =>
      customerTokens.revokeCustomerToken({ customerId: id, id: token.id }),
    );
    expect(failures).toEqual([]);
    expect(new Set(answers.map(({ customerToken }) => customerToken!.etag)).size).toBe(1);
    const events = await clientele.db("events").where({ resource_id: token.id }).orderBy("position").pluck("type");
    expect(events).toEqual(["customer_token.created", "customer_token.revoked"]);
  });

  test("a token of the old password is revoked, also when it was made during the change", async () => {
    const { id, email } = await createShopper(account.test);
    const callers = createCallers(clientele, account.testKey, 12);
    const { answers } = await allAtOnce(callers, async (by, index) => {
      if (index === 3) return await by.passwords.setPassword({ customerId: id, password: "another one" });
      return await signIn(by, email, password, `192.0.2.${index}`);
    });
    const secrets = answers.flatMap((answer) => ("secret" in answer ? [answer.secret] : []));
    for (const secret of secrets) await isRefused(secret, id);
    await getCustomer(shopper((await signIn(account.test, email, "another one")).secret), id);
  });
});
