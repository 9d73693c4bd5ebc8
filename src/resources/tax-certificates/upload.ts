import { create, toBinary } from "@bufbuild/protobuf";
import {
  CreateTaxCertificateRequestSchema,
  TaxCertificateService,
} from "../../../gen/clientele/v1/tax_certificates_pb.js";
import type { Upload } from "../../server/http/uploads.js";
import { maxFileBytes } from "./file.js";

/** The largest CreateTaxCertificate message, in bytes: a file in base64, as JSON carries it, and room for the rest. */
export const maxUploadMessage = Math.ceil(maxFileBytes / 3) * 4 + 8192;

/** A tax certificate as a form: `POST /v1/customers/{customer_id}/tax-certificates`. */
export const taxCertificateUpload: Upload = {
  path: /^\/v1\/customers\/([^/]+)\/tax-certificates$/,
  method: TaxCertificateService.method.createTaxCertificate,
  field: "file",
  texts: ["company_name", "tax_authority", "start_date", "end_date"],
  maxBytes: maxFileBytes,
  request: (customerId, content, texts) => {
    const text = (name: string) => texts.get(name) ?? "";
    const taxCertificate = {
      companyName: text("company_name"),
      taxAuthority: text("tax_authority"),
      startDate: text("start_date"),
      endDate: text("end_date"),
    };
    const request = create(CreateTaxCertificateRequestSchema, { customerId, taxCertificate, content });
    return toBinary(CreateTaxCertificateRequestSchema, request);
  },
};
