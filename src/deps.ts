import { randomBytes as systemRandomBytes } from "node:crypto";
import type { Knex } from "knex";
import type { Config } from "./config.js";
import { connect } from "./db/connection.js";
import { listen } from "./db/notifications.js";
import { type CardVault, createCardVault } from "./external/card-vault.js";
import { createHttpVault } from "./external/card-vault-http.js";
import { createSandboxVault } from "./external/card-vault-sandbox.js";
import { createIdentityProviders, type IdentityProviders } from "./external/identity-provider.js";
import { createTaxVerifier, type TaxVerifier } from "./external/tax-verifier.js";
import { createWebhookSender, type WebhookSender } from "./external/webhook-sender.js";
import { createSettingsReader, type SettingsReader, settingsChannel } from "./resources/accounts/settings.js";
import { createKeyring, type Keyring, keysChannel } from "./resources/api-keys/keyring.js";
import { createTokenKeyring, type TokenKeyring } from "./resources/customer-tokens/keyring.js";
import { tokensChannel } from "./resources/customer-tokens/store.js";
import { createEventFeed, type EventFeed, eventsChannel } from "./resources/events/feed.js";
import { type CountedAttempt, createAttemptCounter } from "./resources/passwords/attempts.js";
import { createPasswordHasher, type PasswordHasher } from "./resources/passwords/hasher.js";
import { createImageReader, type ReadImage } from "./resources/photos/image.js";
import { type Clock, createNewId, type NewId, type RandomBytes } from "./rpc/ids.js";
import { createLogger, type Logger } from "./rpc/log.js";

/** The dependencies of the services. */
export interface Deps {
  readonly db: Knex;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly newId: NewId;
  readonly logger: Logger;
  readonly settings: SettingsReader;
  readonly keyring: Keyring;
  readonly tokens: TokenKeyring;
  readonly passwords: PasswordHasher;
  readonly verifyCounted: CountedAttempt;
  readonly cardVault: CardVault;
  readonly identityProviders: IdentityProviders;
  readonly readImage: ReadImage;
  readonly eventFeed: EventFeed;
  /** The key from which recoverable secrets derive. */
  readonly secretKey: Buffer | undefined;
  readonly webhookSender: WebhookSender;
  readonly taxVerifier: TaxVerifier;
}

/** The dependencies that tests replace. */
export interface Overrides {
  readonly clock?: Clock;
  readonly randomBytes?: RandomBytes;
  readonly cardVault?: CardVault;
  readonly taxVerifier?: TaxVerifier;
  readonly logger?: Logger;
}

/** Puts the service together on a database, and takes it apart again. */
export async function buildDeps(config: Config, databaseUrl: string, overrides: Overrides = {}) {
  const clock = overrides.clock ?? (() => new Date());
  const randomBytes = overrides.randomBytes ?? systemRandomBytes;
  const newId = createNewId(clock, randomBytes);
  const logger = overrides.logger ?? createLogger(config.logLevel);
  const { poolSize, databaseWaitMs: waitMs, namedStatements, watchesPerTenant } = config;
  const log = (message: string) => logger.warn({ event: "database" }, message);
  const db = connect({ connectionString: databaseUrl, poolSize, waitMs, namedStatements, log });
  const settings = createSettingsReader(db);
  const keyring = createKeyring(db);
  const tokens = createTokenKeyring(db, clock);
  const passwords = createPasswordHasher(randomBytes);
  const verifyCounted = createAttemptCounter(db);
  const vaultLog = (message: string) =>
    logger.warn({ event: "card_vault" }, `the card vault gave no answer: ${message}`);
  const liveVault = config.cardVault && createHttpVault({ ...config.cardVault, log: vaultLog });
  const cardVault = overrides.cardVault ?? createCardVault(createSandboxVault(), liveVault);
  const networksWith = (allowPrivate: boolean) => ({ allowPrivate, denied: config.deniedNetworks });
  const identityProviders = createIdentityProviders({ networks: networksWith(config.privateIdentityProviders), clock });
  const readImage = createImageReader();
  const eventFeed = createEventFeed({ db, self: newId("feed"), watchesPerTenant });
  const { secretKey } = config;
  const webhookNetworks = networksWith(config.webhooksToPrivateNetworks);
  const webhookSender = createWebhookSender({ networks: webhookNetworks, timeoutMs: 10_000 });
  const taxVerifier = overrides.taxVerifier ?? createTaxVerifier(config.taxVerifier);
  const deps: Deps = {
    db,
    clock,
    randomBytes,
    newId,
    logger,
    settings,
    keyring,
    tokens,
    passwords,
    verifyCounted,
    cardVault,
    identityProviders,
    readImage,
    eventFeed,
    secretKey,
    webhookSender,
    taxVerifier,
  };

  const listeners = await Promise.all([
    listen(databaseUrl, settingsChannel, { onNotify: settings.forget, onGap: settings.clear }),
    listen(databaseUrl, keysChannel, { onNotify: keyring.forget, onGap: keyring.clear }),
    listen(databaseUrl, tokensChannel, { onNotify: tokens.forget, onGap: tokens.clear }),
    listen(databaseUrl, eventsChannel, { onNotify: eventFeed.onNotify, onGap: eventFeed.lookAround }),
  ]);
  const close = async () => {
    eventFeed.close();
    await Promise.all(listeners.map((listener) => listener.close()));
    await db.destroy();
  };
  return { deps, close };
}
