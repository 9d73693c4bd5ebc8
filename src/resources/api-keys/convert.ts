import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type ApiKey, ApiKeyKind, ApiKeyKindSchema, ApiKeySchema } from "../../../gen/clientele/v1/api_keys_pb.js";
import { enumColumn } from "../../db/enums.js";
import { etagOf } from "../../rpc/etag.js";
import type { ApiKeyRow } from "./store.js";

const kind = enumColumn<ApiKeyKind>(ApiKeyKindSchema);

export function apiKeyFromRow(row: ApiKeyRow, liveMode: boolean): ApiKey {
  return create(ApiKeySchema, {
    id: row.id,
    kind: kind.fromColumn(row.kind),
    label: row.label,
    last4: row.last4,
    liveMode,
    createTime: timestampFromDate(row.create_time),
    ...(row.revoke_time && { revokeTime: timestampFromDate(row.revoke_time) }),
    etag: etagOf(row.version),
  });
}

export function kindToColumn(value: ApiKeyKind): ApiKeyRow["kind"] {
  return value === ApiKeyKind.SECRET ? "secret" : "publishable";
}
