import { randomBytes } from "node:crypto";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import knex, { type Knex } from "knex";
import { afterAll, beforeAll } from "vitest";
import { AccountService, SettingsPreset } from "../../gen/clientele/v1/accounts_pb.js";
import { AddressService } from "../../gen/clientele/v1/addresses_pb.js";
import { ApiKeyService } from "../../gen/clientele/v1/api_keys_pb.js";
import { CheckoutService } from "../../gen/clientele/v1/checkouts_pb.js";
import { CustomFieldService } from "../../gen/clientele/v1/custom_fields_pb.js";
import { CustomerTokenService } from "../../gen/clientele/v1/customer_tokens_pb.js";
import { CustomerService } from "../../gen/clientele/v1/customers_pb.js";
import { EventService } from "../../gen/clientele/v1/events_pb.js";
import { FormService } from "../../gen/clientele/v1/forms_pb.js";
import { OrderService } from "../../gen/clientele/v1/orders_pb.js";
import { PasswordService } from "../../gen/clientele/v1/passwords_pb.js";
import { PaymentMethodService } from "../../gen/clientele/v1/payment_methods_pb.js";
import { PhotoService } from "../../gen/clientele/v1/photos_pb.js";
import { PrivacyService } from "../../gen/clientele/v1/privacy_pb.js";
import { TaxCertificateService } from "../../gen/clientele/v1/tax_certificates_pb.js";
import { TaxIdentifierService } from "../../gen/clientele/v1/tax_identifiers_pb.js";
import { WebhookService } from "../../gen/clientele/v1/webhooks_pb.js";
import { readConfig } from "../../src/config.js";
import type { Overrides } from "../../src/deps.js";
import { createAccount } from "../../src/resources/accounts/create.js";
import { createNewId } from "../../src/rpc/ids.js";
import { serve } from "../../src/serve.js";
import { createTestDatabase } from "./postgres.js";

/** The two ports of a service. */
export interface Addresses {
  readonly httpUrl: string;
  /** Host and port of the internal gRPC listener. */
  readonly grpcAddress: string;
}

/** A service at work on a database of its own. */
export interface Clientele extends Addresses, AsyncDisposable {
  readonly metricsUrl: string;
  readonly databaseUrl: string;
  /** A plain connection, to look at what is stored. */
  readonly db: Knex;
  /** A merchant with a test and a live tenant, and clients that carry its test key. */
  createAccount(preset?: SettingsPreset): Promise<TestAccount>;
  stop(): Promise<void>;
}

export interface TestAccount {
  readonly accountId: string;
  readonly testKey: string;
  readonly liveKey: string;
  readonly test: Clients;
  readonly live: Clients;
}

export interface Clients {
  readonly accounts: Client<typeof AccountService>;
  readonly apiKeys: Client<typeof ApiKeyService>;
  readonly customers: Client<typeof CustomerService>;
  readonly customerTokens: Client<typeof CustomerTokenService>;
  readonly passwords: Client<typeof PasswordService>;
  readonly addresses: Client<typeof AddressService>;
  readonly paymentMethods: Client<typeof PaymentMethodService>;
  readonly photos: Client<typeof PhotoService>;
  readonly checkouts: Client<typeof CheckoutService>;
  readonly orders: Client<typeof OrderService>;
  readonly events: Client<typeof EventService>;
  readonly customFields: Client<typeof CustomFieldService>;
  readonly webhooks: Client<typeof WebhookService>;
  readonly taxIdentifiers: Client<typeof TaxIdentifierService>;
  readonly taxCertificates: Client<typeof TaxCertificateService>;
  readonly forms: Client<typeof FormService>;
  readonly privacy: Client<typeof PrivacyService>;
}

/** The ways in that share one client type; each is a transport to a running service. */
export const transports: Readonly<Record<string, (addresses: Addresses, key: string) => Transport>> = {
  "gRPC on the internal port": ({ grpcAddress }, key) =>
    createGrpcTransport({ baseUrl: `http://${grpcAddress}`, interceptors: [withKey(key)] }),
  "gRPC on the public port": ({ httpUrl }, key) =>
    createGrpcTransport({ baseUrl: httpUrl, interceptors: [withKey(key)] }),
  "gRPC-Web": ({ httpUrl }, key) =>
    createGrpcWebTransport({ baseUrl: httpUrl, httpVersion: "1.1", interceptors: [withKey(key)] }),
  "Connect in JSON": ({ httpUrl }, key) =>
    createConnectTransport({
      baseUrl: httpUrl,
      httpVersion: "1.1",
      useBinaryFormat: false,
      interceptors: [withKey(key)],
    }),
  "Connect in binary": ({ httpUrl }, key) =>
    createConnectTransport({ baseUrl: httpUrl, httpVersion: "2", useBinaryFormat: true, interceptors: [withKey(key)] }),
};

/** Starts one service for all tests of a file, and stops it after them. */
export function useClientele(overrides: Overrides = {}, environment = {}): Clientele {
  let started: Clientele | undefined;
  beforeAll(async () => {
    started = await startClientele(overrides, environment);
  });
  afterAll(() => started?.stop());
  // Tests hold it before it has started.
  return new Proxy({} as Clientele, {
    get(_, name) {
      if (started === undefined) throw new Error("the service has not started");
      return Reflect.get(started, name);
    },
  });
}

/** Starts a service that its caller stops. */
export async function startClientele(overrides: Overrides = {}, environment = {}): Promise<Clientele> {
  const database = await createTestDatabase();
  const config = readConfig({
    CLIENTELE_HTTP_PORT: "0",
    CLIENTELE_GRPC_PORT: "0",
    CLIENTELE_METRICS_PORT: "0",
    CLIENTELE_LOG_LEVEL: "silent",
    CLIENTELE_JOBS: "false",
    CLIENTELE_DRAIN_SECONDS: "5",
    // Races must not depend on the speed of the machine.
    CLIENTELE_DATABASE_WAIT_SECONDS: "9",
    CLIENTELE_SECRET_KEY: randomBytes(32).toString("hex"),
    CLIENTELE_WEBHOOKS_TO_PRIVATE_NETWORKS: "true",
    ...environment,
  });
  const service = await serve(config, database.url, overrides);
  const db = knex({ client: "pg", connection: database.url, pool: { min: 0, max: 4 } });
  const clock = overrides.clock ?? (() => new Date());
  const stop = async () => {
    await service.stop();
    await db.destroy();
    await database.drop();
  };
  const clientele: Clientele = {
    httpUrl: `http://127.0.0.1:${service.httpPort}`,
    grpcAddress: `127.0.0.1:${service.grpcPort}`,
    metricsUrl: `http://127.0.0.1:${service.metricsPort}/metrics`,
    databaseUrl: database.url,
    db,
    stop,
    [Symbol.asyncDispose]: stop,
    async createAccount(preset = SettingsPreset.OPEN) {
      const deps = { db, clock, randomBytes, newId: createNewId(clock, randomBytes) };
      const created = await createAccount(deps, `Account ${randomBytes(5).toString("hex")}`, preset);
      const clientsWith = (key: string) => clientsOn(transports["Connect in binary"]!(clientele, key));
      return { ...created, test: clientsWith(created.testKey), live: clientsWith(created.liveKey) };
    },
  };
  return clientele;
}

/** A client for each service on one transport. */
export function clientsOn(transport: Transport): Clients {
  return {
    accounts: createClient(AccountService, transport),
    apiKeys: createClient(ApiKeyService, transport),
    customers: createClient(CustomerService, transport),
    customerTokens: createClient(CustomerTokenService, transport),
    passwords: createClient(PasswordService, transport),
    addresses: createClient(AddressService, transport),
    paymentMethods: createClient(PaymentMethodService, transport),
    photos: createClient(PhotoService, transport),
    checkouts: createClient(CheckoutService, transport),
    orders: createClient(OrderService, transport),
    events: createClient(EventService, transport),
    customFields: createClient(CustomFieldService, transport),
    webhooks: createClient(WebhookService, transport),
    taxIdentifiers: createClient(TaxIdentifierService, transport),
    taxCertificates: createClient(TaxCertificateService, transport),
    forms: createClient(FormService, transport),
    privacy: createClient(PrivacyService, transport),
  };
}

function withKey(key: string): Interceptor {
  return (next) => async (req) => {
    if (key.startsWith("ct_")) req.header.set("authorization", `Bearer ${key}`);
    else if (!req.header.has("authorization")) req.header.set("api-key", key);
    return await next(req);
  };
}
