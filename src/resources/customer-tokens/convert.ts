import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type CustomerToken,
  type CustomerTokenMethod,
  CustomerTokenMethodSchema,
  CustomerTokenSchema,
} from "../../../gen/clientele/v1/customer_tokens_pb.js";
import { enumColumn } from "../../db/enums.js";
import { etagOf } from "../../rpc/etag.js";
import type { CustomerTokenRow } from "./store.js";

const method = enumColumn<CustomerTokenMethod>(CustomerTokenMethodSchema);

export function customerTokenFromRow(row: CustomerTokenRow, liveMode: boolean): CustomerToken {
  return create(CustomerTokenSchema, {
    id: row.id,
    customerId: row.customer_id,
    method: method.fromColumn(row.method),
    last4: row.last4,
    liveMode,
    createTime: timestampFromDate(row.create_time),
    expireTime: timestampFromDate(row.expire_time),
    ...(row.revoke_time && { revokeTime: timestampFromDate(row.revoke_time) }),
    etag: etagOf(row.version),
  });
}
