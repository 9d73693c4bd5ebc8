import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import { SearchNoMatch } from "../../../gen/clientele/v1/accounts_pb.js";
import {
  type Customer,
  CustomerSchema,
  type CustomerService,
  ListCustomersRequestSchema,
  SearchCustomersRequestSchema,
} from "../../../gen/clientele/v1/customers_pb.js";
import type { Deps } from "../../deps.js";
import { cleanText } from "../../formats/text.js";
import { type Call, callOf, type TransactionCall } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { transact } from "../../rpc/calls/transaction.js";
import { invalidField, notFound, rpcError } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { parseFilter } from "../../rpc/lists/filter.js";
import { type OrderTerm, parseOrderBy } from "../../rpc/lists/order-by.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { parseReadMask } from "../../rpc/requests/read-mask.js";
import { required } from "../../rpc/requests/validate.js";
import type { TenantSettings } from "../accounts/settings.js";
import { findAddress } from "../addresses/store.js";
import { holderOf } from "../customer-tokens/store.js";
import { cutPassword, requirePassword } from "../passwords/rules.js";
import { saltOf } from "../passwords/salt.js";
import { describeToken } from "../payment-methods/token.js";
import { customerFromRow, type View } from "./convert.js";
import { createCustomer, type PreparedParts } from "./create.js";
import { deleteLocked, undeleteLocked } from "./delete.js";
import type { CustomerRow } from "./fields.js";
import { getOrCreate, isFound, lookupOf } from "./get-or-create.js";
import { filterableFields, orderableFields } from "./list-fields.js";
import { listCustomers } from "./list-store.js";
import { lockActiveCustomer } from "./lock.js";
import * as lookups from "./lookup-store.js";
import { overviewFromRow } from "./overview.js";
import { findOverview } from "./overview-store.js";
import { countHits, foldsToNothing, mostHitsBefore, searchCustomers } from "./search-store.js";
import * as store from "./store.js";
import { applyUpdate, updateUnlocked, writeChange } from "./update.js";

export function customerService(deps: Deps): ServiceImpl<typeof CustomerService> {
  return {
    createCustomer: prepared(async (req, ctx) => {
      const given = required(req.customer, "customer");
      const parts = await prepare(callOf(ctx), given, ctx.signal);
      return async (call) => ({ customer: await createCustomer(deps, call, given, parts) });
    }),

    async getCustomer(req, ctx) {
      const call = callOf(ctx);
      const masked = parseReadMask(CustomerSchema, req.readMask);
      const row = await store.findCustomer(call.db, call.tenantId, req.id);
      if (row === undefined) throw notFound("customer");
      return { customer: masked(customerFromRow(row, await viewOf(call), row.shipping)) };
    },

    async getCustomerOverview(req, ctx) {
      const call = callOf(ctx);
      const row = await findOverview(call.db, call.tenantId, req.id, call.now);
      if (row === undefined) throw notFound("customer");
      return { overview: overviewFromRow(row, await viewOf(call), call.now) };
    },

    async batchGetCustomers(req, ctx) {
      const call = callOf(ctx);
      const masked = parseReadMask(CustomerSchema, req.readMask);
      const rows = await lookups.listCustomersById(call.db, call.tenantId, req.ids);
      const view = await viewOf(call);
      const byId = new Map(rows.map((row) => [row.id, masked(customerFromRow(row, view, row.shipping))]));
      const customers = req.ids.map((id) => byId.get(id));
      if (!customers.every((customer) => customer !== undefined)) throw notFound("customer");
      return { customers };
    },

    getOrCreateCustomer: prepared(async (req, ctx) => {
      const given = required(req.customer, "customer");
      const lookup = lookupOf(given, req);
      // The vault is not asked for a customer that exists.
      const isKnown = Boolean(given.defaultPaymentMethodId) && (await isFound(callOf(ctx), lookup));
      const parts = isKnown ? {} : await prepare(callOf(ctx), given, ctx.signal);
      return (call) => getOrCreate(deps, call, given, lookup, parts);
    }),

    async listCustomers(req, ctx) {
      const call = callOf(ctx);
      const view = await viewOf(call);
      const masked = parseReadMask(CustomerSchema, req.readMask);
      const query = { ...req, filter: parseFilter(req.filter, filterableFields(view.customFields)) };
      const order = parseOrderBy(req.orderBy, orderableFields(view.customFields));
      const page = pageOf(call, ListCustomersRequestSchema, req, order);
      const { rows: list, totalSize } = await listCustomers(call.db, call.tenantId, query, page);
      const { rows, ...tokens } = toPage(list, page);
      const customers = rows.map((row) => masked(customerFromRow(row, view, row.shipping)));
      return { customers, ...tokens, ...(totalSize !== undefined && { totalSize }) };
    },

    async searchCustomers(req, ctx) {
      const call = callOf(ctx);
      const query = cleanText(req.query).replace(/\s+/g, " ");
      if (foldsToNothing(query)) throw invalidField("query", "The search query cannot be empty.");
      const masked = parseReadMask(CustomerSchema, req.readMask);
      const page = pageOf(call, SearchCustomersRequestSchema, req, bestMatchFirst, mostHitsBefore);
      const [hits, totalSize] = await Promise.all([
        searchCustomers(call.db, call.tenantId, query, page),
        req.includeTotalSize ? countHits(call.db, call.tenantId, query) : undefined,
      ]);
      const { rows, ...tokens } = toPage(hits, page);
      const { settings, customFields } = await deps.settings.read(call.db, call.tenantId);
      const isEmpty = rows.length === 0 && req.pageToken === "" && req.page <= 1;
      if (isEmpty && settings.searchNoMatch === SearchNoMatch.NOT_FOUND) throw nothingFound(query);
      const view = { ...call, customFields, settings };
      const customers = rows.map((row) => masked(customerFromRow(row, view, row.shipping)));
      return { customers, ...tokens, ...(totalSize !== undefined && { totalSize }) };
    },

    updateCustomer: prepared(async (req, ctx) => {
      const given = required(req.customer, "customer");
      const { id } = given;
      const { password, rest } = cutPassword(req);
      const passwordHash = password === undefined ? undefined : await hashFor(callOf(ctx), given, password);
      return async (call) => {
        const unlocked = passwordHash === undefined ? await updateUnlocked(deps, call, rest) : undefined;
        if (unlocked !== undefined) return { customer: unlocked };
        return await transact(call, async (inside) => {
          const { db, tenantId, kind } = inside;
          const rules = await deps.settings.read(db, tenantId);
          const row = await lockActiveCustomer(db, tenantId, id);
          const current = { row, shipping: await findDefaultAddress(db, tenantId, row) };
          const change = applyUpdate(current, rest, { ...inside, ...rules, kind });
          const updated = await writeChange(inside, deps.newId, row, change, rules, passwordHash);
          if (passwordHash !== undefined) forgetTokens(call, id);
          return { customer: await show(inside, updated, rules) };
        });
      };
    }),

    async deleteCustomer(req, ctx) {
      const call = callOf(ctx);
      forgetTokens(call, req.id);
      return await transact(call, async (inside) => {
        const rules = await deps.settings.read(inside.db, inside.tenantId);
        const row = await lockUnchanged(inside, req);
        const deleted = await deleteLocked(inside, row, rules.settings);
        return deleted === undefined ? {} : { customer: await show(inside, deleted, rules) };
      });
    },

    async undeleteCustomer(req, ctx) {
      return await transact(callOf(ctx), async (inside) => {
        const rules = await deps.settings.read(inside.db, inside.tenantId);
        const row = await lockUnchanged(inside, req);
        return { customer: await show(inside, await undeleteLocked(inside, row, rules.settings), rules) };
      });
    },
  };

  // The password is hashed and the vault is asked before the transaction, which holds a connection.
  async function prepare(call: Call, given: Customer, signal: AbortSignal): Promise<PreparedParts> {
    const token = given.defaultPaymentMethodId?.trim();
    const field = "customer.default_payment_method_id";
    return {
      passwordHash: await hashOf(call, given),
      paymentMethod: token ? await describeToken(deps.cardVault, call, token, field, signal) : undefined,
    };
  }

  async function hashOf(call: Call, { email, password }: Customer): Promise<string | undefined> {
    if (password === "") return undefined;
    requirePassword(password, "customer.password");
    return await deps.passwords.hash(password, saltOf(call, email));
  }

  async function hashFor(call: Call, { id, email }: Customer, password: string): Promise<string> {
    const address = email ?? (await store.findCustomer(call.db, call.tenantId, id))?.email;
    return await deps.passwords.hash(password, saltOf(call, address));
  }

  function forgetTokens(call: Call, id: string): void {
    call.afterCommit(() => deps.tokens.forget(holderOf(call.tenantId, id)));
  }

  // The definitions of custom fields may be as old as the cache of the settings allows.
  async function viewOf(call: Call): Promise<View> {
    const { customFields, settings } = await deps.settings.read(call.db, call.tenantId);
    return { ...call, customFields, settings };
  }
}

const bestMatchFirst: readonly OrderTerm[] = [
  { column: "match_rank", descending: false, nullable: false },
  { column: "create_time", descending: true, nullable: false },
];

// A changed customer as the answer shows it: with its default address and its tax identifiers.
async function show(
  call: TransactionCall,
  row: CustomerRow,
  { customFields, settings }: Pick<TenantSettings, "customFields" | "settings">,
): Promise<Customer> {
  const { db, tenantId } = call;
  const isWhole = row.default_address_id === null && row.tax_identifiers !== undefined;
  const shown = isWhole ? undefined : await store.findCustomer(db, tenantId, row.id);
  return customerFromRow(shown ?? row, { ...call, customFields, settings }, shown?.shipping);
}

async function lockUnchanged({ db, tenantId }: TransactionCall, { id, etag }: { id: string; etag: string }) {
  const row = await store.lockCustomer(db, tenantId, id);
  if (row === undefined) throw notFound("customer");
  requireEtag("customer", row, etag);
  return row;
}

// 4Geeks: a search without a match is an error.
function nothingFound(query: string) {
  return rpcError("NOTHING_FOUND", `No customers found matching the query: '${query}'.`);
}

async function findDefaultAddress(
  trx: Knex.Transaction,
  tenantId: string,
  { id, default_address_id: addressId }: CustomerRow,
) {
  return addressId === null ? undefined : await findAddress(trx, tenantId, id, addressId);
}
