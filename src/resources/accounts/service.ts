import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AccountService,
  type AccountSettings,
  AccountSettingsSchema,
  SettingsPreset,
  type SettingViolation,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { notify } from "../../db/notifications.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import type { IdentityProviders } from "../../external/identity-provider.js";
import { countryCode } from "../../formats/countries.js";
import { isIssuer, isOrigin } from "../../formats/origins.js";
import { callOf } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { invalidField, notFound, refused, requiredMessage } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { applyMask, changedPaths, mayName } from "../../rpc/requests/field-mask.js";
import { required, requireValid } from "../../rpc/requests/validate.js";
import { accountFromRow, settingsFromRow, settingsToColumn, writableFields } from "./convert.js";
import { presetSettings } from "./presets.js";
import { settingsChannel } from "./settings.js";
import * as store from "./store.js";
import { settingViolations } from "./violations.js";

export function accountService(deps: Deps): ServiceImpl<typeof AccountService> {
  return {
    async getAccount(_req, ctx) {
      const { db, tenantId } = callOf(ctx);
      const row = await store.findTenant(db, tenantId);
      if (row === undefined) throw notFound("account");
      return { account: accountFromRow(row) };
    },

    async getAccountSettings(_req, ctx) {
      const { db, tenantId } = callOf(ctx);
      const row = await store.findTenant(db, tenantId);
      if (row === undefined) throw notFound("account");
      return { settings: settingsFromRow(row) };
    },

    // The addresses of issuers are resolved before the transaction, because a name server may be slow.
    updateAccountSettings: prepared(async (req) => {
      const changes = required(req.settings, "settings");
      if (mayName(req.updateMask, "identity_providers")) {
        await requireReachable(deps.identityProviders, changes.identityProviders);
      }
      return ({ db, tenantId, event, afterCommit }) =>
        inTransaction(db, async (trx) => {
          const row = await store.lockTenant(trx, tenantId);
          if (row === undefined) throw notFound("account");
          requireEtag("settings", { version: row.settings_version }, changes.etag);
          const before = settingsFromRow(row);
          const names = req.updateMask?.paths ?? [];
          const refills = names.length === 0 || names.includes("preset") || names.includes("*");
          const base =
            refills && changes.preset !== SettingsPreset.UNSPECIFIED ? refilled(changes.preset, before) : before;
          const { next } = applyMask(AccountSettingsSchema, base, changes, req.updateMask, writableFields);
          requireSettings(next);
          const violations = await settingViolations(trx, tenantId, before, next);
          if (req.validateOnly) return { settings: next, violations };
          if (!req.acceptViolations) requireNone(violations);
          const paths = changedPaths(AccountSettingsSchema, before, next);
          if (paths.length === 0) return { settings: before, violations };
          const column = settingsToColumn(next);
          const updated = await store.updateSettings(trx, tenantId, column, event("account_settings.updated", paths));
          await notify(trx, settingsChannel, tenantId);
          afterCommit(() => deps.settings.forget(tenantId));
          return { settings: settingsFromRow(updated), violations };
        });
    }),
  };
}

async function requireReachable(
  providers: IdentityProviders,
  given: readonly { readonly issuer: string }[],
): Promise<void> {
  const problems = await Promise.all(given.map(({ issuer }) => isIssuer(issuer) && providers.problemOf(issuer)));
  for (const [index, problem] of problems.entries()) {
    if (problem) throw invalidField(`settings.identity_providers[${index}].issuer`, problem);
  }
}

// Settings that no preset decides stay.
function refilled(preset: SettingsPreset, before: AccountSettings): AccountSettings {
  const { updateTime, etag, allowedOrigins, identityProviders } = before;
  const ownValues = { ...(updateTime && { updateTime }), etag, allowedOrigins, identityProviders };
  return create(AccountSettingsSchema, { ...presetSettings(preset), ...ownValues });
}

// A tightened setting must hold for the existing rows.
function requireNone(violations: readonly SettingViolation[]): void {
  if (violations.length === 0) return;
  const preconditions = violations.map(({ setting, resourceType, description, count, exampleIds }) => {
    return {
      type: setting,
      subject: resourceType,
      description: `${description}: ${count}, such as ${exampleIds.join(", ")}.`,
    };
  });
  const names = violations.map(({ setting }) => setting).join(", ");
  throw refused("SETTINGS_VIOLATED", `Present data breaks the settings: ${names}.`, preconditions);
}

// Every setting must stay decided.
function requireSettings(settings: AccountSettings): void {
  requireValid(AccountSettingsSchema, settings, "settings");
  for (const field of AccountSettingsSchema.fields) {
    const value = settings[field.localName as keyof AccountSettings];
    if (value === undefined || (field.fieldKind === "enum" && value === 0)) {
      throw invalidField(`settings.${field.name}`, requiredMessage);
    }
  }
  const durations = {
    "deletion.purge_after": settings.deletion?.purgeAfter,
    erasure_delay: settings.erasureDelay,
    checkout_lifetime: settings.checkoutLifetime,
  };
  for (const [field, duration] of Object.entries(durations)) {
    if (duration !== undefined && duration.nanos !== 0)
      throw invalidField(`settings.${field}`, "must be whole seconds");
  }
  const [origin] = settings.allowedOrigins.flatMap((one, index) => (isOrigin(one) ? [] : [index]));
  if (origin !== undefined) {
    throw invalidField(`settings.allowed_origins[${origin}]`, "must be an origin such as https://shop.example");
  }
  for (const [index, { name, issuer }] of settings.identityProviders.entries()) {
    const path = `settings.identity_providers[${index}]`;
    if (!isIssuer(issuer)) throw invalidField(`${path}.issuer`, "must be an address such as https://accounts.example");
    const first = settings.identityProviders.findIndex((one) => one.name === name);
    if (first !== index) throw invalidField(`${path}.name`, "must be its own");
  }
  const unknown = settings.allowedCountries.find((code) => countryCode(code) !== code);
  if (unknown !== undefined) throw invalidField("settings.allowed_countries", `${unknown} is not an ISO 3166-1 code`);
}
