import { create, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Erasure,
  ErasureMethod,
  type ErasureReceipt,
  ErasureReceiptSchema,
  ErasureSchema,
  type ErasureState,
  ErasureStateSchema,
} from "../../../gen/clientele/v1/privacy_pb.js";
import { enumColumn } from "../../db/enums.js";
import { etagOf } from "../../rpc/etag.js";
import type { PersonalRows } from "./manifest.js";
import type { RetainedColumns } from "./retained.js";
import type { ErasureRow } from "./store.js";

const state = enumColumn<ErasureState>(ErasureStateSchema);

export function erasureFromRow(row: ErasureRow): Erasure {
  return create(ErasureSchema, {
    id: row.id,
    customerId: row.customer_id ?? "",
    state: state.fromColumn(row.state),
    createTime: timestampFromDate(row.create_time),
    dueTime: timestampFromDate(row.due_time),
    ...(row.end_time && row.state === "completed" && { completeTime: timestampFromDate(row.end_time) }),
    ...(row.end_time && row.state === "cancelled" && { cancelTime: timestampFromDate(row.end_time) }),
    ...(row.receipt && { receipt: fromJson(ErasureReceiptSchema, row.receipt, { ignoreUnknownFields: true }) }),
    etag: etagOf(row.version),
  });
}

/** The receipt of an erasure: the rows found in each table, and the columns kept. */
export function receiptToColumn(
  counts: ReadonlyMap<string, number>,
  personal: readonly PersonalRows[],
  retained: readonly RetainedColumns[],
): JsonObject {
  const receipt: ErasureReceipt = create(ErasureReceiptSchema, {
    erased: personal.map(({ table, cleared, shown, hidden }) => ({
      table,
      method: cleared === undefined ? ErasureMethod.DELETED : ErasureMethod.CLEARED,
      count: counts.get(table) ?? 0,
      columns: [...shown, ...hidden],
    })),
    kept: retained.map(({ table, columns, reason }) => ({ table, columns: [...columns], reason })),
  });
  return toJson(ErasureReceiptSchema, receipt) as JsonObject;
}
