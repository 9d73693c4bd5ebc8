import { createHash } from "node:crypto";
import { type ApiKey, ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { type NewId, type RandomBytes, randomToken } from "../../rpc/ids.js";
import { kindToColumn } from "./convert.js";
import type { ApiKeyColumns } from "./store.js";

/**
 * Makes the secret of a key: `sk` or `pk`, `test` or `live`, the tenant's 26 characters, so that the key finds its
 * tenant without a look across tenants, and 32 random ones: 160 bits.
 */
function createSecret(kind: ApiKeyKind, liveMode: boolean, tenantId: string, randomBytes: RandomBytes): string {
  const prefix = kind === ApiKeyKind.SECRET ? "sk" : "pk";
  return `${prefix}_${liveMode ? "live" : "test"}_${tenantId.slice(tenantId.indexOf("_") + 1)}${randomToken(randomBytes)}`;
}

/** The tenant a secret names; undefined if it is not formed like one. */
export function tenantOfSecret(secret: string): string | undefined {
  const [, suffix] = /^[sp]k_(?:test|live)_([0-9a-z]{26})[0-9a-z]{32}$/.exec(secret) ?? [];
  return suffix && `ten_${suffix}`;
}

/** What is stored of a secret. It holds enough randomness that a plain hash cannot be searched. */
export function hashOfSecret(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

interface Owner {
  readonly tenantId: string;
  readonly liveMode: boolean;
  readonly now: Date;
}

/** A new key: its secret, and what is stored of it. */
export function newApiKey(
  { newId, randomBytes }: { readonly newId: NewId; readonly randomBytes: RandomBytes },
  { tenantId, liveMode, now }: Owner,
  { kind, label }: Pick<ApiKey, "kind" | "label">,
): { secret: string; columns: ApiKeyColumns } {
  const secret = createSecret(kind, liveMode, tenantId, randomBytes);
  const columns = {
    id: newId("key"),
    kind: kindToColumn(kind),
    label,
    secret_hash: hashOfSecret(secret),
    last4: secret.slice(-4),
    create_time: now,
    update_time: now,
  };
  return { secret, columns };
}
