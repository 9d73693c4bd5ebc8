import { randomUUID } from "node:crypto";
import { beforeAll, expect, test } from "vitest";
import {
  PaymentMethodAttachment,
  PaymentMethodDetachment,
  SettingsPreset,
} from "../../../gen/clientele/v1/accounts_pb.js";
import {
  type PaymentMethod,
  PaymentMethodState,
  PaymentMethodType,
} from "../../../gen/clientele/v1/payment_methods_pb.js";
import { type Clients, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { failureOf } from "../../support/errors.js";
import { attachPaymentMethod, newToken } from "../../support/payment-methods.js";
import { picked } from "../../support/picked.js";
import { createCheckout } from "../../support/purchases.js";
import { changeSettings } from "../../support/settings.js";

const start = new Date("2026-03-01T12:00:00Z");
let now = start;
let clients: Clients;
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  ({ test: clients } = await clientele.createAccount());
});

async function get(by: Clients, { customerId, id }: Pick<PaymentMethod, "customerId" | "id">): Promise<PaymentMethod> {
  const { paymentMethod } = await by.paymentMethods.getPaymentMethod({ customerId, id });
  return paymentMethod!;
}

async function setDefault(by: Clients, customerId: string, id: string): Promise<PaymentMethod> {
  const { paymentMethod } = await by.paymentMethods.setDefaultPaymentMethod({ customerId, id });
  return paymentMethod!;
}

const tokens = [
  { kind: "the vault's token", id: newToken() },
  { kind: "a source's UUID", id: randomUUID() },
];

test.for(tokens)("$kind is attached with the vault's description", async ({ id }) => {
  const { id: customerId } = await createCustomer(clients);
  const attached = await attachPaymentMethod(clients, customerId, {
    id,
    label: "Personal Visa",
    card: { brand: "mine" },
  });
  expect(attached).toMatchObject({
    id,
    customerId,
    type: PaymentMethodType.CARD,
    label: "Personal Visa",
    isDefault: true,
    state: PaymentMethodState.CHARGEABLE,
    createTime: { seconds: BigInt(Math.trunc(now.getTime() / 1000)) },
  });
  expect(["visa", "mastercard", "amex", "discover"]).toContain(attached.card!.brand);
  expect(attached.card!.last4).toMatch(/^\d{4}$/);
  expect(await get(clients, attached)).toEqual(attached);
  expect((await clients.paymentMethods.listPaymentMethods({ customerId })).paymentMethods).toEqual([attached]);
});

test("a label is trimmed, and a blank one is none", async () => {
  const { id: customerId } = await createCustomer(clients);
  const labels = [" Personal Visa ", "  "].map(async (label) => {
    const { label: stored } = await attachPaymentMethod(clients, customerId, { label });
    return stored;
  });
  expect(await Promise.all(labels)).toEqual(["Personal Visa", undefined]);
});

const refusedTokens = [
  { token: "cct_live_xyz123", live: false, reason: "PAYMENT_METHOD_MODE_MISMATCH", code: "FailedPrecondition" },
  { token: "cct_sandbox_xyz123", live: true, reason: "PAYMENT_METHOD_MODE_MISMATCH", code: "FailedPrecondition" },
  { token: newToken("unknown"), live: false, reason: "RESOURCE_NOT_FOUND", code: "NotFound" },
  { token: "4242 4242 4242 4242", live: false, reason: "CARD_NUMBER_GIVEN", code: "InvalidArgument" },
  { token: "cct_other_xyz123", live: false, reason: "FIELDS_INVALID", code: "InvalidArgument" },
  { token: "", live: false, reason: "FIELDS_INVALID", code: "InvalidArgument" },
];

test.for(refusedTokens)(
  "the token '$token' is refused with $reason, however it is used",
  async ({ token, live, ...want }) => {
    const account = await clientele.createAccount();
    const by = live ? account.live : account.test;
    const { id: customerId } = await createCustomer(by);
    expect(await failureOf(attachPaymentMethod(by, customerId, { id: token }))).toMatchObject(want);
    expect(await failureOf(setDefault(by, customerId, token))).toMatchObject(want);
    if (token === "") return;
    expect(await failureOf(createCustomer(by, { defaultPaymentMethodId: token }))).toMatchObject(want);
    expect(await failureOf(createCheckout(by, { customerId, paymentMethodId: token }))).toMatchObject(want);
  },
);

test.for(["erased:zz", "erased:0a", "cct_sandbox_", "no token"])("%s is no payment method of anybody", async (id) => {
  const { id: customerId } = await createCustomer(clients);
  const updated = clients.paymentMethods.updatePaymentMethod({ customerId, paymentMethod: { id, label: "x" } });
  expect(await failureOf(updated)).toMatchObject({ code: "NotFound" });
  const detached = clients.paymentMethods.detachPaymentMethod({ customerId, id });
  expect(await failureOf(detached)).toMatchObject({ code: "NotFound" });
});

test("a card expires with the last moment of its month", async () => {
  const { id: customerId } = await createCustomer(clients);
  const expired = await attachPaymentMethod(clients, customerId, { id: newToken("expired") });
  expect(expired).toMatchObject({ state: PaymentMethodState.EXPIRED, card: { expMonth: 1, expYear: 2020 } });
  const card = await attachPaymentMethod(clients, customerId);
  const end = Date.UTC(card.card!.expYear, card.card!.expMonth);
  now = new Date(end - 1);
  expect(await get(clients, card)).toMatchObject({ state: PaymentMethodState.CHARGEABLE });
  now = new Date(end);
  expect(await get(clients, card)).toMatchObject({ state: PaymentMethodState.EXPIRED });
  now = start;
});

test("a token belongs to one customer at most", async () => {
  const [{ id: customerId }, other] = [await createCustomer(clients), await createCustomer(clients)];
  const { id } = await attachPaymentMethod(clients, customerId);
  const taken = { code: "FailedPrecondition", reason: "PAYMENT_METHOD_UNAVAILABLE" };
  expect(await failureOf(attachPaymentMethod(clients, other.id, { id }))).toMatchObject(taken);
  expect(await failureOf(setDefault(clients, other.id, id))).toMatchObject(taken);
  expect(await failureOf(createCheckout(clients, { customerId: other.id, paymentMethodId: id }))).toMatchObject(taken);
  expect((await clients.paymentMethods.listPaymentMethods({ customerId: other.id })).paymentMethods).toEqual([]);
});

const { ANY, IMPLICIT, EXPLICIT } = PaymentMethodAttachment;
const attachments = [
  { name: "ANY", attachment: ANY, byAttach: "OK", byUse: "OK" },
  { name: "IMPLICIT", attachment: IMPLICIT, byAttach: "ATTACHMENT_IMPLICIT_ONLY", byUse: "OK" },
  { name: "EXPLICIT", attachment: EXPLICIT, byAttach: "OK", byUse: "ATTACHMENT_EXPLICIT_ONLY" },
];
const uses: {
  name: string;
  explicit: boolean;
  use: (by: Clients, customerId: string, id: string) => Promise<unknown>;
}[] = [
  {
    name: "AttachPaymentMethod",
    explicit: true,
    use: (by, customerId, id) => attachPaymentMethod(by, customerId, { id }),
  },
  { name: "use as a default", explicit: false, use: setDefault },
  {
    name: "use in a checkout",
    explicit: false,
    use: (by, customerId, paymentMethodId) => createCheckout(by, { customerId, paymentMethodId }),
  },
];
const ways = attachments.flatMap((mode) => uses.map((use) => ({ ...mode, mode: mode.name, ...use })));

test.for(ways)("under $mode a new token meets $name", async ({ attachment, explicit, use, byAttach, byUse }) => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { paymentMethodAttachment: attachment });
  const { id: customerId } = await createCustomer(own);
  const id = newToken();
  const want = explicit ? byAttach : byUse;
  const call = use(own, customerId, id);
  if (want === "OK") {
    await call;
    expect(await get(own, { customerId, id })).toMatchObject({ id, customerId, isDefault: true });
  } else {
    expect(await failureOf(call)).toMatchObject({ code: "FailedPrecondition", reason: want });
    expect((await own.paymentMethods.listPaymentMethods({ customerId })).paymentMethods).toEqual([]);
  }
});

test.for([true, false])("the first payment method becomes the default: %s, a second one never", async (becomes) => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { firstPaymentMethodBecomesDefault: becomes });
  const { id: customerId } = await createCustomer(own);
  const [first, second] = [await attachPaymentMethod(own, customerId), await attachPaymentMethod(own, customerId)];
  expect([first.isDefault, second.isDefault]).toEqual([becomes, false]);
  expect((await getCustomer(own, customerId)).defaultPaymentMethodId).toBe(becomes ? first.id : undefined);
});

const detachments = [
  { name: "CONSUME", detachment: PaymentMethodDetachment.CONSUME },
  { name: "REMOVE", detachment: PaymentMethodDetachment.REMOVE },
];

test.for(detachments)("under $name a detached default is cleared and gone", async ({ detachment }) => {
  const { test: own } = await clientele.createAccount();
  await changeSettings(own, { paymentMethodDetachment: detachment });
  const [{ id: customerId }, other] = [await createCustomer(own), await createCustomer(own)];
  const { id } = await attachPaymentMethod(own, customerId);
  expect(await getCustomer(own, customerId)).toMatchObject({ defaultPaymentMethodId: id });
  const { CHARGEABLE, CONSUMED } = PaymentMethodState;
  const consumes = detachment === PaymentMethodDetachment.CONSUME;
  const { paymentMethod } = await own.paymentMethods.detachPaymentMethod({ customerId, id });
  const state = consumes ? CONSUMED : CHARGEABLE;
  expect(paymentMethod).toMatchObject({ id, customerId: "", isDefault: false, state });
  const repeated = own.paymentMethods.detachPaymentMethod({ customerId, id, etag: "v1" });
  if (consumes) expect(await repeated).toEqual(expect.objectContaining({ paymentMethod }));
  else expect(await failureOf(repeated)).toMatchObject({ code: "NotFound" });
  const detachedByOther = own.paymentMethods.detachPaymentMethod({ customerId: other.id, id });
  expect(await failureOf(detachedByOther)).toMatchObject({ code: "NotFound" });
  expect((await getCustomer(own, customerId)).defaultPaymentMethodId).toBeUndefined();
  expect(await failureOf(get(own, { customerId, id }))).toMatchObject({ code: "NotFound" });
  expect((await own.paymentMethods.listPaymentMethods({ customerId })).paymentMethods).toEqual([]);
  const again = attachPaymentMethod(own, other.id, { id });
  if (detachment === PaymentMethodDetachment.REMOVE) return expect(await again).toMatchObject({ customerId: other.id });
  const consumed = { code: "FailedPrecondition", reason: "PAYMENT_METHOD_CONSUMED" };
  expect(await failureOf(again)).toMatchObject(consumed);
  for (const { use } of uses) expect(await failureOf(use(own, customerId, id))).toMatchObject(consumed);
});

test.for(detachments)("under $name deleting a customer for good detaches its tokens", async ({ name, detachment }) => {
  const { test: own } = await clientele.createAccount(SettingsPreset.FOUR_GEEKS);
  await changeSettings(own, { paymentMethodDetachment: detachment });
  const [{ id: customerId }, other] = [await createCustomer(own), await createCustomer(own)];
  const { id } = await attachPaymentMethod(own, customerId);
  await own.customers.deleteCustomer({ id: customerId });
  expect(await failureOf(get(own, { customerId, id }))).toMatchObject({ code: "NotFound" });
  const again = await attachPaymentMethod(own, other.id, { id }).then(
    () => "REMOVE",
    () => "CONSUME",
  );
  expect(again).toBe(name);
});

const masks = [
  { name: "the masked label", paths: ["label"], set: { label: "B", card: { brand: "mine" } }, want: { label: "B" } },
  { name: "the populated label without a mask", paths: [], set: { label: " B " }, want: { label: "B" } },
  { name: "nothing without a mask and a label", paths: [], set: {}, want: { label: "A" } },
  { name: "the label with *", paths: ["*"], set: { label: "B" }, want: { label: "B" } },
  { name: "the label to none", paths: ["label"], set: {}, want: { label: undefined } },
];

test.for(masks)("an update changes $name", async ({ paths, set, want }) => {
  const { id: customerId } = await createCustomer(clients);
  const before = await attachPaymentMethod(clients, customerId, { label: "A" });
  const request = { customerId, paymentMethod: { id: before.id, ...set }, updateMask: { paths } };
  const { paymentMethod } = await clients.paymentMethods.updatePaymentMethod(request);
  expect(picked(paymentMethod!, want)).toEqual(want);
  expect(paymentMethod!.card).toEqual(before.card);
  expect(await get(clients, before)).toEqual(paymentMethod);
});

test.for(["card", "state", "is_default", "no_such_field"])("an update of the path %s is refused", async (path) => {
  const { id: customerId } = await createCustomer(clients);
  const { id } = await attachPaymentMethod(clients, customerId);
  const request = { customerId, paymentMethod: { id, label: "B" }, updateMask: { paths: [path] } };
  const failure = await failureOf(clients.paymentMethods.updatePaymentMethod(request));
  expect(Object.keys(failure.fields)).toEqual(["update_mask"]);
});

test("a stale etag is ABORTED, a fresh one works", async () => {
  const { id: customerId } = await createCustomer(clients);
  const { id, etag: first } = await attachPaymentMethod(clients, customerId);
  const relabel = async (label: string, etag: string) =>
    (await clients.paymentMethods.updatePaymentMethod({ customerId, paymentMethod: { id, label, etag } }))
      .paymentMethod!;
  const detach = (etag: string) => clients.paymentMethods.detachPaymentMethod({ customerId, id, etag });
  const second = await relabel("B", first);
  const stale = { code: "Aborted", reason: "ETAG_STALE" };
  expect(await failureOf(relabel("C", first))).toMatchObject(stale);
  expect(await failureOf(detach(first))).toMatchObject(stale);
  expect(await get(clients, second)).toEqual(second);
  await detach(second.etag);
  expect(await failureOf(get(clients, second))).toMatchObject({ code: "NotFound" });
});

type Call = (by: Clients, customerId: string, id: string) => Promise<unknown>;
const calls: { name: string; call: Call; ofCustomer?: boolean }[] = [
  { name: "attach", call: (by, customerId, id) => attachPaymentMethod(by, customerId, { id }), ofCustomer: true },
  { name: "set default", call: setDefault, ofCustomer: true },
  { name: "list", call: (by, customerId) => by.paymentMethods.listPaymentMethods({ customerId }), ofCustomer: true },
  { name: "get", call: (by, customerId, id) => get(by, { customerId, id }) },
  {
    name: "update",
    call: (by, customerId, id) => by.paymentMethods.updatePaymentMethod({ customerId, paymentMethod: { id } }),
  },
  { name: "detach", call: (by, customerId, id) => by.paymentMethods.detachPaymentMethod({ customerId, id }) },
];

test.for(calls)(
  "a stranger's payment method is not found by $name, as if it were absent",
  async ({ call, ofCustomer }) => {
    const { test: own, live } = await clientele.createAccount();
    const [{ id: customerId }, other] = [await createCustomer(own), await createCustomer(own)];
    const { id } = await attachPaymentMethod(own, customerId);
    const foreign = await failureOf(call(live, customerId, id));
    expect(foreign).toMatchObject({ code: "NotFound", reason: "RESOURCE_NOT_FOUND" });
    expect(foreign).toEqual(await failureOf(call(live, "cus_absent", newToken())));
    if (ofCustomer) return;
    const ofAnother = await failureOf(call(own, other.id, id));
    expect(ofAnother).toMatchObject({ message: "The payment method could not be found, please check the id." });
    expect(ofAnother).toEqual(await failureOf(call(own, other.id, newToken())));
  },
);
