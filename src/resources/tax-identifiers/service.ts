import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import { ListTaxIdentifiersRequestSchema, TaxIdentifierService } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { violates } from "../../db/errors.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { handOver } from "../../rpc/calls/idempotency.js";
import { conflict, notFound, refused } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { required } from "../../rpc/requests/validate.js";
import { lockActiveCustomer } from "../customers/lock.js";
import { ownerOf } from "../customers/owner.js";
import { givenPaths, newTaxIdentifierColumns, taxIdentifierFromRow } from "./convert.js";
import { taxTypeTaken, validTaxIdentifier } from "./rules.js";
import * as store from "./store.js";

export function taxIdentifierService({ newId }: Pick<Deps, "newId">): ServiceImpl<typeof TaxIdentifierService> {
  return {
    async createTaxIdentifier(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      const { customerId } = req;
      const identifier = validTaxIdentifier(required(req.taxIdentifier, "tax_identifier"));
      const columns = newTaxIdentifierColumns(newId("tax"), customerId, identifier);
      const created = event("tax_identifier.created", givenPaths);
      const insert = (on: Knex) => store.insertTaxIdentifier(on, tenantId, columns, created).catch(typeTaken);
      if (customerId === "") return { taxIdentifier: taxIdentifierFromRow(await insert(db)) };
      return await inTransaction(db, async (trx) => {
        await lockActiveCustomer(trx, tenantId, customerId);
        return { taxIdentifier: taxIdentifierFromRow(await insert(trx)) };
      });
    },

    async getTaxIdentifier(req, ctx) {
      const call = callOf(ctx);
      const row = await store.findTaxIdentifier(call.db, call.tenantId, req.id, ownerOf(call));
      if (row === undefined) throw notFound("tax identifier");
      return { taxIdentifier: taxIdentifierFromRow(row) };
    },

    async listTaxIdentifiers(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListTaxIdentifiersRequestSchema, req);
      const { rows, ...tokens } = toPage(await store.listTaxIdentifiers(call.db, call.tenantId, req, page), page);
      return { taxIdentifiers: rows.map(taxIdentifierFromRow), ...tokens };
    },

    async attachTaxIdentifier(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      return await inTransaction(db, async (trx) => {
        const customer = await lockActiveCustomer(trx, tenantId, req.customerId);
        const row = await store.lockTaxIdentifier(trx, tenantId, req.id);
        if (row === undefined) throw notFound("tax identifier");
        // A retry after a lost answer carries the etag from before the first try.
        if (row.customer_id === customer.id) return { taxIdentifier: taxIdentifierFromRow(row) };
        requireEtag("tax identifier", row, req.etag);
        if (row.customer_id !== null) {
          throw refused("TAX_IDENTIFIER_ATTACHED", "The tax identifier belongs to another customer, detach it first.");
        }
        const attached = event("tax_identifier.attached", ["customer_id"]);
        const owner = { before: null, after: customer.id };
        const updated = await store.updateOwner(trx, tenantId, row.id, owner, attached).catch(typeTaken);
        await handOver(trx, tenantId, TaxIdentifierService, row.id, customer.id);
        return { taxIdentifier: taxIdentifierFromRow(updated) };
      });
    },

    async detachTaxIdentifier(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      return await inTransaction(db, async (trx) => {
        const customer = await lockActiveCustomer(trx, tenantId, req.customerId);
        const row = await store.lockTaxIdentifier(trx, tenantId, req.id);
        if (row === undefined) throw notFound("tax identifier");
        // A retry after a lost answer: this customer was the last to have it.
        const isDetached = row.customer_id === null && row.former_customer_id === customer.id;
        if (isDetached) return { taxIdentifier: taxIdentifierFromRow(row) };
        if (row.customer_id !== customer.id) throw notFound("tax identifier");
        requireEtag("tax identifier", row, req.etag);
        const detached = event("tax_identifier.detached", ["customer_id"]);
        const owner = { before: customer.id, after: null };
        return { taxIdentifier: taxIdentifierFromRow(await store.updateOwner(trx, tenantId, row.id, owner, detached)) };
      });
    },

    // The customer is locked first, so it must be known before the tax identifier is locked.
    async deleteTaxIdentifier(req, ctx) {
      const call = callOf(ctx);
      const { db, tenantId, event } = call;
      return await inTransaction(db, async (trx) => {
        const unlockedRow = await store.findTaxIdentifier(trx, tenantId, req.id, ownerOf(call));
        if (unlockedRow === undefined) throw notFound("tax identifier");
        if (unlockedRow.customer_id !== null) await lockActiveCustomer(trx, tenantId, unlockedRow.customer_id);
        const row = await store.lockTaxIdentifier(trx, tenantId, req.id);
        if (row === undefined) throw notFound("tax identifier");
        // Somebody attached or detached it meanwhile.
        if (row.customer_id !== unlockedRow.customer_id) throw conflict();
        requireEtag("tax identifier", row, req.etag);
        await store.deleteTaxIdentifier(trx, tenantId, row.id, event("tax_identifier.deleted"));
        return {};
      });
    },
  };
}

function typeTaken(error: unknown): never {
  if (!violates(error, "tax_identifiers_customer_type_key")) throw error;
  throw taxTypeTaken();
}
