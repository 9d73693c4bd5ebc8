import type { ServiceImpl } from "@connectrpc/connect";
import { type ApiKeyService, ListApiKeysRequestSchema } from "../../../gen/clientele/v1/api_keys_pb.js";
import { notify } from "../../db/notifications.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { secretName } from "../../rpc/callers/secret.js";
import { notFound } from "../../rpc/errors.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { apiKeyFromRow } from "./convert.js";
import { keysChannel } from "./keyring.js";
import { newApiKey } from "./secret.js";
import * as store from "./store.js";

export function apiKeyService(deps: Deps): ServiceImpl<typeof ApiKeyService> {
  return {
    async createApiKey(req, ctx) {
      const { db, tenantId, liveMode, now, event } = callOf(ctx);
      const { secret, columns } = newApiKey(deps, { tenantId, liveMode, now }, req.apiKey!);
      const row = await store.insertApiKey(db, tenantId, columns, event("api_key.created"));
      return { apiKey: apiKeyFromRow(row, liveMode), secret };
    },

    async getApiKey(req, ctx) {
      const { db, tenantId, liveMode } = callOf(ctx);
      const row = await store.findApiKey(db, tenantId, req.id);
      if (row === undefined) throw notFound("API key");
      return { apiKey: apiKeyFromRow(row, liveMode) };
    },

    async listApiKeys(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListApiKeysRequestSchema, req);
      const { rows, ...tokens } = toPage(await store.listApiKeys(call.db, call.tenantId, page), page);
      return { apiKeys: rows.map((row) => apiKeyFromRow(row, call.liveMode)), ...tokens };
    },

    async revokeApiKey(req, ctx) {
      const { db, tenantId, liveMode, event, afterCommit } = callOf(ctx);
      const revoked = await inTransaction(db, async (trx) => {
        const row = await store.lockApiKey(trx, tenantId, req.id);
        if (row === undefined) throw notFound("API key");
        if (row.revoke_time !== null) return row;
        await notify(trx, keysChannel, secretName(tenantId, row.secret_hash));
        return await store.revokeApiKey(trx, tenantId, row.id, event("api_key.revoked", ["revoke_time"]));
      });
      afterCommit(() => deps.keyring.forget(secretName(tenantId, revoked.secret_hash)));
      return { apiKey: apiKeyFromRow(revoked, liveMode) };
    },
  };
}
