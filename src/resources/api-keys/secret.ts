import { type ApiKey, ApiKeyKind } from "../../../gen/clientele/v1/api_keys_pb.js";
import { createSecret, hashOfSecret } from "../../rpc/callers/secret.js";
import type { NewId, RandomBytes } from "../../rpc/ids.js";
import { kindToColumn } from "./convert.js";
import type { ApiKeyColumns } from "./store.js";

interface Owner {
  readonly tenantId: string;
  readonly liveMode: boolean;
  readonly now: Date;
}

/** A new key: its secret, and what is stored of it. */
export function newApiKey(
  { newId, randomBytes }: { readonly newId: NewId; readonly randomBytes: RandomBytes },
  owner: Owner,
  { kind, label }: Pick<ApiKey, "kind" | "label">,
): { secret: string; columns: ApiKeyColumns } {
  const secret = createSecret(kind === ApiKeyKind.SECRET ? "sk" : "pk", owner, randomBytes);
  const columns = {
    id: newId("key"),
    kind: kindToColumn(kind),
    label,
    secret_hash: hashOfSecret(secret),
    last4: secret.slice(-4),
    create_time: owner.now,
    update_time: owner.now,
  };
  return { secret, columns };
}
