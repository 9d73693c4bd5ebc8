import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import {
  AddressPurpose,
  AddressSchema,
  type AddressService,
  ListAddressesRequestSchema,
} from "../../../gen/clientele/v1/addresses_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { transact } from "../../rpc/calls/transaction.js";
import { notFound } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { applyMask, changedPaths } from "../../rpc/requests/field-mask.js";
import { required } from "../../rpc/requests/validate.js";
import { lockActiveCustomer } from "../customers/lock.js";
import * as customers from "../customers/store.js";
import { addAddress } from "./add.js";
import { addressFromRow, addressToColumns, writableFields } from "./convert.js";
import { validAddress } from "./rules.js";
import * as store from "./store.js";

// The columns of a customer that name a default address.
const defaultColumns = ["default_address_id", "default_billing_address_id"] as const;

export function addressService(deps: Deps): ServiceImpl<typeof AddressService> {
  return {
    async createAddress(req, ctx) {
      return await transact(callOf(ctx), async (call) => {
        const { db, tenantId, event } = call;
        const { settings } = await deps.settings.read(db, tenantId);
        const customer = await lockActiveCustomer(db, tenantId, req.customerId);
        const address = validAddress(required(req.address, "address"), settings, "address");
        const { row, isFirst } = await addAddress(call, customer.id, deps.newId("adr"), address, settings);
        if (!isFirst || settings.firstAddressBecomesDefault !== true) {
          return { address: addressFromRow(row, customer.default_address_id) };
        }
        const changed = event("customer.updated", ["default_address_id"]);
        await customers.update(db, tenantId, customer.id, { default_address_id: row.id }, changed);
        return { address: addressFromRow(row, row.id) };
      });
    },

    async getAddress(req, ctx) {
      const { db, tenantId } = callOf(ctx);
      const row = await store.findAddress(db, tenantId, req.customerId, req.id);
      if (row === undefined) throw notFound("address");
      return { address: addressFromRow(row, row.default_address_id) };
    },

    async listAddresses(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListAddressesRequestSchema, req);
      const list = await store.listAddresses(call.db, call.tenantId, req.customerId, page);
      if (list === undefined) throw notFound("customer");
      const { rows, ...tokens } = toPage(list, page);
      return { addresses: rows.map((row) => addressFromRow(row, row.default_address_id)), ...tokens };
    },

    async updateAddress(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      const changes = required(req.address, "address");
      return await inTransaction(db, async (trx) => {
        const { settings } = await deps.settings.read(trx, tenantId);
        const { row, customer } = await lockExistingAddress(trx, tenantId, req.customerId, changes.id);
        requireEtag("address", row, changes.etag);
        const before = addressFromRow(row, customer.default_address_id);
        const masked = applyMask(AddressSchema, before, changes, req.updateMask, writableFields);
        if (masked.changedPaths.length === 0) return { address: before };
        const columns = addressToColumns(validAddress(masked.next, settings, "address", before));
        // A value that is only spelled otherwise stays as it was stored.
        const after = addressFromRow({ ...row, ...columns }, customer.default_address_id);
        const paths = changedPaths(AddressSchema, before, after);
        if (paths.length === 0) return { address: before };
        const changed = event("address.updated", paths);
        const updated = await store.updateAddress(trx, tenantId, customer.id, row.id, columns, changed);
        return { address: addressFromRow(updated, customer.default_address_id) };
      });
    },

    async deleteAddress(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      return await inTransaction(db, async (trx) => {
        const { row, customer } = await lockExistingAddress(trx, tenantId, req.customerId, req.id);
        requireEtag("address", row, req.etag);
        const defaults = defaultColumns.filter((column) => customer[column] === row.id);
        if (defaults.length > 0) {
          const none = Object.fromEntries(defaults.map((column) => [column, null]));
          await customers.update(trx, tenantId, customer.id, none, event("customer.updated", defaults));
        }
        await store.deleteAddress(trx, tenantId, customer.id, row.id, event("address.deleted"));
        return {};
      });
    },

    async setDefaultAddress(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      return await inTransaction(db, async (trx) => {
        const { row, customer } = await lockExistingAddress(trx, tenantId, req.customerId, req.id);
        const column = req.purpose === AddressPurpose.BILLING ? "default_billing_address_id" : "default_address_id";
        if (customer[column] !== row.id) {
          const changed = event("customer.updated", [column]);
          await customers.update(trx, tenantId, customer.id, { [column]: row.id }, changed);
        }
        const defaultId = column === "default_address_id" ? row.id : customer.default_address_id;
        return { address: addressFromRow(row, defaultId) };
      });
    },
  };
}

// The customer first, always: two calls that lock the same rows in one order cannot deadlock.
async function lockExistingAddress(trx: Knex.Transaction, tenantId: string, customerId: string, id: string) {
  const customer = await lockActiveCustomer(trx, tenantId, customerId);
  const row = await store.lockAddress(trx, tenantId, customerId, id);
  if (row === undefined) throw notFound("address");
  return { customer, row };
}
