import type { ServiceImpl } from "@connectrpc/connect";
import type { Customer } from "../../../gen/clientele/v1/customers_pb.js";
import type { PasswordService } from "../../../gen/clientele/v1/passwords_pb.js";
import type { Deps } from "../../deps.js";
import { type Call, callOf, clientAddressOf } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { transact } from "../../rpc/calls/transaction.js";
import { invalidField, notFound } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { holderOf } from "../customer-tokens/store.js";
import { customerFromRow, type View } from "../customers/convert.js";
import { lockActiveCustomer, requireActive } from "../customers/lock.js";
import * as customers from "../customers/store.js";
import { passwordPath, requirePassword } from "./rules.js";
import { saltOf } from "./salt.js";
import * as store from "./store.js";
import { removeLogin, writePassword } from "./write.js";

/** Hashing comes before the transaction, which would hold a connection and locks meanwhile. */
export function passwordService(deps: Deps): ServiceImpl<typeof PasswordService> {
  return {
    setPassword: prepared(async (req, ctx) => {
      requirePassword(req.password, "password");
      const { db, tenantId, ...call } = callOf(ctx);
      const customer = await customers.findCustomer(db, tenantId, req.customerId);
      const hash = await deps.passwords.hash(req.password, saltOf(call, customer?.email));
      return (call) => write(call, req.customerId, hash, { etag: req.etag });
    }),

    changePassword: prepared(async (req, ctx) => {
      const call = callOf(ctx);
      requirePassword(req.newPassword, "new_password");
      const row = requireActive(await customers.findCustomer(call.db, call.tenantId, req.customerId));
      const isFirst = row.password_id === null && req.oldPassword === "";
      const current = isFirst ? null : await verifiedPassword(call, row.id, req.oldPassword, clientAddressOf(ctx));
      const hash = await deps.passwords.hash(req.newPassword, saltOf(call, row.email));
      return (change) => write(change, row.id, hash, { current });
    }),

    async removePassword(req, ctx) {
      return await write(callOf(ctx), req.customerId, undefined, { etag: req.etag });
    },
  };

  async function verifiedPassword(call: Call, customerId: string, password: string, from: string): Promise<string> {
    const id = await deps.verifyCounted(call, { whose: `customer ${customerId}`, from }, async () => {
      const row = await store.findPassword(call.db, call.tenantId, customerId);
      const match = await deps.passwords.match(password, row === undefined ? [] : [row.hash]);
      return match && row && { match: row.id, isSole: true };
    });
    if (id === undefined) throw passwordWrong();
    return id;
  }

  interface Condition {
    readonly etag?: string;
    /** The id of the current password, as it was verified; null for none. */
    readonly current?: string | null;
  }

  async function write(call: Call, id: string, hash: string | undefined, { etag = "", current }: Condition) {
    const { tenantId } = call;
    const customer = await transact(call, async (inside) => {
      const { db, event } = inside;
      const { customFields, settings } = await deps.settings.read(db, tenantId);
      const row = await lockActiveCustomer(db, tenantId, id);
      requireEtag("customer", row, etag);
      // Another call changed the password meanwhile.
      if (current !== undefined && row.password_id !== current) throw passwordWrong();
      if (hash !== undefined || row.password_id !== null) {
        const password_id = hash === undefined ? null : await writePassword(inside, deps.newId, id, hash);
        if (password_id === null) await removeLogin(inside, id);
        await customers.update(db, tenantId, id, { password_id }, event("customer.updated", [passwordPath]));
      }
      return await shown({ ...inside, customFields, settings }, id);
    });
    call.afterCommit(() => deps.tokens.forget(holderOf(tenantId, id)));
    return { customer };
  }
}

async function shown(call: Call & View, id: string): Promise<Customer> {
  const row = await customers.findCustomer(call.db, call.tenantId, id);
  if (row === undefined) throw notFound("customer");
  return customerFromRow(row, call, row.shipping);
}

function passwordWrong() {
  return invalidField("old_password", "is not the customer's password", "PASSWORD_WRONG");
}
