import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type ExportCustomerDataResponse,
  ExportCustomerDataResponseSchema,
} from "../../../../gen/clientele/v1/privacy_pb.js";
import type { Call } from "../../../rpc/callers/caller.js";
import { notFound } from "../../../rpc/errors.js";
import { loadSettings } from "../../accounts/settings.js";
import { addressFromRow } from "../../addresses/convert.js";
import { checkoutFromRow } from "../../checkouts/convert.js";
import { customerTokenFromRow } from "../../customer-tokens/convert.js";
import { customerFromRow } from "../../customers/convert.js";
import { findCustomer, type ShownCustomerRow } from "../../customers/store.js";
import { eventFromRow } from "../../events/convert.js";
import { lastNumber, listEventsBetween, numberEvents } from "../../events/log-store.js";
import { orderFromRow } from "../../orders/convert.js";
import { paymentMethodFromRow } from "../../payment-methods/convert.js";
import { taxCertificateFromRow } from "../../tax-certificates/convert.js";
import { readFile } from "../../tax-certificates/file.js";
import { taxIdentifierFromRow } from "../../tax-identifiers/convert.js";
import { erasureFromRow } from "../convert.js";
import { findPhotoOf, isCustomer, listOwned } from "./person-store.js";

type Item = NonNullable<MessageInitShape<typeof ExportCustomerDataResponseSchema>["item"]>;
type Reading = Pick<Call, "db" | "tenantId" | "liveMode" | "publicUrl" | "now">;

const partSize = 256 * 1024;
const eventPage = 200;

/**
 * Everything that is held about a customer, as slow as its reader, without holding anything meanwhile: no snapshot of
 * one moment, which would keep a connection, and the whole database from being tidied, for as long as somebody reads.
 * A row that exists throughout is exported once. Throws NOT_FOUND if there never was such a customer.
 */
export async function* exportPerson(call: Reading, id: string): AsyncGenerator<ExportCustomerDataResponse> {
  for await (const item of itemsOf(call, id)) yield create(ExportCustomerDataResponseSchema, { item });
}

async function* itemsOf(call: Reading, id: string): AsyncGenerator<Item> {
  const { db, tenantId, now } = call;
  const customer = await findCustomer(db, tenantId, id);
  if (customer === undefined && !(await isCustomer(db, tenantId, id))) throw notFound("customer");
  if (customer !== undefined) yield* profile(call, customer);
  yield* photoParts(call, id);
  const { default_address_id: address, default_payment_method_id: method } = customer ?? none;
  for await (const row of listOwned(db, tenantId, id, "addresses")) {
    yield { case: "address", value: addressFromRow(row, address) };
  }
  for await (const row of listOwned(db, tenantId, id, "payment_methods")) {
    yield { case: "paymentMethod", value: paymentMethodFromRow({ ...row, customer_id: id }, method, now) };
  }
  yield* logins(call, id);
  yield* taxes(call, id);
  for await (const row of listOwned(db, tenantId, id, "checkouts")) {
    yield { case: "checkout", value: checkoutFromRow(row, now) };
  }
  for await (const row of listOwned(db, tenantId, id, "orders")) yield { case: "order", value: orderFromRow(row) };
  for await (const row of listOwned(db, tenantId, id, "erasures")) {
    yield { case: "erasure", value: erasureFromRow(row) };
  }
  yield* eventsOf(call, id);
}

const none = { default_address_id: null, default_payment_method_id: null };

async function* profile(call: Reading, row: ShownCustomerRow): AsyncGenerator<Item> {
  const { customFields, settings } = await loadSettings(call.db, call.tenantId);
  const customer = customerFromRow(row, { ...call, customFields, settings }, row.shipping);
  yield { case: "customer", value: customer };
  const shown = Object.keys(customer.customFields ?? {}).length;
  if (Object.keys(row.custom_fields).length > shown) yield { case: "customFieldsById", value: row.custom_fields };
}

async function* logins({ db, tenantId, liveMode }: Reading, id: string): AsyncGenerator<Item> {
  for await (const row of listOwned(db, tenantId, id, "customer_tokens")) {
    yield { case: "customerToken", value: customerTokenFromRow(row, liveMode) };
  }
  for await (const { issuer, subject, create_time } of listOwned(db, tenantId, id, "customer_identities")) {
    yield { case: "customerIdentity", value: { issuer, subject, createTime: timestampFromDate(create_time) } };
  }
}

async function* taxes({ db, tenantId, now }: Reading, id: string): AsyncGenerator<Item> {
  for await (const row of listOwned(db, tenantId, id, "tax_identifiers")) {
    yield { case: "taxIdentifier", value: taxIdentifierFromRow(row) };
  }
  for await (const row of listOwned(db, tenantId, id, "tax_certificates")) {
    yield { case: "taxCertificate", value: taxCertificateFromRow(row, now) };
    for await (const { content } of readFile(db, tenantId, id, row.id)) {
      yield { case: "taxCertificatePart", value: { taxCertificateId: row.id, content } };
    }
  }
}

function* partsOf(content: Uint8Array): Generator<Uint8Array> {
  for (let from = 0; from < content.length; from += partSize) yield content.subarray(from, from + partSize);
}

async function* photoParts({ db, tenantId }: Reading, id: string): AsyncGenerator<Item> {
  const photo = await findPhotoOf(db, tenantId, id);
  if (photo === undefined) return;
  const { content_type: contentType, content } = photo;
  for (const part of partsOf(content)) {
    yield { case: "photoPart", value: { contentType, size: content.length, content: part } };
  }
}

// Events committed up to this point.
async function* eventsOf({ db, tenantId, liveMode }: Reading, customerId: string): AsyncGenerator<Item> {
  await numberEvents(db, tenantId);
  const upTo = await lastNumber(db, tenantId);
  const filter = { eventTypes: [], resourceId: "", customerId, actorId: "" };
  for (let after = 0; ; ) {
    const rows = await listEventsBetween(db, tenantId, filter, { after, upTo, limit: eventPage });
    for (const row of rows) yield { case: "event", value: eventFromRow(row, liveMode) };
    after = rows.at(-1)?.id ?? after;
    if (rows.length < eventPage) return;
  }
}
