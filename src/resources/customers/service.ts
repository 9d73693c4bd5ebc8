import type { ServiceImpl } from "@connectrpc/connect";
import type { Knex } from "knex";
import { DeletionMode, SearchNoMatch } from "../../../gen/clientele/v1/accounts_pb.js";
import {
  type Customer,
  CustomerKey,
  type CustomerService,
  ListCustomersRequestSchema,
  SearchCustomersRequestSchema,
} from "../../../gen/clientele/v1/customers_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import {
  conflict,
  invalidField,
  notFound,
  nothingFound,
  reasonOf,
  refused,
  requiredMessage,
} from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { parseFilter } from "../../rpc/lists/filter.js";
import { type OrderTerm, parseOrderBy } from "../../rpc/lists/order-by.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { required } from "../../rpc/requests/validate.js";
import type { TenantSettings } from "../accounts/settings.js";
import { holderOf } from "../customer-tokens/store.js";
import { cutPassword, passwordPath, requirePassword } from "../passwords/rules.js";
import { removeLogin } from "../passwords/write.js";
import { purgeCustomer } from "../privacy/purge.js";
import { customerFromRow, type View } from "./convert.js";
import { filterableFields, orderableFields } from "./list-fields.js";
import { foldQuery, listCustomers, searchCustomers } from "./list-store.js";
import * as lookups from "./lookup-store.js";
import { overviewFromRow } from "./overview.js";
import { findOverview } from "./overview-store.js";
import { lockActiveCustomer } from "./rules.js";
import * as store from "./store.js";
import {
  checkNewCustomer,
  explainViolation,
  holdsEmail,
  insertCustomer,
  isOneRow,
  keepEmail,
  requireFreeEmail,
  updateCustomer,
} from "./write.js";

export function customerService(deps: Deps): ServiceImpl<typeof CustomerService> {
  return {
    // One statement where one row is made: it inserts only if the settings are still those it was checked against.
    createCustomer: prepared(async (req) => {
      const given = required(req.customer, "customer");
      const passwordHash = await hashOf(given);
      return async (call) => ({ customer: await createCustomer(call, given, passwordHash) });
    }),

    async getCustomer(req, ctx) {
      const call = callOf(ctx);
      const row = await store.findCustomer(call.db, call.tenantId, req.id);
      if (row === undefined) throw notFound("customer");
      return { customer: customerFromRow(row, await viewOf(call), row.shipping) };
    },

    async getCustomerOverview(req, ctx) {
      const call = callOf(ctx);
      const row = await findOverview(call.db, call.tenantId, req.id, call.now);
      if (row === undefined) throw notFound("customer");
      return { overview: overviewFromRow(row, await viewOf(call), call.now) };
    },

    async batchGetCustomers(req, ctx) {
      const call = callOf(ctx);
      const rows = await lookups.findCustomers(call.db, call.tenantId, req.ids);
      const view = await viewOf(call);
      const byId = new Map(rows.map((row) => [row.id, customerFromRow(row, view, row.shipping)]));
      const customers = req.ids.map((id) => byId.get(id));
      if (!customers.every((customer) => customer !== undefined)) throw notFound("customer");
      return { customers };
    },

    // Callers that look for the same customer take turns; a CreateCustomer between them is caught by its unique key.
    getOrCreateCustomer: prepared(async (req) => {
      const given = required(req.customer, "customer");
      const lookup = lookupOf(given, req.key);
      const passwordHash = await hashOf(given);
      return (call) => getOrCreate(call, given, lookup, passwordHash);
    }),

    async listCustomers(req, ctx) {
      const call = callOf(ctx);
      const view = await viewOf(call);
      const wanted = { ...req, filter: parseFilter(req.filter, filterableFields(view.customFields)) };
      const order = parseOrderBy(req.orderBy, orderableFields(view.customFields));
      const page = pageOf(call, ListCustomersRequestSchema, req, order);
      const { rows: found, totalSize } = await listCustomers(call.db, call.tenantId, wanted, page);
      const { rows, ...tokens } = toPage(found, page);
      const customers = rows.map((row) => customerFromRow(row, view, row.shipping));
      return { customers, ...tokens, ...(totalSize !== undefined && { totalSize }) };
    },

    async searchCustomers(req, ctx) {
      const call = callOf(ctx);
      const query = foldQuery(req.query);
      if (query === "") throw invalidField("query", "The search query cannot be empty.");
      const page = pageOf(call, SearchCustomersRequestSchema, req, bestMatchFirst);
      const { rows, ...tokens } = toPage(await searchCustomers(call.db, call.tenantId, query, page), page);
      const { settings, customFields } = await deps.settings.read(call.db, call.tenantId);
      const isEmpty = rows.length === 0 && req.pageToken === "";
      if (isEmpty && settings.searchNoMatch === SearchNoMatch.NOT_FOUND) throw nothingFound();
      return { customers: rows.map((row) => customerFromRow(row, { ...call, customFields }, row.shipping)), ...tokens };
    },

    // Locks, so that the etag and the rules are checked against what is stored.
    updateCustomer: prepared(async (req) => {
      const { id } = required(req.customer, "customer");
      const { password, rest } = cutPassword(req);
      const passwordHash = password === undefined ? undefined : await deps.passwords.hash(password);
      return (call) =>
        inTransaction(call.db, async (trx) => {
          const rules = await deps.settings.read(trx, call.tenantId);
          const row = await lockActiveCustomer(trx, call.tenantId, id);
          const updated = await updateCustomer({ ...call, db: trx }, deps.newId, row, rest, rules, passwordHash);
          if (passwordHash !== undefined) call.afterCommit(() => deps.tokens.forget(holderOf(call.tenantId, id)));
          return { customer: await show({ ...call, db: trx }, updated, rules) };
        });
    }),

    async deleteCustomer(req, ctx) {
      const call = callOf(ctx);
      const { db, tenantId, now, event } = call;
      call.afterCommit(() => deps.tokens.forget(holderOf(tenantId, req.id)));
      return await inTransaction(db, async (trx) => {
        const rules = await deps.settings.read(trx, tenantId);
        const { settings } = rules;
        const row = await store.lockCustomer(trx, tenantId, req.id);
        if (row === undefined) throw notFound("customer");
        requireEtag("customer", row, req.etag);
        const freesEmail = settings.emailReusableAfterDelete === true;
        if (settings.deletion?.mode === DeletionMode.PERMANENT) {
          await purgeCustomer({ ...call, db: trx }, row, settings);
          return {};
        }
        if (row.delete_time !== null) throw refused("CUSTOMER_DELETED", "The customer is deleted.");
        await keepEmail(trx, tenantId, row.id, settings);
        const purgeAfter = settings.deletion?.purgeAfter;
        const purgeTime = purgeAfter ? new Date(now.getTime() + Number(purgeAfter.seconds) * 1000) : null;
        const paths = ["state", "delete_time", "purge_time", ...(row.password_id === null ? [] : [passwordPath])];
        const changed = event("customer.deleted", paths);
        await removeLogin({ ...call, db: trx }, row.id);
        const deleted = await store.softDeleteCustomer(trx, tenantId, row.id, { purgeTime, freesEmail }, changed);
        if (freesEmail) await store.replaceExternalReferences(trx, tenantId, row.id, []);
        return { customer: await show({ ...call, db: trx }, deleted, rules) };
      });
    },

    async undeleteCustomer(req, ctx) {
      const call = callOf(ctx);
      const { db, tenantId, event } = call;
      return await inTransaction(db, async (trx) => {
        const rules = await deps.settings.read(trx, tenantId);
        const { settings } = rules;
        const row = await store.lockCustomer(trx, tenantId, req.id);
        if (row === undefined) throw notFound("customer");
        requireEtag("customer", row, req.etag);
        if (row.delete_time === null) throw refused("CUSTOMER_NOT_DELETED", "The customer is not deleted.");
        const changed = event("customer.undeleted", ["state", "delete_time", "purge_time"]);
        const uniqueEmail = holdsEmail(settings);
        await requireFreeEmail(trx, tenantId, row.id, row.email, settings);
        const active = await store.undeleteCustomer(trx, tenantId, row, uniqueEmail, changed).catch(explainViolation);
        const references = row.external_references;
        await store.replaceExternalReferences(trx, tenantId, row.id, references).catch(explainViolation);
        return { customer: await show({ ...call, db: trx }, active, rules) };
      });
    },
  };

  async function hashOf({ password }: Customer): Promise<string | undefined> {
    if (password === "") return undefined;
    requirePassword(password, "customer.password");
    return await deps.passwords.hash(password);
  }

  async function getOrCreate(call: Call, given: Customer, lookup: Lookup, passwordHash: string | undefined) {
    const view = await viewOf(call);
    for (let attempt = 0; attempt < 3; attempt++) {
      const found = await inTransaction(call.db, async (trx) => {
        const inside = { ...call, db: trx };
        await lookups.lockLookup(trx, call.tenantId, lookup.key);
        // An answer that is to be remembered holds what it shows.
        const row = await lookup.find(trx, call.tenantId, call.db.isTransaction === true);
        if (row !== undefined) return { customer: customerFromRow(row, view, row.shipping), created: false };
        return { customer: await createCustomer(inside, given, passwordHash), created: true };
      }).catch((error: unknown) => {
        // Somebody made the customer meanwhile, without looking for it first: the next look finds it.
        if (reasonOf(error) !== lookup.taken || attempt === 2) throw error;
      });
      if (found !== undefined) return found;
    }
    throw conflict();
  }

  async function createCustomer(call: Call, given: Customer, passwordHash: string | undefined): Promise<Customer> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const rules = await deps.settings.read(call.db, call.tenantId);
      const checked = { ...checkNewCustomer(given, { ...rules, kind: call.kind }), passwordHash };
      const insert = (on: Knex) => insertCustomer({ ...call, db: on }, deps.newId, checked, rules.version);
      const isAlone = isOneRow(checked) || call.db.isTransaction;
      const inserted = await (isAlone ? insert(call.db) : inTransaction(call.db, insert));
      if (inserted !== undefined) return customerFromRow(inserted.row, { ...call, ...rules }, inserted.shipping);
      deps.settings.forget(call.tenantId);
    }
    throw conflict();
  }

  // Which custom fields a customer shows may be as old as the cache of the settings allows.
  async function viewOf(call: Call): Promise<View> {
    const { customFields } = await deps.settings.read(call.db, call.tenantId);
    return { ...call, customFields };
  }
}

const bestMatchFirst: readonly OrderTerm[] = [
  { column: "match_rank", descending: false, nullable: false },
  { column: "create_time", descending: true, nullable: false },
];

// A changed customer, with the default address and the tax identifiers that it shows.
async function show(
  call: Call,
  row: store.CustomerRow,
  { customFields }: Pick<TenantSettings, "customFields">,
): Promise<Customer> {
  const { db, tenantId } = call;
  const isWhole = row.default_address_id === null && row.tax_identifiers !== undefined;
  const shown = isWhole ? undefined : await store.findCustomer(db, tenantId, row.id);
  return customerFromRow(shown ?? row, { ...call, customFields }, shown?.shipping);
}

type Lookup = ReturnType<typeof lookupOf>;

// What a customer is looked for by, as a text that is the same for all who look for it, and how it is found.
function lookupOf({ email = "", externalReferences }: Customer, by: CustomerKey) {
  if (by === CustomerKey.EXTERNAL_REFERENCE) {
    const [reference] = externalReferences;
    if (reference === undefined) throw invalidField("customer.external_references", requiredMessage);
    const find = (trx: Knex, tenantId: string, hold: boolean) =>
      lookups.findCustomerByReference(trx, tenantId, reference, hold);
    return { key: `reference ${reference.name} ${reference.id}`, find, taken: "EXTERNAL_REFERENCE_TAKEN" };
  }
  if (email.trim() === "") throw invalidField("customer.email", requiredMessage);
  const find = (trx: Knex, tenantId: string, hold: boolean) =>
    lookups.findCustomerByEmail(trx, tenantId, email.trim(), hold);
  return { key: `email ${email.trim().toLowerCase()}`, find, taken: "EMAIL_TAKEN" };
}
