import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type TaxCertificate, TaxCertificateSchema } from "../../../gen/clientele/v1/tax_certificates_pb.js";
import { etagOf } from "../../rpc/etag.js";
import { stateAt } from "./state.js";
import type { TaxCertificateColumns, TaxCertificateRow } from "./store.js";

export function taxCertificateFromRow(row: TaxCertificateRow, now: Date): TaxCertificate {
  return create(TaxCertificateSchema, {
    id: row.id,
    customerId: row.customer_id,
    companyName: row.company_name,
    taxAuthority: row.tax_authority,
    startDate: row.start_date,
    endDate: row.end_date,
    state: stateAt(now, row),
    contentType: row.content_type,
    fileSize: row.file_size,
    createTime: timestampFromDate(row.create_time),
    updateTime: timestampFromDate(row.update_time),
    etag: etagOf(row.version),
  });
}

/** The columns of a valid certificate. */
export function taxCertificateToColumns(
  id: string,
  { companyName, taxAuthority, startDate, endDate }: TaxCertificate,
  contentType: string,
): TaxCertificateColumns {
  return {
    id,
    company_name: companyName,
    tax_authority: taxAuthority,
    start_date: startDate,
    end_date: endDate,
    content_type: contentType,
  };
}
