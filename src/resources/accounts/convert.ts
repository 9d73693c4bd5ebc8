import { create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { DurationSchema, timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Account,
  AccountSchema,
  type AccountSettings,
  AccountSettingsSchema,
  DefaultPhoto,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";
import { etagOf } from "../../rpc/etag.js";
import { writableFieldsOf } from "../../rpc/requests/plan.js";
import type { TenantRow } from "./store.js";

/** The fields that a mask may name. */
export const writableFields = writableFieldsOf(AccountSettingsSchema);

export function accountFromRow(row: TenantRow): Account {
  return create(AccountSchema, {
    id: row.account_id,
    name: row.account_name,
    createTime: timestampFromDate(row.create_time),
    liveMode: row.live_mode,
    etag: etagOf(row.version),
  });
}

export function settingsFromRow(row: TenantRow): AccountSettings {
  const settings = fromJson(AccountSettingsSchema, row.settings, { ignoreUnknownFields: true });
  // Stored by a release that did not know it yet.
  settings.defaultPhoto ||= defaultPhotoOf(settings.preset);
  settings.checkoutLifetime ??= create(DurationSchema, { seconds: 86_400n });
  settings.updateTime = timestampFromDate(row.settings_update_time);
  settings.etag = etagOf(row.settings_version);
  return settings;
}

// A release without the setting may run beside this one for a while.
function defaultPhotoOf(preset: SettingsPreset): DefaultPhoto {
  return preset === SettingsPreset.FOUR_GEEKS ? DefaultPhoto.LIBRAVATAR : DefaultPhoto.NONE;
}

export function settingsToColumn(settings: AccountSettings): JsonObject {
  const { updateTime: _, ...stored } = settings;
  return toJson(AccountSettingsSchema, create(AccountSettingsSchema, { ...stored, etag: "" })) as JsonObject;
}
