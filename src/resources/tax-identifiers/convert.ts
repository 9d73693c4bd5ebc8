import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type TaxIdentifier,
  TaxIdentifierSchema,
  TaxIdentifierState,
  TaxIdentifierStateSchema,
} from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { enumColumn } from "../../db/enums.js";
import { etagOf } from "../../rpc/etag.js";
import type { TaxIdentifierColumns, TaxIdentifierRow } from "./store.js";

/** The fields of a tax identifier that a client gives. */
export const givenPaths = ["type", "value", "country"];

const state = enumColumn<TaxIdentifierState>(TaxIdentifierStateSchema);

export const stateToColumn = (value: TaxIdentifierState) => state.toColumn(value)!;

export function taxIdentifierFromRow(row: TaxIdentifierRow): TaxIdentifier {
  return create(TaxIdentifierSchema, {
    id: row.id,
    type: row.type,
    value: row.value,
    country: row.country,
    state: state.fromColumn(row.state),
    customerId: row.customer_id ?? "",
    stateTransitions: row.state_transitions.map((transition) => ({
      state: state.fromColumn(transition.state),
      time: timestampFromDate(new Date(transition.time)),
    })),
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
  });
}

/** The columns of a new tax identifier, which nobody has verified. An empty `customerId` means nobody's. */
export function newTaxIdentifierColumns(
  id: string,
  customerId: string,
  { type, value, country }: TaxIdentifier,
): TaxIdentifierColumns {
  const pending = stateToColumn(TaxIdentifierState.PENDING);
  return { id, customer_id: customerId || null, type, value, country, state: pending };
}
