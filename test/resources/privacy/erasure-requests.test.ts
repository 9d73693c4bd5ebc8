import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { beforeEach, describe, expect, test } from "vitest";
import { SettingsPreset } from "../../../gen/clientele/v1/accounts_pb.js";
import { CustomerState } from "../../../gen/clientele/v1/customers_pb.js";
import { ErasureState } from "../../../gen/clientele/v1/privacy_pb.js";
import type { Clients } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { dumpOf, tracesOf } from "../../support/dumps.js";
import { failureOf } from "../../support/errors.js";
import { day, useTimedClientele } from "../../support/time.js";

const timed = useTimedClientele();
const { clientele } = timed;
// Every test begins a month later, so that nothing of another is due in it.
beforeEach(() => timed.pass(31 * day));

const runJob = () => timed.runJob("erase_customers");
const erase = async ({ privacy }: Clients, customerId: string) =>
  (await privacy.requestErasure({ customerId })).erasure!;
const eventsOf = async (customerId: string): Promise<string[]> =>
  await clientele.db("events").where({ customer_id: customerId }).orderBy("position").pluck("type");

const absent = { code: "NotFound", message: "The customer could not be found, please check the id." };

describe("under DIGITAL_RIVER, where an erasure is delayed by 30 days", () => {
  const tenant = async () => {
    const { test: clients } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
    return { clients, customer: await createCustomer(clients) };
  };

  test("a customer is used as any other until it is due, and gone then", async () => {
    const { clients, customer } = await tenant();
    const { id } = customer;
    const update = { id, requestToBeForgotten: true };
    const { customer: asked } = await clients.customers.updateCustomer({ customer: update });
    expect(asked).toMatchObject({ requestToBeForgotten: true, email: customer.email });
    const { erasures } = await clients.privacy.listErasures({ customerId: id });
    expect(erasures).toMatchObject([{ state: ErasureState.SCHEDULED, customerId: id }]);
    const [{ dueTime }] = erasures as [(typeof erasures)[0]];
    expect(timestampDate(dueTime!).getTime()).toBe(timed.now().getTime() + 30 * day);

    timed.pass(30 * day - 1);
    await runJob();
    await clients.customers.updateCustomer({ customer: { id, name: "Countess" } });
    expect(await getCustomer(clients, id)).toMatchObject({ name: "Countess", requestToBeForgotten: true });
    timed.pass(1);
    await runJob();
    expect(await failureOf(clients.customers.getCustomer({ id }))).toMatchObject(absent);
    const [done] = (await clients.privacy.listErasures({ customerId: id })).erasures;
    expect(done).toMatchObject({ id: erasures[0]!.id, state: ErasureState.COMPLETED });
    expect(await eventsOf(id)).toEqual([
      "customer.created",
      "erasure.requested",
      "customer.updated",
      "customer.updated",
      "customer.erased",
      "erasure.completed",
    ]);
  });

  test("it is cancelled by the field or by the call, and can be asked for again", async () => {
    const { clients, customer } = await tenant();
    const { id } = customer;
    const first = await erase(clients, id);
    expect(await getCustomer(clients, id)).toMatchObject({ requestToBeForgotten: true });
    await clients.customers.updateCustomer({
      customer: { id, requestToBeForgotten: false },
      updateMask: { paths: ["request_to_be_forgotten"] },
    });
    const { erasure: cancelled } = await clients.privacy.getErasure({ id: first.id });
    expect(cancelled!.state).toBe(ErasureState.CANCELLED);
    expect(timestampDate(cancelled!.cancelTime!)).toEqual(timed.now());
    const second = await erase(clients, id);
    expect(second.id).not.toBe(first.id);
    const stale = clients.privacy.cancelErasure({ id: second.id, etag: "v9" });
    expect(await failureOf(stale)).toMatchObject({ reason: "ETAG_STALE" });
    await clients.privacy.cancelErasure({ id: second.id, etag: second.etag });
    expect(await getCustomer(clients, id)).toMatchObject({ requestToBeForgotten: false });
    timed.pass(31 * day);
    await runJob();
    expect(await getCustomer(clients, id)).toMatchObject({ email: customer.email });
  });

  test("an erasure that is due or completed cannot be cancelled; a cancelled one is answered again", async () => {
    const { clients, customer } = await tenant();
    const { id } = await erase(clients, customer.id);
    const cancel = () => failureOf(clients.privacy.cancelErasure({ id }));
    const refusal = { code: "FailedPrecondition", reason: "ERASURE_NOT_CANCELLABLE" };
    timed.pass(30 * day);
    expect(await cancel()).toMatchObject(refusal);
    const byField = {
      customer: { id: customer.id, requestToBeForgotten: false },
      updateMask: { paths: ["request_to_be_forgotten"] },
    };
    expect(await failureOf(clients.customers.updateCustomer(byField))).toMatchObject(refusal);
    await runJob();
    expect(await cancel()).toMatchObject(refusal);
    const other = await createCustomer(clients);
    const erasure = await erase(clients, other.id);
    const cancelled = await clients.privacy.cancelErasure({ id: erasure.id, etag: erasure.etag });
    const standing = await erase(clients, other.id);
    expect(await clients.privacy.cancelErasure({ id: erasure.id, etag: erasure.etag })).toEqual(cancelled);
    expect((await clients.privacy.getErasure({ id: standing.id })).erasure).toEqual(standing);
    expect(await getCustomer(clients, other.id)).toMatchObject({ requestToBeForgotten: true });
  });

  test("only a mask that names the field cancels the erasure", async () => {
    const { clients, customer } = await tenant();
    const { id } = customer;
    await erase(clients, id);
    for (const paths of [[], ["name"], ["*"]]) {
      await clients.customers.updateCustomer({ customer: { id, name: `New ${paths}` }, updateMask: { paths } });
      const writtenBack = { id, name: `Old ${paths}`, requestToBeForgotten: false };
      await clients.customers.updateCustomer({ customer: writtenBack, updateMask: { paths } });
      expect(await getCustomer(clients, id)).toMatchObject({ requestToBeForgotten: true });
    }
    await clients.customers.updateCustomer({ customer: { id }, updateMask: { paths: ["request_to_be_forgotten"] } });
    expect(await getCustomer(clients, id)).toMatchObject({ requestToBeForgotten: false });
  });

  test("a customer that is deleted for good meanwhile is still forgotten", async () => {
    const { clients, customer } = await tenant();
    const { id } = await erase(clients, customer.id);
    await clients.customers.deleteCustomer({ id: customer.id });
    timed.pass(30 * day);
    await runJob();
    expect((await clients.privacy.getErasure({ id })).erasure!.state).toBe(ErasureState.COMPLETED);
  });
});

test("where nothing delays it, writing the field answers what is left", async () => {
  const { test: clients } = await clientele.createAccount();
  const { id, email } = await createCustomer(clients);
  const update = { customer: { id, name: "Countess", requestToBeForgotten: true } };
  const { customer } = await clients.customers.updateCustomer(update, { headers: { "idempotency-key": "forget" } });
  expect(customer).toMatchObject({ id, displayName: id, state: CustomerState.DELETED, requestToBeForgotten: true });
  expect([customer!.email, customer!.name]).toEqual([undefined, undefined]);
  expect(tracesOf(email!, await dumpOf(clientele.db))).toEqual([]);
});

test("a customer cannot be made to be forgotten", async () => {
  const { test: clients } = await clientele.createAccount();
  const made = clients.customers.createCustomer({ customer: { email: "a@b.example", requestToBeForgotten: true } });
  expect(await failureOf(made)).toMatchObject({
    code: "InvalidArgument",
    fields: { "customer.request_to_be_forgotten": expect.any(String) },
  });
});

test("it can be asked for a later time than the settings say, and not for an earlier one", async () => {
  const { test: clients } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  for (const [asked, due] of [
    [1, 30],
    [90, 90],
  ]) {
    const { id: customerId } = await createCustomer(clients);
    const notBeforeTime = timestampFromDate(new Date(timed.now().getTime() + asked! * day));
    const { erasure } = await clients.privacy.requestErasure({ customerId, notBeforeTime });
    expect(timestampDate(erasure!.dueTime!).getTime()).toBe(timed.now().getTime() + due! * day);
  }
});

test("erasures are listed by the page, the latest request first", async () => {
  const { test: clients } = await clientele.createAccount(SettingsPreset.DIGITAL_RIVER);
  const ids: string[] = [];
  for (let made = 0; made < 5; made++) {
    timed.pass(1000);
    ids.unshift((await erase(clients, (await createCustomer(clients)).id)).id);
  }
  const listed: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await clients.privacy.listErasures({ pageSize: 2, pageToken });
    listed.push(...page.erasures.map(({ id }) => id));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  expect(listed).toEqual(ids);
});
