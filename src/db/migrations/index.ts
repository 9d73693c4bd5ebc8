import type { Knex } from "knex";
import * as initial from "./0001_initial.js";
import * as customersInFull from "./0002_customers_in_full.js";
import * as photos from "./0003_photos.js";
import * as imports from "./0004_imports.js";
import * as checkouts from "./0005_checkouts.js";
import * as shoppers from "./0006_shoppers.js";
import * as identityProviders from "./0007_identity_providers.js";
import * as tax from "./0008_tax.js";
import * as customFields from "./0009_custom_fields.js";
import * as events from "./0010_events.js";
import * as webhooks from "./0011_webhooks.js";
import * as erasures from "./0012_erasures.js";
import * as search from "./0013_search.js";
import * as checkoutInputs from "./0014_checkout_inputs.js";
import * as billing from "./0015_billing.js";
import * as webhookQueues from "./0016_webhook_queues.js";
import * as taxExempt from "./0017_tax_exempt.js";
import * as idempotencyKeys from "./0018_idempotency_keys.js";
import * as defaultAtCreate from "./0019_default_at_create.js";
import * as defaultPhoto from "./0020_default_photo.js";
import * as billingDefaults from "./0021_billing_defaults.js";
import * as listPlans from "./0022_list_plans.js";
import * as checkoutSecrets from "./0023_checkout_secrets.js";
import * as guestErasures from "./0024_guest_erasures.js";

/** All migrations by name, in the order in which they run. Append only. */
export const migrations: Readonly<Record<string, Knex.Migration>> = {
  "0001_initial": initial,
  "0002_customers_in_full": customersInFull,
  "0003_photos": photos,
  "0004_imports": imports,
  "0005_checkouts": checkouts,
  "0006_shoppers": shoppers,
  "0007_identity_providers": identityProviders,
  "0008_tax": tax,
  "0009_custom_fields": customFields,
  "0010_events": events,
  "0011_webhooks": webhooks,
  "0012_erasures": erasures,
  "0013_search": search,
  "0014_checkout_inputs": checkoutInputs,
  "0015_billing": billing,
  "0016_webhook_queues": webhookQueues,
  "0017_tax_exempt": taxExempt,
  "0018_idempotency_keys": idempotencyKeys,
  "0019_default_at_create": defaultAtCreate,
  "0020_default_photo": defaultPhoto,
  "0021_billing_defaults": billingDefaults,
  "0022_list_plans": listPlans,
  "0023_checkout_secrets": checkoutSecrets,
  "0024_guest_erasures": guestErasures,
};
