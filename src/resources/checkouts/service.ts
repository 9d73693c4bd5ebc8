import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { AccountSettings } from "../../../gen/clientele/v1/accounts_pb.js";
import { type Address, AddressSchema } from "../../../gen/clientele/v1/addresses_pb.js";
import {
  type CheckoutService,
  ContactSchema,
  type CreateCheckoutRequest,
  ListCheckoutsRequestSchema,
} from "../../../gen/clientele/v1/checkouts_pb.js";
import { inTransaction } from "../../db/transaction.js";
import type { Deps } from "../../deps.js";
import { isLocale } from "../../formats/locales.js";
import { normalPhone } from "../../formats/phones.js";
import { prepared } from "../../rpc/call.js";
import { type Call, callOf, ownerOf } from "../../rpc/caller.js";
import {
  conflict,
  type FieldViolation,
  invalidField,
  invalidFields,
  notFound,
  requiredMessage,
} from "../../rpc/errors.js";
import { applyMask } from "../../rpc/field-mask.js";
import { pageOf, toPage } from "../../rpc/paging.js";
import { withoutBlanks } from "../../rpc/validate.js";
import { addressFromRow, writableFields } from "../addresses/convert.js";
import { validAddress } from "../addresses/rules.js";
import { findAddress } from "../addresses/store.js";
import { customerFromRow } from "../customers/convert.js";
import { lockActiveCustomer } from "../customers/rules.js";
import { findCustomer } from "../customers/store.js";
import { paymentMethodFromCard, paymentMethodFromRow } from "../payment-methods/convert.js";
import { findToken } from "../payment-methods/store.js";
import {
  attachToken,
  type DescribedToken,
  describeToken,
  requireAttachedBefore,
  requireOwn,
} from "../payment-methods/token.js";
import { checkoutFromRow, resolvedToColumns } from "./convert.js";
import { type Candidates, resolve } from "./resolve.js";
import * as store from "./store.js";

export function checkoutService(deps: Deps): ServiceImpl<typeof CheckoutService> {
  return {
    createCheckout: prepared(async (req, ctx) => {
      const pooled = callOf(ctx);
      if (req.customerId === "") requireGuest(req);
      else if ((await findCustomer(pooled.db, pooled.tenantId, req.customerId)) === undefined) {
        throw notFound("customer");
      }
      const token = req.creditCardToken;
      const described =
        token === "" ? undefined : await describeToken(deps.cardVault, pooled, token, "credit_card_token", ctx.signal);
      return (call) =>
        inTransaction(call.db, async (trx) => {
          const inside = { ...call, db: trx };
          const { settings } = await deps.settings.read(trx, call.tenantId);
          const candidates = await (req.customerId === ""
            ? candidatesOfGuest(inside, req, described!, settings)
            : candidatesOfCustomer(inside, req, described, settings));
          const columns = resolvedToColumns(deps.newId("chk"), req.url, req.customerId, resolve(candidates));
          const row = await store.insertCheckout(trx, call.tenantId, columns, call.event("checkout.created"));
          return { checkout: checkoutFromRow(row) };
        });
    }),

    async getCheckout(req, ctx) {
      const call = callOf(ctx);
      const row = await store.findCheckout(call.db, call.tenantId, req.id, ownerOf(call));
      if (row === undefined) throw notFound("checkout");
      return { checkout: checkoutFromRow(row) };
    },

    async listCheckouts(req, ctx) {
      const call = callOf(ctx);
      const page = pageOf(call, ListCheckoutsRequestSchema, req);
      const { rows, ...tokens } = toPage(await store.listCheckouts(call.db, call.tenantId, req, page), page);
      return { checkouts: rows.map(checkoutFromRow), ...tokens };
    },
  };
}

// A guest has nothing to fall back on (EP).
function requireGuest(req: CreateCheckoutRequest): void {
  const violations: FieldViolation[] = [];
  const contact = req.contact && withoutBlanks(ContactSchema, req.contact);
  if (contact?.email === undefined) violations.push({ field: "contact.email", description: requiredMessage });
  if (req.shipping === undefined) violations.push({ field: "shipping", description: requiredMessage });
  if (req.creditCardToken === "") violations.push({ field: "credit_card_token", description: requiredMessage });
  if (req.addressId !== "") violations.push({ field: "address_id", description: "belongs to a customer" });
  if (violations.length > 0) throw invalidFields(violations);
}

async function candidatesOfGuest(
  { db, tenantId, now }: Call,
  req: CreateCheckoutRequest,
  { token, card }: DescribedToken,
  settings: AccountSettings,
): Promise<Candidates> {
  const attached = await findToken(db, tenantId, token);
  if (attached !== undefined) requireOwn(attached, undefined);
  // It was detached since the vault was not asked.
  if (card === undefined) throw conflict();
  const requestShipping = inlineAddress(req.shipping!, settings);
  const requestPaymentMethod = paymentMethodFromCard(token, card, now);
  return { request: requestOf(req, requestShipping.country), requestShipping, requestPaymentMethod };
}

async function candidatesOfCustomer(
  call: Call,
  req: CreateCheckoutRequest,
  described: DescribedToken | undefined,
  settings: AccountSettings,
): Promise<Candidates> {
  const { db, tenantId, now } = call;
  const row = await lockActiveCustomer(db, tenantId, req.customerId);
  const savedAddress = async (id: string) => {
    const address = await findAddress(db, tenantId, row.id, id);
    if (address === undefined) throw notFound("address");
    return addressFromRow(address, row.default_address_id);
  };
  const requestShipping = async () => {
    if (req.shipping !== undefined) return inlineAddress(req.shipping, settings);
    return req.addressId === "" ? undefined : await savedAddress(req.addressId);
  };
  const requestPaymentMethod = async () => {
    if (described === undefined) return undefined;
    requireAttachedBefore(described, settings);
    const firstBecomesDefault = settings.firstPaymentMethodBecomesDefault === true;
    const { row: attached, defaultId } = await attachToken(call, row, { ...described, firstBecomesDefault });
    return paymentMethodFromRow(attached, defaultId, now);
  };
  const defaultPaymentMethod = async (id: string) => {
    const method = await findToken(db, tenantId, id);
    return method && paymentMethodFromRow(method, id, now);
  };
  const shipping = await requestShipping();
  return {
    request: requestOf(req, shipping?.country ?? row.country ?? undefined),
    // A checkout takes no custom fields.
    customer: customerFromRow(row, { ...call, customFields: [] }),
    requestShipping: shipping,
    requestPaymentMethod: await requestPaymentMethod(),
    ...(row.default_address_id !== null && { defaultShipping: await savedAddress(row.default_address_id) }),
    ...(row.default_payment_method_id !== null && {
      defaultPaymentMethod: await defaultPaymentMethod(row.default_payment_method_id),
    }),
  };
}

// What is output only is nobody's to write: the copy would name an address, a customer and times that it never had.
function inlineAddress(given: Address, settings: AccountSettings): Address {
  const { next } = applyMask(AddressSchema, create(AddressSchema), given, undefined, writableFields);
  return validAddress(next, settings, "shipping");
}

// What the buyer says of itself, trimmed and checked.
function requestOf(req: CreateCheckoutRequest, country: string | undefined): Candidates["request"] {
  const contact = req.contact && withoutBlanks(ContactSchema, req.contact);
  if (contact?.phone !== undefined) {
    const phone = normalPhone(contact.phone, country);
    if (phone === undefined) throw invalidField("contact.phone", "Enter a valid phone number.");
    contact.phone = phone;
  }
  const { displayName, locale, type } = req;
  if (locale && !isLocale(locale)) throw invalidField("locale", "Enter a valid locale, such as en_US.");
  return {
    ...(contact && { contact }),
    ...(displayName !== undefined && { displayName: displayName.trim() }),
    ...(locale !== undefined && { locale }),
    type,
  };
}
