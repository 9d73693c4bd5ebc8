import { SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { ApiKeyKind } from "../../gen/clientele/v1/api_keys_pb.js";
import type { Customer } from "../../gen/clientele/v1/customers_pb.js";
import { type Clientele, clientsOn, startClientele, type TestAccount, transports } from "./clientele.js";
import { type Authorization, authorize, type Claims, clientId, startProvider, type TestProvider } from "./oidc.js";

/** A service, and a provider that people can sign in at. */
export interface Mall extends AsyncDisposable {
  readonly clientele: Clientele;
  readonly provider: TestProvider;
  /** A merchant whose shoppers may sign in at the provider, or at another one. */
  newShop(preset?: SettingsPreset, config?: object, issuer?: string): Promise<Shop>;
  /** Somebody whom the provider knows, by an address of their own unless the claims say otherwise. */
  person(claims?: Claims): string;
  /** Signs somebody in at a shop, as its page does. */
  signIn(shop: Shop, subject: string): ReturnType<Shop["redeem"]>;
}

export type Shop = Awaited<ReturnType<typeof openShop>>;

/** Starts both. */
export async function openMall(): Promise<Mall> {
  const provider = await startProvider();
  const clientele = await startClientele({}, { CLIENTELE_PRIVATE_IDENTITY_PROVIDERS: "true" });
  let persons = 0;
  return {
    clientele,
    provider,
    newShop: (preset = SettingsPreset.OPEN, config = {}, issuer = provider.issuer) =>
      openShop(clientele, preset, { issuer, ...config }),
    person(claims = {}) {
      const subject = `person-${++persons}`;
      const own = { email: `${subject}@example.com`, email_verified: true, name: `Name of ${subject}` };
      provider.people.set(subject, { ...own, ...claims });
      return subject;
    },
    signIn: async ({ redeem }, subject) => await redeem(await authorize(provider.issuer, subject)),
    async [Symbol.asyncDispose]() {
      await clientele.stop();
      await provider[Symbol.asyncDispose]();
    },
  };
}

async function openShop(clientele: Clientele, preset: SettingsPreset, config: object) {
  const account = await clientele.createAccount(preset);
  const { secret } = await account.test.apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } });
  await account.test.accounts.updateAccountSettings({
    settings: { identityProviders: [{ name: "home", clientId, ...config }] },
  });
  const page = clientsOn(transports["Connect in binary"]!(clientele, secret));
  /** With the shop's publishable key. */
  const redeem = (authorization: Authorization & { readonly provider?: string }) =>
    page.customerTokens.createCustomerToken({
      credential: { case: "authorizationCode", value: { provider: "home", ...authorization } },
    });
  return { account, publishable: secret, redeem };
}

export async function customersOf({ test: clients }: TestAccount): Promise<Customer[]> {
  return (await clients.customers.listCustomers({ pageSize: 100 })).customers;
}
