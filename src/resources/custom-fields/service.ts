import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import {
  CustomFieldSchema,
  type CustomFieldService,
  ListCustomFieldsRequestSchema,
} from "../../../gen/clientele/v1/custom_fields_pb.js";
import { violates } from "../../db/errors.js";
import { notify } from "../../db/notifications.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf } from "../../rpc/callers/caller.js";
import { notFound, refused, rpcError } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import type { OrderTerm } from "../../rpc/lists/order-by.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { applyMask, populatedPaths } from "../../rpc/requests/field-mask.js";
import { required } from "../../rpc/requests/validate.js";
import { settingsChannel } from "../accounts/settings.js";
import { lockTenant, raiseCustomFieldsVersion } from "../accounts/store.js";
import { customFieldFromRow, customFieldToColumns, writableFields } from "./convert.js";
import { validCustomField } from "./rules.js";
import * as store from "./store.js";

const restorableMs = 30 * 24 * 60 * 60 * 1000;

export function customFieldService(deps: Deps): ServiceImpl<typeof CustomFieldService> {
  return {
    async createCustomField(req, ctx) {
      const call = callOf(ctx);
      const { tenantId, now, event } = call;
      const given = validCustomField(required(req.customField, "custom_field"));
      const columns = customFieldToColumns(given);
      const paths = populatedPaths(CustomFieldSchema, given, writableFields);
      return await changed(call, async (trx) => {
        const oldId = await store.findRestorable(trx, tenantId, columns, now);
        const row = await (oldId === undefined
          ? store.insertCustomField(trx, tenantId, deps.newId("cfd"), columns, event("custom_field.created", paths))
          : store.restoreCustomField(trx, tenantId, oldId, columns, event("custom_field.undeleted", paths))
        ).catch(slugTaken);
        if (row === undefined) {
          throw refused("CUSTOM_FIELD_LIMIT_REACHED", "There are 100 custom fields already, which is the limit.");
        }
        return { customField: customFieldFromRow(row), restored: oldId !== undefined };
      });
    },

    async getCustomField(req, ctx) {
      const { db, tenantId } = callOf(ctx);
      const row = await store.findCustomField(db, tenantId, req.id);
      if (row === undefined) throw notFound("custom field");
      return { customField: customFieldFromRow(row) };
    },

    async listCustomFields(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListCustomFieldsRequestSchema, req, byPosition);
      const { rows, ...tokens } = toPage(await store.listCustomFields(call.db, call.tenantId, page), page);
      return { customFields: rows.map(customFieldFromRow), ...tokens };
    },

    async updateCustomField(req, ctx) {
      const call = callOf(ctx);
      const { tenantId, event } = call;
      const changes = required(req.customField, "custom_field");
      return await changed(call, async (trx) => {
        const row = await store.lockCustomField(trx, tenantId, changes.id);
        if (row === undefined) throw notFound("custom field");
        requireEtag("custom field", row, changes.etag);
        const before = customFieldFromRow(row);
        const masked = applyMask(CustomFieldSchema, before, changes, req.updateMask, writableFields);
        const next = validCustomField(masked.next);
        const paths = masked.changedPaths;
        if (paths.length === 0) return { customField: before };
        const columns = customFieldToColumns(next);
        const updated = await store.updateCustomField(
          trx,
          tenantId,
          row.id,
          columns,
          event("custom_field.updated", paths),
        );
        return { customField: customFieldFromRow(updated) };
      });
    },

    async deleteCustomField(req, ctx) {
      const call = callOf(ctx);
      const { tenantId, now, event } = call;
      return await changed(call, async (trx) => {
        const row = await store.lockCustomField(trx, tenantId, req.id);
        if (row === undefined) throw notFound("custom field");
        requireEtag("custom field", row, req.etag);
        const purgeTime = new Date(now.getTime() + restorableMs);
        await store.deleteCustomField(trx, tenantId, row.id, purgeTime, event("custom_field.deleted"));
        return {};
      });
    },
  };

  // Locks the tenant, so that no customer is written by the definitions before, and tells everybody.
  async function changed<Answer>(call: Call, change: (trx: Knex.Transaction) => Promise<Answer>): Promise<Answer> {
    const { db, tenantId, afterCommit } = call;
    return await inTransaction(db, async (trx) => {
      const tenant = await lockTenant(trx, tenantId);
      if (tenant === undefined) throw notFound("account");
      const answer = await change(trx);
      await raiseCustomFieldsVersion(trx, tenantId);
      await notify(trx, settingsChannel, tenantId);
      afterCommit(() => deps.settings.forget(tenantId));
      return answer;
    });
  }
}

const byPosition: readonly OrderTerm[] = [{ column: "position", descending: false, nullable: false }];

function slugTaken(error: unknown): never {
  if (violates(error, "custom_fields_slug_key")) {
    throw rpcError("CUSTOM_FIELD_SLUG_TAKEN", "A custom field with this slug exists already.");
  }
  throw error;
}
