import { expect, test } from "vitest";
import { hashOfKey } from "../../../src/rpc/calls/idempotency.js";
import { useClientele } from "../../support/clientele.js";
import { createCustomer } from "../../support/customers.js";
import { dumpOf, tracesOf } from "../../support/dumps.js";
import { casesOf, mutations, requestFor } from "../../support/scenario.js";
import { overFetch } from "../../support/ways.js";
import { populate } from "../../support/world.js";

const clientele = useClientele();

// So that the answer is erased with the customer, whatever it says.
test.for(casesOf(mutations))(
  "the remembered answer of $name names the customer whom it is about",
  async ({ method }) => {
    const account = await clientele.createAccount();
    const world = await populate(account.test);
    const key = crypto.randomUUID();
    const [since] = await clientele.db("events").max("position as last");
    await overFetch(clientele.httpUrl, account.testKey)(method, requestFor(method, world), { "idempotency-key": key });
    const events = clientele.db("events").where("position", ">", since!.last).whereNotNull("customer_id");
    const [about] = await events.distinct("customer_id").pluck("customer_id");
    const record = clientele.db("idempotency_keys").where({ key_hash: hashOfKey(key) });
    const remembered = await record.first("customer_id", "response");
    // An empty answer tells of nobody, and is gone within a day.
    if (about !== undefined && remembered.response.length > 0) expect(remembered.customer_id).toBe(about);
    if (remembered.customer_id !== null) expect(remembered.customer_id).toMatch(/^(cus_|own-)/);
  },
);

test("the remembered answer about a tax identifier is erased with the customer who got it later", async () => {
  const { test: clients } = await clientele.createAccount();
  const [first, second] = [await createCustomer(clients), await createCustomer(clients)];
  const keyed = () => ({ headers: { "idempotency-key": crypto.randomUUID() } });
  const value = "531234567";
  const traces = async () => tracesOf(value, await dumpOf(clientele.db)).length;
  const { taxIdentifiers, privacy } = clients;
  const asked = { taxIdentifier: { type: "us_ein", value } };
  const { id } = (await taxIdentifiers.createTaxIdentifier(asked, keyed())).taxIdentifier!;
  await taxIdentifiers.attachTaxIdentifier({ customerId: first.id, id }, keyed());
  await taxIdentifiers.detachTaxIdentifier({ customerId: first.id, id }, keyed());
  await taxIdentifiers.attachTaxIdentifier({ customerId: second.id, id }, keyed());
  expect(await traces()).toBeGreaterThan(0);
  await privacy.requestErasure({ customerId: second.id });
  expect(await traces()).toBe(0);
});
