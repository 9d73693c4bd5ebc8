import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import {
  ListWebhookDeliveriesRequestSchema,
  ListWebhookEndpointsRequestSchema,
  WebhookEndpointSchema,
  type WebhookService,
} from "../../../gen/clientele/v1/webhooks_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { notFound, refused } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { applyMask, changedPaths, mayName, populatedPaths } from "../../rpc/requests/field-mask.js";
import { required } from "../../rpc/requests/validate.js";
import { lastNumber, numberEvents } from "../events/log-store.js";
import {
  deliveryFromRow,
  endpointFromRow,
  endpointToColumns,
  pingOf,
  stateToColumn,
  writableFields,
} from "./convert.js";
import { insertByHand, insertRedelivery, listDeliveries } from "./deliveries-store.js";
import { maxEndpoints, requirePostable, requireSecretKey, validEndpoint } from "./rules.js";
import { secretOf } from "./signature.js";
import * as store from "./store.js";

const overlapMs = 24 * 60 * 60 * 1000;

export function webhookService(deps: Deps): ServiceImpl<typeof WebhookService> {
  return {
    // The address is resolved before the transaction, because a name server may be slow.
    createWebhookEndpoint: prepared(async (req) => {
      const secretKey = requireSecretKey(deps.secretKey);
      const endpoint = validEndpoint(required(req.webhookEndpoint, "webhook_endpoint"));
      await requirePostable(deps.webhookSender, endpoint.url);
      return async ({ db, tenantId, event }) => {
        const id = deps.newId("whe");
        const columns = endpointToColumns(endpoint);
        const created = event(
          "webhook_endpoint.created",
          populatedPaths(WebhookEndpointSchema, endpoint, writableFields),
        );
        await numberEvents(db, tenantId);
        const row = await inTransaction(db, async (trx) => {
          const cursor = await lastNumber(trx, tenantId);
          return await store.insertEndpoint(trx, tenantId, { id, columns, cursor, limit: maxEndpoints }, created);
        });
        if (row === undefined) {
          throw refused("WEBHOOK_ENDPOINT_LIMIT_REACHED", `There are ${maxEndpoints} webhook endpoints already.`);
        }
        const secret = secretOf(secretKey, { tenantId, endpointId: id, secretVersion: row.secret_version });
        return { webhookEndpoint: endpointFromRow(row), secret };
      };
    }),

    async getWebhookEndpoint(req, ctx) {
      const { db, tenantId } = callOf(ctx);
      const row = await store.findEndpoint(db, tenantId, req.id);
      if (row === undefined) throw notFound("webhook endpoint");
      return { webhookEndpoint: endpointFromRow(row) };
    },

    async listWebhookEndpoints(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListWebhookEndpointsRequestSchema, req);
      const { rows, ...tokens } = toPage(await store.listEndpoints(call.db, call.tenantId, page), page);
      return { webhookEndpoints: rows.map(endpointFromRow), ...tokens };
    },

    updateWebhookEndpoint: prepared(async (req) => {
      const changes = required(req.webhookEndpoint, "webhook_endpoint");
      if (changes.url !== "" && mayName(req.updateMask, "url")) await requirePostable(deps.webhookSender, changes.url);
      return ({ db, tenantId, event }) =>
        inTransaction(db, async (trx) => {
          const row = await lockExistingEndpoint(trx, tenantId, changes.id);
          requireEtag("webhook endpoint", row, changes.etag);
          const before = endpointFromRow(row);
          const { next } = applyMask(WebhookEndpointSchema, before, changes, req.updateMask, writableFields);
          const columns = endpointToColumns(validEndpoint(next));
          const after = endpointFromRow({ ...row, ...columns });
          const paths = changedPaths(WebhookEndpointSchema, before, after);
          if (paths.length === 0) return { webhookEndpoint: before };
          const enabled = columns.enabled ? { disable_time: null } : {};
          const changed = event("webhook_endpoint.updated", paths);
          const updated = await store.updateEndpoint(trx, tenantId, row.id, { ...columns, ...enabled }, changed);
          return { webhookEndpoint: endpointFromRow(updated) };
        });
    }),

    async deleteWebhookEndpoint(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      return await inTransaction(db, async (trx) => {
        const row = await lockExistingEndpoint(trx, tenantId, req.id);
        requireEtag("webhook endpoint", row, req.etag);
        await store.deleteEndpoint(trx, tenantId, row.id, event("webhook_endpoint.deleted"));
        return {};
      });
    },

    async rotateWebhookEndpointSecret(req, ctx) {
      const { db, tenantId, now, event } = callOf(ctx);
      const secretKey = requireSecretKey(deps.secretKey);
      return await inTransaction(db, async (trx) => {
        const row = await lockExistingEndpoint(trx, tenantId, req.id);
        const columns = {
          secret_version: row.secret_version + 1,
          previous_secret_until: new Date(now.getTime() + overlapMs),
        };
        const changed = event("webhook_endpoint.rotated");
        const updated = await store.updateEndpoint(trx, tenantId, row.id, columns, changed);
        const secret = secretOf(secretKey, { tenantId, endpointId: row.id, secretVersion: updated.secret_version });
        return { webhookEndpoint: endpointFromRow(updated), secret };
      });
    },

    async pingWebhookEndpoint(req, ctx) {
      const { db, tenantId, liveMode, now, event } = callOf(ctx);
      const id = deps.newId("whd");
      const payload = pingOf(id, { endpointId: req.id, liveMode, now });
      const ping = { id, event_id: id, event_type: "webhook_endpoint.pinged", payload };
      const row = await insertByHand(db, tenantId, req.id, ping, event("webhook_delivery.created"));
      if (row === undefined) throw notFound("webhook endpoint");
      return { webhookDelivery: deliveryFromRow(row) };
    },

    async listWebhookDeliveries(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListWebhookDeliveriesRequestSchema, req);
      const query = { endpointId: req.webhookEndpointId, state: stateToColumn(req.state) };
      const deliveries = await listDeliveries(call.db, call.tenantId, query, page);
      if (deliveries === undefined) throw notFound("webhook endpoint");
      const { rows, ...tokens } = toPage(deliveries, page);
      return { webhookDeliveries: rows.map(deliveryFromRow), ...tokens };
    },

    async redeliverWebhookDelivery(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      const { webhookEndpointId: endpointId } = req;
      const redelivery = { endpointId, of: req.id, id: deps.newId("whd") };
      return await inTransaction(db, async (trx) => {
        // An erasure locks the endpoints too, so the copied payload is the erased one.
        if ((await store.lockEndpoint(trx, tenantId, endpointId)) === undefined) throw notFound("webhook delivery");
        const row = await insertRedelivery(trx, tenantId, redelivery, event("webhook_delivery.created"));
        if (row === undefined) throw notFound("webhook delivery");
        return { webhookDelivery: deliveryFromRow(row) };
      });
    },
  };

  async function lockExistingEndpoint(trx: Knex.Transaction, tenantId: string, id: string) {
    const row = await store.lockEndpoint(trx, tenantId, id);
    if (row === undefined) throw notFound("webhook endpoint");
    return row;
  }
}
