import type { ServiceImpl } from "@connectrpc/connect";
import {
  type CreateCustomerTokenRequest,
  type CustomerTokenService,
  ListCustomerTokensRequestSchema,
} from "../../../gen/clientele/v1/customer_tokens_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf, clientAddressOf } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { notFound, notPermitted, refused } from "../../rpc/errors.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { lockActiveCustomer } from "../customers/lock.js";
import { findCustomer } from "../customers/store.js";
import { confirmIdentity, customerOfIdentity } from "../identities/sign-in.js";
import { logIn, loginFailed } from "../passwords/login.js";
import { customerTokenFromRow } from "./convert.js";
import { issueToken, type Recognised } from "./issue.js";
import * as store from "./store.js";

export function customerTokenService(deps: Deps): ServiceImpl<typeof CustomerTokenService> {
  return {
    createCustomerToken: prepared(async (req, ctx) => {
      const call = callOf(ctx);
      const recognise = await recognition(call, req, addressOf(call, req, clientAddressOf(ctx)), ctx.signal);
      return async (change) => {
        const recognised = await recognise(change);
        const issued = await issueToken(deps, change, recognised);
        if (issued === undefined) throw await refusalOf(change, recognised);
        return { customerToken: customerTokenFromRow(issued.row, call.liveMode), secret: issued.secret };
      };
    }),

    async getCustomerToken(req, ctx) {
      const { db, tenantId, liveMode } = callOf(ctx);
      const row = await store.findCustomerToken(db, tenantId, req.customerId, req.id);
      if (row === undefined) throw notFound("customer token");
      return { customerToken: customerTokenFromRow(row, liveMode) };
    },

    async listCustomerTokens(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListCustomerTokensRequestSchema, req);
      const list = await store.listCustomerTokens(call.db, call.tenantId, req.customerId, page);
      if (list === undefined) throw notFound("customer");
      const { rows, ...tokens } = toPage(list, page);
      return { customerTokens: rows.map((row) => customerTokenFromRow(row, call.liveMode)), ...tokens };
    },

    async revokeCustomerToken(req, ctx) {
      const { db, tenantId, liveMode, event, afterCommit } = callOf(ctx);
      const { customerId, id } = req;
      const revoked = await inTransaction(db, async (trx) => {
        const ended = event("customer_token.revoked", ["revoke_time"]);
        const row = await store.revokeCustomerToken(trx, tenantId, customerId, id, ended);
        const token = row ?? (await store.findCustomerToken(trx, tenantId, customerId, id));
        if (token === undefined) throw notFound("customer token");
        return token;
      });
      afterCommit(() => deps.tokens.forget(store.holderOf(tenantId, customerId)));
      return { customerToken: customerTokenFromRow(revoked, liveMode) };
    },

    async revokeAllCustomerTokens(req, ctx) {
      const { db, tenantId, event, afterCommit } = callOf(ctx);
      const { customerId } = req;
      const revoked = await inTransaction(db, async (trx) => {
        await lockActiveCustomer(trx, tenantId, customerId);
        const ended = event("customer_token.revoked", ["revoke_time"]);
        return await store.revokeCustomerTokensOf(trx, tenantId, customerId, ended);
      });
      afterCommit(() => deps.tokens.forget(store.holderOf(tenantId, customerId)));
      return { revokedCount: revoked.length };
    },
  };

  // Takes long, and changes nothing; what it gives may change something, and takes not long.
  async function recognition(
    call: Call,
    { credential }: CreateCustomerTokenRequest,
    from: string,
    signal: AbortSignal,
  ): Promise<(change: Call) => Promise<Recognised>> {
    switch (credential.case) {
      case "emailPassword": {
        const { customer_id: customerId, id: passwordId } = await logIn(deps, call, credential.value, from);
        return async () => ({ customerId, method: "password", passwordId });
      }
      case "authorizationCode": {
        const identity = await confirmIdentity(deps, call, credential.value, signal);
        return async (change) => {
          return { customerId: await customerOfIdentity(deps, change, identity), method: "identity_provider" };
        };
      }
      default: {
        const customerId = credential.value ?? "";
        return async () => ({ customerId, method: "secret_key" });
      }
    }
  }
}

// Why somebody who was recognised gets no token.
async function refusalOf({ db, tenantId }: Call, { customerId, passwordId }: Recognised) {
  // The password was changed in this instant, or the customer deleted.
  if (passwordId !== undefined) return loginFailed();
  const customer = await findCustomer(db, tenantId, customerId);
  return customer === undefined ? notFound("customer") : refused("CUSTOMER_DELETED", "The customer is deleted.");
}

// Only the merchant's own server can know these fields.
function addressOf({ kind }: Call, { clientIpAddress }: CreateCustomerTokenRequest, peer: string): string {
  if (clientIpAddress !== "" && kind !== "secret_key") throw notPermitted(["client_ip_address"]);
  return clientIpAddress || peer;
}
