import { randomUUID } from "node:crypto";
import { beforeEach, expect, test } from "vitest";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { failureOf } from "../../support/errors.js";
import { watch } from "../../support/watching.js";

let account: TestAccount;
let tenantId: string;
const clientele = useClientele();
beforeEach(async () => {
  account = await clientele.createAccount();
  const tenant = { account_id: account.accountId, live_mode: false };
  tenantId = (await clientele.db("tenants").where(tenant).first()).tenant_id;
});

async function change(count: number): Promise<void> {
  for (let n = 0; n < count; n++)
    await account.test.customers.createCustomer({ customer: { email: `${randomUUID()}@example.com` } });
}

/** Takes the database back to the time before the last events, as a backup or a lagging standby does. */
async function loseEvents(count: number): Promise<void> {
  await clientele.db.transaction(async (trx) => {
    const { last_id: last } = await trx("event_logs").where({ tenant_id: tenantId }).forUpdate().first();
    await trx("events")
      .where({ tenant_id: tenantId })
      .where("id", ">", last - count)
      .delete();
    await trx("event_logs")
      .where({ tenant_id: tenantId })
      .update({ last_id: last - count });
  });
}

const endOf = (request: object) =>
  failureOf(watch(account.test.events, request).ended.then((error) => Promise.reject(error)));

test("a cursor behind a lost event is refused, also once the numbers have caught up", async () => {
  await change(5);
  const { events } = await account.test.events.listEvents({ pageSize: 5, orderBy: "create_time desc" });
  await loseEvents(2);
  await change(4);
  for (const { id } of events.slice(0, 2)) {
    expect(await endOf({ cursor: id })).toMatchObject({ code: "InvalidArgument", reason: "CURSOR_INVALID" });
    expect(await failureOf(account.test.events.getEvent({ id }))).toMatchObject({ reason: "RESOURCE_NOT_FOUND" });
  }
  const next = watch(account.test.events, { cursor: events[2]!.id });
  expect((await next.until(4)).map(({ type }) => type)).toEqual(Array(4).fill("customer.created"));
  await next.stop();
});

test("a watch that has read a lost event ends, and a new one sees every event from then on", async () => {
  await change(3);
  const watching = watch(account.test.events);
  await watching.started;
  await loseEvents(2);
  await change(4);
  const failure = await failureOf(watching.ended.then((error) => Promise.reject(error)));
  expect(failure).toMatchObject({ reason: "CURSOR_INVALID" });
  const again = watch(account.test.events);
  await again.started;
  await change(2);
  expect(await again.until(2)).toHaveLength(2);
  await again.stop();
});
