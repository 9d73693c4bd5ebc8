import type { ServiceImpl } from "@connectrpc/connect";
import {
  type AccountSettings,
  DeletionMode,
  EmailMutability,
  EmailUniqueness,
} from "../../../gen/clientele/v1/accounts_pb.js";
import {
  type Customer,
  CustomerSchema,
  type CustomerService,
  ListCustomersRequestSchema,
} from "../../../gen/clientele/v1/customers_pb.js";
import { violates } from "../../db/errors.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf } from "../../rpc/caller.js";
import { conflict, invalidField, notFound, refused, requiredMessage, rpcError } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { applyMask, mergeObject, populatedPaths } from "../../rpc/field-mask.js";
import { pageOf, toPage } from "../../rpc/paging.js";
import { deleteAddressesOf } from "../addresses/store.js";
import { detachPaymentMethodsOf } from "../payment-methods/store.js";
import { customerFromRow, customerToColumns, writableFields } from "./convert.js";
import { lockActiveCustomer, requireAssignableId, validCustomer } from "./rules.js";
import * as store from "./store.js";

export function customerService(deps: Deps): ServiceImpl<typeof CustomerService> {
  return {
    // One statement: it inserts only if the settings are still those that the customer was checked against.
    async createCustomer(req, ctx) {
      const { db, tenantId, liveMode, event } = callOf(ctx);
      const given = { ...req.customer!, metadata: mergeObject({}, req.customer!.metadata ?? {}) };
      for (let attempt = 0; attempt < 3; attempt++) {
        const { settings, version } = await deps.settings.current(tenantId);
        if (given.id !== "") requireAssignableId(given.id, settings);
        const customer = validCustomer(given, settings);
        const created = event("customer.created", populatedPaths(CustomerSchema, customer, writableFields));
        const row = await store
          .insertCustomer(db, tenantId, { ...newCustomer(customer, settings), settingsVersion: version }, created)
          .catch(explain);
        if (row !== undefined) return { customer: customerFromRow(row, liveMode) };
        deps.settings.forget(tenantId);
      }
      throw conflict();
    },

    async getCustomer(req, ctx) {
      const { db, tenantId, liveMode } = callOf(ctx);
      const row = await store.findCustomer(db, tenantId, req.id);
      if (row === undefined) throw notFound("customer");
      return { customer: customerFromRow(row, liveMode) };
    },

    async listCustomers(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListCustomersRequestSchema, req);
      const { rows, ...tokens } = toPage(await store.listCustomers(call.db, call.tenantId, req, page), page);
      return { customers: rows.map((row) => customerFromRow(row, call.liveMode)), ...tokens };
    },

    // Locks, so that the etag and the rules are checked against what is stored.
    async updateCustomer(req, ctx) {
      const { db, tenantId, liveMode, event } = callOf(ctx);
      const changes = req.customer;
      if (changes === undefined) throw invalidField("customer", requiredMessage);
      return await inTransaction(db, async (trx) => {
        const settings = await deps.settings.hold(trx, tenantId);
        const row = await lockActiveCustomer(trx, tenantId, changes.id);
        requireEtag("customer", row, changes.etag);
        const before = customerFromRow(row, liveMode);
        const { next, changedPaths } = applyMask(CustomerSchema, before, changes, req.updateMask, writableFields);
        if (changedPaths.length === 0) return { customer: before };
        const columns = customerToColumns(validCustomer(next, settings));
        // A derived name that is written back stays derived.
        if (next.displayName === before.displayName) columns.display_name = row.display_name;
        requireMutableEmail(row, columns, settings);
        const changed = event("customer.updated", changedPaths);
        const updated = await store
          .updateCustomer(trx, tenantId, row.id, columns, changed, holdsEmail(settings))
          .catch(explain);
        return { customer: customerFromRow(updated, liveMode) };
      });
    },

    async deleteCustomer(req, ctx) {
      const call = callOf(ctx);
      const { db, tenantId, liveMode, now, event } = call;
      return await inTransaction(db, async (trx) => {
        const settings = await deps.settings.hold(trx, tenantId);
        const row = await store.lockCustomer(trx, tenantId, req.id);
        if (row === undefined) throw notFound("customer");
        requireEtag("customer", row, req.etag);
        const freesEmail = settings.emailReusableAfterDelete === true;
        if (settings.deletion?.mode === DeletionMode.PERMANENT) {
          await purge({ ...call, db: trx }, row.id, settings, freesEmail);
          return {};
        }
        if (row.delete_time !== null) throw refused("CUSTOMER_DELETED", "The customer is deleted.");
        const purgeAfter = settings.deletion?.purgeAfter;
        const purgeTime = purgeAfter ? new Date(now.getTime() + Number(purgeAfter.seconds) * 1000) : null;
        const changed = event("customer.deleted", ["state", "delete_time", "purge_time"]);
        const deleted = await store.softDeleteCustomer(trx, tenantId, row.id, { purgeTime, freesEmail }, changed);
        return { customer: customerFromRow(deleted, liveMode) };
      });
    },
  };

  function newCustomer(customer: Customer, settings: AccountSettings) {
    const id = customer.id === "" ? deps.newId("cus") : customer.id;
    return { id, columns: customerToColumns(customer), uniqueEmail: holdsEmail(settings) };
  }
}

// What belongs to the customer alone goes with it; checkouts and orders stay.
async function purge({ db, tenantId, event }: Call, id: string, settings: AccountSettings, freesEmail: boolean) {
  await store.purgeCustomer(db, tenantId, id, { freesEmail }, event("customer.deleted"));
  await deleteAddressesOf(db, tenantId, id, event("address.deleted"));
  const detached = event("payment_method.detached");
  await detachPaymentMethodsOf(db, tenantId, id, settings.paymentMethodDetachment, detached);
}

function requireMutableEmail(row: store.CustomerRow, next: store.CustomerColumns, settings: AccountSettings): void {
  if (settings.emailMutability !== EmailMutability.IMMUTABLE || row.email === null || row.email === next.email) return;
  throw refused("EMAIL_IMMUTABLE", "The e-mail address of a customer cannot be changed.");
}

function holdsEmail(settings: AccountSettings): boolean {
  return settings.emailUniqueness === EmailUniqueness.UNIQUE;
}

function explain(error: unknown): never {
  if (violates(error, "customers_email_key")) {
    throw rpcError("EMAIL_TAKEN", "A customer with this e-mail address exists already.");
  }
  if (violates(error, "customers_pkey")) {
    throw rpcError("CUSTOMER_ID_TAKEN", "A customer with this id exists or existed already.");
  }
  if (violates(error, "customers_default_address_fkey")) {
    throw invalidField("customer.default_address_id", "must be one of the customer's addresses");
  }
  if (violates(error, "customers_default_payment_method_fkey")) {
    throw invalidField("customer.default_payment_method_id", "must be one of the customer's payment methods");
  }
  throw error;
}
