import type { MessageInitShape } from "@bufbuild/protobuf";
import { ApiKeyKind } from "../../gen/clientele/v1/api_keys_pb.js";
import type { CustomerSchema } from "../../gen/clientele/v1/customers_pb.js";
import { type Clientele, type Clients, clientsOn, transports } from "./clientele.js";
import { createCustomer, newEmail } from "./customers.js";

export const password = "correct horse battery staple";

/** A customer with a password. */
export async function createShopper(clients: Clients, overrides: MessageInitShape<typeof CustomerSchema> = {}) {
  const email = newEmail();
  const { id } = await createCustomer(clients, { email, password, ...overrides });
  return { id, email };
}

/** A publishable key of the tenant, as a page carries it. */
export async function newPublishableKey({ apiKeys }: Clients): Promise<string> {
  return (await apiKeys.createApiKey({ apiKey: { kind: ApiKeyKind.PUBLISHABLE } })).secret;
}

/** Signs in by e-mail address and password; from another IP address only with a secret key. */
export async function signIn({ customerTokens }: Clients, email: string, typed = password, clientIpAddress = "") {
  const credential = { case: "emailPassword", value: { email, password: typed } } as const;
  const { customerToken, secret } = await customerTokens.createCustomerToken({ credential, clientIpAddress });
  return { token: customerToken!, secret };
}

/** Signs a customer in by id, as a merchant's server may. */
export async function signInById({ customerTokens }: Clients, customerId: string) {
  const credential = { case: "customerId", value: customerId } as const;
  const { customerToken, secret } = await customerTokens.createCustomerToken({ credential });
  return { token: customerToken!, secret };
}

/** Clients that carry a key or a token. */
export function clientsWith(clientele: Clientele, secret: string): Clients {
  return clientsOn(transports["Connect in JSON"]!(clientele, secret));
}
