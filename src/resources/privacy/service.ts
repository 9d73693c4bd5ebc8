import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListErasuresRequestSchema, type PrivacyService } from "../../../gen/clientele/v1/privacy_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf, ownerOf } from "../../rpc/callers/caller.js";
import { notFound } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import type { OrderTerm } from "../../rpc/lists/order-by.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { type CustomerRow, updateCustomer } from "../customers/store.js";
import { erasureFromRow } from "./convert.js";
import { exportPerson } from "./export/person.js";
import { cancelErasure, requestErasure } from "./request.js";
import * as store from "./store.js";

export function privacyService(deps: Deps): ServiceImpl<typeof PrivacyService> {
  return {
    async requestErasure(req, ctx) {
      const call = callOf(ctx);
      const { tenantId } = call;
      const notBefore = req.notBefore && timestampDate(req.notBefore);
      return await inTransaction(call.db, async (trx) => {
        const inside = { ...call, db: trx };
        const { settings } = await deps.settings.read(trx, tenantId);
        const customer = await store.lockSubject(trx, tenantId, req.customerId);
        if (customer === undefined) throw notFound("customer");
        const row = await requestErasure(inside, deps.newId, customer.id, settings, notBefore);
        if (row.state === "scheduled") await showWish(inside, customer, true);
        return { erasure: erasureFromRow(row) };
      });
    },

    async getErasure(req, ctx) {
      const call = callOf(ctx);
      const row = await store.findErasure(call.db, call.tenantId, req.id, ownerOf(call));
      if (row === undefined) throw notFound("erasure");
      return { erasure: erasureFromRow(row) };
    },

    async listErasures(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListErasuresRequestSchema, req, latestFirst);
      const { rows, ...tokens } = toPage(await store.listErasures(call.db, call.tenantId, req, page), page);
      return { erasures: rows.map(erasureFromRow), ...tokens };
    },

    // The customer first, as always: the row that tells whose the erasure is cannot become another's.
    async cancelErasure(req, ctx) {
      const call = callOf(ctx);
      const { tenantId } = call;
      return await inTransaction(call.db, async (trx) => {
        const inside = { ...call, db: trx };
        const found = await store.findErasure(trx, tenantId, req.id, ownerOf(call));
        const customer = found && (await store.lockSubject(trx, tenantId, found.customer_id));
        if (customer === undefined) throw notFound("erasure");
        const row = await store.lockErasure(trx, tenantId, req.id);
        requireEtag("erasure", row!, req.etag);
        const cancelled = await cancelErasure(inside, row);
        await showWish(inside, customer, false);
        return { erasure: erasureFromRow(cancelled) };
      });
    },

    async *exportCustomerData(req, ctx) {
      yield* exportPerson(callOf(ctx), req.customerId);
    },
  };
}

const latestFirst: readonly OrderTerm[] = [{ column: "request_time", descending: true, nullable: false }];

// A locked customer shows that it asked to be forgotten; one that is purged shows nothing.
async function showWish({ db, tenantId, event }: Call, { id, purged, ...before }: CustomerRow, wish: boolean) {
  if (purged || before.request_to_be_forgotten === wish) return;
  const changed = event("customer.updated", ["request_to_be_forgotten"]);
  await updateCustomer(db, tenantId, id, { request_to_be_forgotten: wish }, changed);
}
