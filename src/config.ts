import { availableParallelism } from "node:os";
import { z } from "zod";
import { isAddressRange } from "./formats/client-address.js";

/** Everything that differs from one deployment to the next. */
export interface Config {
  /** A Postgres connection string; absent to run the embedded Postgres in `dataDir`. */
  readonly databaseUrl: string | undefined;
  /** Where migrations run, if not by `databaseUrl`: behind a pooler, Postgres itself. */
  readonly migrationUrl: string | undefined;
  /** Folder of the embedded Postgres; relative to the working directory or absolute. */
  readonly dataDir: string;
  /** Address that every listener binds to. */
  readonly host: string;
  /** Port of Connect, gRPC-Web and gRPC; 0 for any free one. */
  readonly httpPort: number;
  /** Port of the internal gRPC listener; 0 for any free one. */
  readonly grpcPort: number;
  /** Port of the metrics; 0 for any free one. Absent for the usual one, without which the service also starts. */
  readonly metricsPort: number | undefined;
  /** Where clients reach the public port, such as `https://api.shop.example`; absent where they reach it by its address. */
  readonly publicUrl: string | undefined;
  /** Origins of the operator's own pages, such as `https://console.example`: they may call for every tenant. */
  readonly allowedOrigins: readonly string[];
  /** Proxies that are believed in `x-forwarded-for`: addresses, or ranges such as `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[];
  /** Certificate and key for every listener; absent for clear text. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Authority that must have signed the certificates of internal gRPC clients; absent to ask for none. */
  readonly grpcClientCaFile: string | undefined;
  /** The key from which recoverable secrets derive, such as those of webhooks; absent if none is set. */
  readonly secretKey: Buffer | undefined;
  /** Whether webhooks may be posted to private networks, and in clear text. */
  readonly webhooksToPrivateNetworks: boolean;
  /** Whether identity providers may be in private networks, and be reached over http. */
  readonly privateIdentityProviders: boolean;
  /** Addresses and ranges that no webhook is posted to, and where no identity provider may be. */
  readonly deniedNetworks: readonly string[];
  /** Whether statements are prepared by name. Turn it off behind a transaction pooler such as PgBouncer before 1.21. */
  readonly namedStatements: boolean;
  /** Processes that serve, on the same two ports. */
  readonly workers: number;
  /** Connections to Postgres, of all workers together. */
  readonly poolSize: number;
  /** How long a statement waits for a connection, and for a lock, in milliseconds. */
  readonly databaseWaitMs: number;
  /** The most connections of the public port. */
  readonly connections: number;
  /** Bytes of request bodies that the process holds before they are decoded. */
  readonly bodyBytes: number;
  /** The most watches of one tenant in this process. */
  readonly watchesPerTenant: number;
  /** Whether `serve` also runs the jobs; turn it off where `clientele worker` does. */
  readonly jobs: boolean;
  /** The vault of the cards behind live tokens; absent to refuse those. The time is for each attempt. */
  readonly cardVault: { readonly url: string; readonly secret: string; readonly timeoutMs: number } | undefined;
  /** The verifier of tax identifiers in live tenants; without one they stay PENDING. */
  readonly taxVerifier: { readonly url: string; readonly secret: string | undefined } | undefined;
  /** How long calls are still taken after SIGTERM, so that balancers see that the process is not ready, in milliseconds. */
  readonly drainDelayMs: number;
  /** How long calls in flight may take to finish after that, in milliseconds. */
  readonly drainMs: number;
  readonly logLevel: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
}

const portRule = "must be a whole number from 0 to 65535";
const anyPort = z.coerce.number(portRule).int(portRule).min(0, portRule).max(65_535, portRule);
const port = (fallback: number) => anyPort.default(fallback);
const text = z.string().min(1);
// A system that receives secrets or personal data.
const safeUrl = (example: string) =>
  text.regex(
    /^(https:\/\/[^/?#@]+|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)(\/[^?#]*)?$/,
    `must be an https address such as ${example}, or an http one of this machine`,
  );

const workersRule = "must be a whole number, or auto for one worker a core";
const postgresUrl = text.regex(/^postgres(ql)?:\/\//, "must start with postgres:// or postgresql://");
const addressRanges = z
  .string()
  .default("")
  .transform((list) => list.split(/[\s,]+/).filter((range) => range !== ""))
  .pipe(z.array(z.string().refine(isAddressRange, "must be IP addresses or ranges such as 10.0.0.0/8")));

const schema = z
  .object({
    DATABASE_URL: postgresUrl.optional(),
    CLIENTELE_MIGRATION_URL: postgresUrl.optional(),
    CLIENTELE_DATA_DIR: text.default(".clientele"),
    CLIENTELE_HOST: text.default("127.0.0.1"),
    CLIENTELE_HTTP_PORT: port(8080),
    CLIENTELE_GRPC_PORT: port(50_051),
    CLIENTELE_METRICS_PORT: anyPort.optional(),
    CLIENTELE_PUBLIC_URL: text
      .regex(/^https?:\/\/[^/?#]+[^?#]*$/, "must be an address such as https://api.shop.example")
      .transform((url) => url.replace(/\/+$/, ""))
      .optional(),
    CLIENTELE_ALLOWED_ORIGINS: z
      .string()
      .default("")
      .transform((list) => list.split(/[\s,]+/).filter((origin) => origin !== ""))
      .pipe(z.array(z.string().regex(/^https?:\/\/[^/]+$/, "must be origins such as https://shop.example"))),
    CLIENTELE_TRUSTED_PROXIES: addressRanges,
    CLIENTELE_TLS_CERT_FILE: text.optional(),
    CLIENTELE_TLS_KEY_FILE: text.optional(),
    CLIENTELE_GRPC_CLIENT_CA_FILE: text.optional(),
    CLIENTELE_SECRET_KEY: z.string().min(32, "must have at least 32 characters").optional(),
    CLIENTELE_WEBHOOKS_TO_PRIVATE_NETWORKS: z.stringbool().default(false),
    CLIENTELE_PRIVATE_IDENTITY_PROVIDERS: z.stringbool().default(false),
    CLIENTELE_DENIED_NETWORKS: addressRanges,
    CLIENTELE_NAMED_STATEMENTS: z.stringbool().default(true),
    CLIENTELE_WORKERS: z
      .union([z.literal("auto"), z.coerce.number(workersRule).int(workersRule)], workersRule)
      .default(1),
    CLIENTELE_POOL_SIZE: z.coerce.number().int().min(1).max(1000).default(10),
    CLIENTELE_DATABASE_WAIT_SECONDS: z.coerce.number().min(0.1).max(60).default(2),
    CLIENTELE_CONNECTIONS: z.coerce.number().int().min(1).max(1_000_000).default(10_000),
    CLIENTELE_BODY_MEGABYTES: z.coerce.number().int().min(1).max(65_536).default(128),
    CLIENTELE_WATCHES_PER_TENANT: z.coerce.number().int().min(0).max(100_000).default(1_000),
    CLIENTELE_JOBS: z.stringbool().default(true),
    CLIENTELE_CARD_VAULT_URL: safeUrl("https://vault.example/v1").optional(),
    CLIENTELE_CARD_VAULT_SECRET: text.optional(),
    CLIENTELE_CARD_VAULT_TIMEOUT_SECONDS: z.coerce.number().min(0.1).max(30).default(2),
    CLIENTELE_TAX_VERIFIER_URL: safeUrl("https://tax.example/v1").optional(),
    CLIENTELE_TAX_VERIFIER_SECRET: text.optional(),
    CLIENTELE_DRAIN_DELAY_SECONDS: z.coerce.number().min(0).max(600).default(5),
    CLIENTELE_DRAIN_SECONDS: z.coerce.number().min(0).max(600).default(20),
    CLIENTELE_LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  })
  .refine((env) => env.CLIENTELE_MIGRATION_URL === undefined || env.DATABASE_URL !== undefined, {
    path: ["CLIENTELE_MIGRATION_URL"],
    message: "needs DATABASE_URL",
  })
  .refine((env) => env.CLIENTELE_WORKERS === "auto" || inRange(env.CLIENTELE_WORKERS, 1, env.CLIENTELE_POOL_SIZE), {
    path: ["CLIENTELE_WORKERS"],
    message: "must be from 1 to CLIENTELE_POOL_SIZE, because each worker needs a connection",
  })
  .refine((env) => (env.CLIENTELE_TLS_CERT_FILE === undefined) === (env.CLIENTELE_TLS_KEY_FILE === undefined), {
    path: ["CLIENTELE_TLS_CERT_FILE"],
    message: "needs CLIENTELE_TLS_KEY_FILE, and the other way round",
  })
  .refine((env) => env.CLIENTELE_GRPC_CLIENT_CA_FILE === undefined || env.CLIENTELE_TLS_CERT_FILE !== undefined, {
    path: ["CLIENTELE_GRPC_CLIENT_CA_FILE"],
    message: "needs CLIENTELE_TLS_CERT_FILE",
  })
  .refine((env) => (env.CLIENTELE_CARD_VAULT_URL === undefined) === (env.CLIENTELE_CARD_VAULT_SECRET === undefined), {
    path: ["CLIENTELE_CARD_VAULT_URL"],
    message: "needs CLIENTELE_CARD_VAULT_SECRET, and the other way round",
  });

/**
 * Reads the environment, before which the options of a command go; an empty variable counts as absent. Throws one Error
 * that names every problem.
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env, options: NodeJS.ProcessEnv = {}): Config {
  const given = Object.fromEntries(Object.entries({ ...environment, ...options }).filter(([, value]) => value !== ""));
  const result = schema.safeParse(given);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`The environment is not usable:\n${problems.join("\n")}`);
  }
  const env = result.data;
  return {
    databaseUrl: env.DATABASE_URL,
    migrationUrl: env.CLIENTELE_MIGRATION_URL,
    dataDir: env.CLIENTELE_DATA_DIR,
    host: env.CLIENTELE_HOST,
    httpPort: env.CLIENTELE_HTTP_PORT,
    grpcPort: env.CLIENTELE_GRPC_PORT,
    metricsPort: env.CLIENTELE_METRICS_PORT,
    publicUrl: env.CLIENTELE_PUBLIC_URL,
    allowedOrigins: env.CLIENTELE_ALLOWED_ORIGINS,
    trustedProxies: env.CLIENTELE_TRUSTED_PROXIES,
    tls:
      env.CLIENTELE_TLS_CERT_FILE !== undefined && env.CLIENTELE_TLS_KEY_FILE !== undefined
        ? { certFile: env.CLIENTELE_TLS_CERT_FILE, keyFile: env.CLIENTELE_TLS_KEY_FILE }
        : undefined,
    grpcClientCaFile: env.CLIENTELE_GRPC_CLIENT_CA_FILE,
    secretKey: env.CLIENTELE_SECRET_KEY === undefined ? undefined : Buffer.from(env.CLIENTELE_SECRET_KEY),
    webhooksToPrivateNetworks: env.CLIENTELE_WEBHOOKS_TO_PRIVATE_NETWORKS,
    privateIdentityProviders: env.CLIENTELE_PRIVATE_IDENTITY_PROVIDERS,
    deniedNetworks: env.CLIENTELE_DENIED_NETWORKS,
    namedStatements: env.CLIENTELE_NAMED_STATEMENTS,
    workers:
      env.CLIENTELE_WORKERS === "auto"
        ? Math.min(availableParallelism(), env.CLIENTELE_POOL_SIZE)
        : env.CLIENTELE_WORKERS,
    poolSize: env.CLIENTELE_POOL_SIZE,
    databaseWaitMs: env.CLIENTELE_DATABASE_WAIT_SECONDS * 1000,
    connections: env.CLIENTELE_CONNECTIONS,
    bodyBytes: env.CLIENTELE_BODY_MEGABYTES * 1024 * 1024,
    watchesPerTenant: env.CLIENTELE_WATCHES_PER_TENANT,
    jobs: env.CLIENTELE_JOBS,
    cardVault:
      env.CLIENTELE_CARD_VAULT_URL !== undefined && env.CLIENTELE_CARD_VAULT_SECRET !== undefined
        ? {
            url: env.CLIENTELE_CARD_VAULT_URL,
            secret: env.CLIENTELE_CARD_VAULT_SECRET,
            timeoutMs: env.CLIENTELE_CARD_VAULT_TIMEOUT_SECONDS * 1000,
          }
        : undefined,
    taxVerifier:
      env.CLIENTELE_TAX_VERIFIER_URL === undefined
        ? undefined
        : { url: env.CLIENTELE_TAX_VERIFIER_URL, secret: env.CLIENTELE_TAX_VERIFIER_SECRET },
    drainDelayMs: env.CLIENTELE_DRAIN_DELAY_SECONDS * 1000,
    drainMs: env.CLIENTELE_DRAIN_SECONDS * 1000,
    logLevel: env.CLIENTELE_LOG_LEVEL,
  };
}

function inRange(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}
