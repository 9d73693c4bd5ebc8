import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListErasuresRequestSchema, type PrivacyService } from "../../../gen/clientele/v1/privacy_pb.js";
import type { Deps } from "../../deps.js";
import { normalEmail } from "../../formats/emails.js";
import { callOf, type TransactionCall } from "../../rpc/callers/caller.js";
import { transact } from "../../rpc/calls/transaction.js";
import { invalidField, notFound } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import type { OrderTerm } from "../../rpc/lists/order-by.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import type { CustomerRow } from "../customers/fields.js";
import { ownerOf } from "../customers/owner.js";
import * as customers from "../customers/store.js";
import { erasureFromRow } from "./convert.js";
import { exportPerson } from "./export/person.js";
import { cancelErasure, requestErasure } from "./request.js";
import { requestGuestErasure } from "./request-guest.js";
import * as store from "./store.js";

export function privacyService(deps: Deps): ServiceImpl<typeof PrivacyService> {
  return {
    async requestErasure(req, ctx) {
      const notBefore = req.notBeforeTime && timestampDate(req.notBeforeTime);
      const email = req.email === "" ? undefined : normalEmail(req.email);
      if (req.email !== "" && email === undefined) throw invalidField("email", "Enter a valid email address.");
      return await transact(callOf(ctx), async (call) => {
        const { db, tenantId } = call;
        const { settings } = await deps.settings.read(db, tenantId);
        if (email !== undefined) {
          return { erasure: erasureFromRow(await requestGuestErasure(call, deps.newId, email, settings, notBefore)) };
        }
        const customer = await store.lockSubject(db, tenantId, req.customerId);
        if (customer === undefined) throw notFound("customer");
        const row = await requestErasure(call, deps.newId, customer.id, settings, notBefore);
        if (row.state === "scheduled") await showWish(call, customer, true);
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
      return await transact(callOf(ctx), async (call) => {
        const { db, tenantId } = call;
        const erasure = await store.findErasure(db, tenantId, req.id, ownerOf(call));
        if (erasure === undefined) throw notFound("erasure");
        const { customer_id: customerId } = erasure;
        const customer = customerId === null ? undefined : await store.lockSubject(db, tenantId, customerId);
        const row = await store.lockErasure(db, tenantId, req.id);
        // A retry after a lost answer gets the same answer. The customer may have requested another erasure since.
        if (row?.state === "cancelled") return { erasure: erasureFromRow(row) };
        requireEtag("erasure", row!, req.etag);
        const cancelled = await cancelErasure(call, row);
        if (customer !== undefined) await showWish(call, customer, false);
        return { erasure: erasureFromRow(cancelled) };
      });
    },

    async *exportCustomerData(req, ctx) {
      yield* exportPerson(callOf(ctx), req.customerId);
    },
  };
}

const latestFirst: readonly OrderTerm[] = [{ column: "create_time", descending: true, nullable: false }];

// A locked customer shows that it asked to be forgotten; one that is purged shows nothing.
async function showWish(
  { db, tenantId, event }: TransactionCall,
  { id, purged, ...before }: CustomerRow,
  wish: boolean,
) {
  if (purged || before.request_to_be_forgotten === wish) return;
  const changed = event("customer.updated", ["request_to_be_forgotten"]);
  await customers.update(db, tenantId, id, { request_to_be_forgotten: wish }, changed);
}
