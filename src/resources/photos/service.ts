import type { ServiceImpl } from "@connectrpc/connect";
import type { Customer } from "../../../gen/clientele/v1/customers_pb.js";
import type { PhotoService } from "../../../gen/clientele/v1/photos_pb.js";
import type { Deps } from "../../deps.js";
import { callOf, type TransactionCall } from "../../rpc/callers/caller.js";
import { prepared } from "../../rpc/calls/call.js";
import { transact } from "../../rpc/calls/transaction.js";
import { notFound } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { randomToken } from "../../rpc/ids.js";
import { customerFromRow, type View } from "../customers/convert.js";
import { lockActiveCustomer } from "../customers/lock.js";
import * as customers from "../customers/store.js";
import * as store from "./store.js";

export function photoService({
  readImage,
  newId,
  randomBytes,
  settings: reader,
}: Deps): ServiceImpl<typeof PhotoService> {
  return {
    // The image is encoded before the transaction, because that may take a second.
    uploadPhoto: prepared(async (req) => {
      const { contentType, content } = await readImage(req.content);
      return async (call) => {
        const { customFields, settings } = await reader.read(call.db, call.tenantId);
        return await transact(call, async (inside) => {
          const { db, tenantId, event } = inside;
          const customer = await lockActiveCustomer(db, tenantId, req.customerId);
          requireEtag("customer", customer, req.etag);
          const token = randomToken(randomBytes);
          const photo = { id: newId("pho"), content_type: contentType, content, token };
          await store.replacePhoto(db, tenantId, customer.id, photo, event("photo.uploaded", ["content"]));
          return { customer: await showPhoto({ ...inside, customFields, settings }, customer.id, token) };
        });
      };
    }),

    async deletePhoto(req, ctx) {
      const call = callOf(ctx);
      const { customFields, settings } = await reader.read(call.db, call.tenantId);
      return await transact(call, async (inside) => {
        const { db, tenantId, event } = inside;
        const customer = await lockActiveCustomer(db, tenantId, req.customerId);
        requireEtag("customer", customer, req.etag);
        const existed = await store.deletePhotoOf(db, tenantId, customer.id, event("photo.deleted"));
        if (!existed) throw notFound("photo");
        return { customer: await showPhoto({ ...inside, customFields, settings }, customer.id, null) };
      });
    },
  };
}

// Changes the photo that a locked customer shows.
async function showPhoto(call: TransactionCall & View, customerId: string, token: string | null): Promise<Customer> {
  const { db, tenantId, event } = call;
  await customers.update(db, tenantId, customerId, { photo_token: token }, event("customer.updated", ["photo_url"]));
  const row = await customers.findCustomer(db, tenantId, customerId);
  if (row === undefined) throw notFound("customer");
  return customerFromRow(row, call, row.shipping);
}
