import type { ServiceImpl } from "@connectrpc/connect";
import {
  ListTaxCertificatesRequestSchema,
  type TaxCertificateService,
} from "../../../gen/clientele/v1/tax_certificates_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { callOf } from "../../rpc/callers/caller.js";
import { notFound, refused } from "../../rpc/errors.js";
import { requireEtag } from "../../rpc/etag.js";
import { pageOf, toPage } from "../../rpc/lists/paging.js";
import { required } from "../../rpc/requests/validate.js";
import { lockActiveCustomer } from "../customers/lock.js";
import { taxCertificateFromRow, taxCertificateToColumns } from "./convert.js";
import { contentTypeOf, readFile } from "./file.js";
import { validTaxCertificate } from "./rules.js";
import * as store from "./store.js";

const maxPerCustomer = 100;

export function taxCertificateService({ newId }: Pick<Deps, "newId">): ServiceImpl<typeof TaxCertificateService> {
  return {
    async createTaxCertificate(req, ctx) {
      const { db, tenantId, now, event } = callOf(ctx);
      // The file first: of a form with one that is too large, the parts behind it are not read.
      const contentType = await contentTypeOf(req.content);
      const certificate = validTaxCertificate(required(req.taxCertificate, "tax_certificate"));
      const columns = taxCertificateToColumns(newId("txc"), certificate, contentType);
      return await inTransaction(db, async (trx) => {
        const customer = await lockActiveCustomer(trx, tenantId, req.customerId);
        if ((await store.countTaxCertificates(trx, tenantId, customer.id)) >= maxPerCustomer) {
          const message = `Customer already has ${maxPerCustomer} tax certificates.`;
          throw refused("TAX_CERTIFICATE_LIMIT_REACHED", message);
        }
        const paths = ["company_name", "tax_authority", "start_date", "end_date", "content_type", "file_size"];
        const created = event("tax_certificate.created", paths);
        const file = { ...columns, content: req.content };
        const row = await store.insertTaxCertificate(trx, tenantId, customer.id, file, created);
        return { taxCertificate: taxCertificateFromRow(row, now) };
      });
    },

    async getTaxCertificate(req, ctx) {
      const { db, tenantId, now } = callOf(ctx);
      const row = await store.findTaxCertificate(db, tenantId, req.customerId, req.id);
      if (row === undefined) throw notFound("tax certificate");
      return { taxCertificate: taxCertificateFromRow(row, now) };
    },

    async *getTaxCertificateFile(req, ctx) {
      const { db, tenantId } = callOf(ctx);
      let bytesLeft: number | undefined;
      for await (const { content, ...file } of readFile(db, tenantId, req.customerId, req.id)) {
        const head = bytesLeft === undefined && { contentType: file.content_type, fileSize: file.file_size };
        yield { ...head, content };
        bytesLeft = (bytesLeft ?? file.file_size) - content.byteLength;
      }
      // The certificate is absent, or was deleted while its file was read.
      if (bytesLeft !== 0) throw notFound("tax certificate");
    },

    async listTaxCertificates(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListTaxCertificatesRequestSchema, req);
      const list = await store.listTaxCertificates(call.db, call.tenantId, req.customerId, page);
      if (list === undefined) throw notFound("customer");
      const { rows, ...tokens } = toPage(list, page);
      return { taxCertificates: rows.map((row) => taxCertificateFromRow(row, call.now)), ...tokens };
    },

    async deleteTaxCertificate(req, ctx) {
      const { db, tenantId, event } = callOf(ctx);
      return await inTransaction(db, async (trx) => {
        const customer = await lockActiveCustomer(trx, tenantId, req.customerId);
        const row = await store.findTaxCertificate(trx, tenantId, customer.id, req.id);
        if (row === undefined) throw notFound("tax certificate");
        requireEtag("tax certificate", row, req.etag);
        await store.deleteTaxCertificate(trx, tenantId, customer.id, row.id, event("tax_certificate.deleted"));
        return {};
      });
    },
  };
}
