import { fromJson, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { errorFromJson } from "@connectrpc/connect/protocol-connect";
import { expect } from "vitest";
import {
  CreateTaxCertificateResponseSchema,
  type TaxCertificate,
  type TaxCertificateSchema,
} from "../../gen/clientele/v1/tax_certificates_pb.js";
import type { Clientele, Clients, TestAccount } from "./clientele.js";

type CertificateInit = MessageInitShape<typeof TaxCertificateSchema>;

/** A certificate of the year 2026. */
export const certificate = {
  companyName: "Analytical Engines Inc",
  taxAuthority: "TX",
  startDate: "2026-01-01",
  endDate: "2026-12-31",
} as const;

/** A PDF of exactly that many bytes. */
export function pdfOf(bytes: number): Buffer {
  const [head, tail] = [Buffer.from("%PDF-1.7\n"), Buffer.from("\n%%EOF\n")];
  return Buffer.concat([head, Buffer.alloc(bytes - head.length - tail.length, "x"), tail]);
}

/** Adds a certificate by a call. */
export async function createByCall(
  { taxCertificates }: Clients,
  customerId: string,
  content: Buffer = pdfOf(64),
  overrides: CertificateInit = {},
): Promise<TaxCertificate> {
  const taxCertificate = { ...certificate, ...overrides };
  const answer = await taxCertificates.createTaxCertificate({ customerId, taxCertificate, content });
  return answer.taxCertificate!;
}

/** All messages of a stream. */
export async function partsOf<Part>(stream: AsyncIterable<Part>): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

/** A form with a certificate; its file has a name and a type that are lies, and comes first. */
export function formOf(content: Buffer, overrides: CertificateInit = {}): FormData {
  const { companyName, taxAuthority, startDate, endDate } = { ...certificate, ...overrides };
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(content)], { type: "text/html" }), "me.exe");
  form.append("company_name", companyName);
  form.append("tax_authority", taxAuthority);
  form.append("start_date", startDate);
  form.append("end_date", endDate);
  return form;
}

/** Posts a form to a service with the test key of an account. Throws what a client of Connect would see. */
export async function postForm(
  { httpUrl }: Clientele,
  { testKey }: TestAccount,
  customerId: string,
  body: FormData,
): Promise<TaxCertificate> {
  const url = `${httpUrl}/v1/customers/${encodeURIComponent(customerId)}/tax-certificates`;
  const answer = await fetch(url, { method: "POST", headers: { "api-key": testKey }, body });
  expect(answer.headers.get("content-type")).toBe("application/json");
  const json = (await answer.json()) as JsonValue;
  if (answer.status !== 200) throw errorFromJson(json, undefined, new ConnectError("no error", Code.Unknown));
  return fromJson(CreateTaxCertificateResponseSchema, json).taxCertificate!;
}
