import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TaxIdentifierState } from "../../../gen/clientele/v1/tax_identifiers_pb.js";
import { createTaxVerifier } from "../../../src/external/tax-verifier.js";
import { type TestAccount, useClientele } from "../../support/clientele.js";
import { createCustomer, getCustomer } from "../../support/customers.js";
import { type FarSystem, json, startFarSystem } from "../../support/far-system.js";
import { createWorker, type Worker } from "../../support/jobs.js";
import { createTaxIdentifier, getTaxIdentifier, sandboxNumbers } from "../../support/tax-identifiers.js";

const { PENDING, VERIFIED, NOT_VALID } = TaxIdentifierState;
const job = "verify_tax_identifiers";
const minute = 60_000;

let now = new Date("2026-03-01T12:00:00Z");
let account: TestAccount;
let far: FarSystem;
let worker: Worker;
let levels: string[] = [];
const clientele = useClientele({ clock: () => now });
beforeAll(async () => {
  far = await startFarSystem(json({ state: "VERIFIED" }));
  const taxVerifier = createTaxVerifier({ url: far.url, secret: "s3cret", pauseMs: 0 });
  const logger = pino({}, { write: (line) => void levels.push(pino.levels.labels[JSON.parse(line).level]!) });
  worker = await createWorker(clientele, { clock: () => now, taxVerifier, logger });
});
// Each test has an account of its own, and nothing due of another.
beforeEach(async () => {
  await clientele.db("tax_identifiers").delete();
  account = await clientele.createAccount();
  far.behave(json({ state: "VERIFIED" }));
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await far[Symbol.asyncDispose]();
});

const ein = (value: string) => ({ type: "us_ein", value });

async function pass(minutes: number): Promise<void> {
  now = new Date(now.getTime() + minutes * minute);
  await worker.run(job);
}

const outcomes = [
  { name: "one that the sandbox knows", value: sandboxNumbers.verified, state: VERIFIED, event: "verified" },
  { name: "one that it does not know", value: sandboxNumbers.notValid, state: NOT_VALID, event: "refused" },
];

test.for(outcomes)(
  "$name is PENDING until the job has asked, and keeps both times",
  async ({ value, state, event }) => {
    const customer = await createCustomer(account.test);
    const made = await createTaxIdentifier(account.test, customer.id, ein(value));
    expect(made.state).toBe(PENDING);
    expect(made.stateTransitions).toMatchObject([{ state: PENDING, time: made.createTime }]);
    await pass(0.5);
    const settled = await getTaxIdentifier(account.test, made.id);
    expect(settled.state).toBe(state);
    expect(settled.stateTransitions).toMatchObject([
      { state: PENDING, time: made.createTime },
      { state, time: settled.updateTime },
    ]);
    expect(settled.updateTime!.seconds).toBe(made.createTime!.seconds + 30n);
    expect(settled.etag).not.toBe(made.etag);
    expect((await getCustomer(account.test, customer.id)).taxIdentifiers).toEqual([settled]);
    const events = await clientele.db("events").where({ resource_id: made.id }).orderBy("position");
    expect(events.map(({ type, actor, customer_id }) => [type, actor, customer_id]).slice(1)).toEqual([
      [`tax_identifier.${event}`, "system", customer.id],
    ]);
    await pass(60);
    expect(await getTaxIdentifier(account.test, made.id)).toEqual(settled);
  },
);

test("a tax identifier without an answer is verified again, later each time, until there is one", async () => {
  const { id } = await createTaxIdentifier(account.test, "", ein(sandboxNumbers.shortOutage));
  const stateAfter = async (minutes: number) => {
    await pass(minutes);
    return (await getTaxIdentifier(account.test, id)).state;
  };
  expect(await stateAfter(0)).toBe(PENDING);
  expect(await stateAfter(0.9)).toBe(PENDING);
  expect(await stateAfter(0.1)).toBe(PENDING);
  expect(await stateAfter(1.9)).toBe(PENDING);
  expect(await stateAfter(0.1)).toBe(VERIFIED);
});

test("an outage of weeks is logged once as an error, after three days, and again when it ends", async () => {
  const { id } = await createTaxIdentifier(account.live);
  far.behave(json({ state: "PERHAPS" }));
  const before = far.received.length;
  const asked = () => far.received.length - before;
  levels = [];
  for (let hour = 0; hour < 90; hour++) await pass(60);
  expect(asked()).toBe(21);
  expect(levels).toEqual([...Array(20).fill("warn"), "error"]);
  for (let day = 1; day <= 14; day++) {
    for (let quarter = 0; quarter < 4; quarter++) await pass(6 * 60);
    expect(asked()).toBe(21 + day);
  }
  expect(levels.slice(21)).toEqual(Array(14).fill("warn"));
  expect((await getTaxIdentifier(account.live, id)).state).toBe(PENDING);
  far.behave(json({ state: "VERIFIED" }));
  await pass(24 * 60);
  expect((await getTaxIdentifier(account.live, id)).state).toBe(VERIFIED);
  await pass(24 * 60);
  expect(asked()).toBe(21 + 15);
});

test("an unanswered verification does not delay the others", async () => {
  for (let count = 0; count < 5; count++) {
    await createTaxIdentifier(account.test, "", ein(sandboxNumbers.endlessOutage));
  }
  const others = [];
  for (let count = 0; count < 25; count++) others.push(await createTaxIdentifier(account.test));
  await pass(0);
  for (const { id } of others) expect((await getTaxIdentifier(account.test, id)).state).toBe(VERIFIED);
});

test("due verifications are settled once by workers that run at the same time", async () => {
  const made = [];
  for (let count = 0; count < 30; count++) made.push(await createTaxIdentifier(account.live));
  const before = far.received.length;
  await Promise.all(Array.from({ length: 5 }, () => worker.run(job)));
  expect(far.received.length - before).toBe(30);
  for (const { id } of made) {
    const events = await clientele.db("events").where({ resource_id: id }).orderBy("position").pluck("type");
    expect(events).toEqual(["tax_identifier.created", "tax_identifier.verified"]);
  }
});

test("a live tax identifier is verified elsewhere, and an invalid answer changes nothing", async () => {
  const { id } = await createTaxIdentifier(account.live, "", { type: "de_vat", value: "DE136695976" });
  const state = async () => (await getTaxIdentifier(account.live, id)).state;
  far.behave((req) => req.socket.resetAndDestroy());
  await pass(0);
  expect(await state()).toBe(PENDING);
  far.behave(json({ state: "PERHAPS" }));
  await pass(1);
  expect(await state()).toBe(PENDING);
  far.behave(json({ state: "NOT_VALID" }));
  await pass(2);
  expect(await state()).toBe(NOT_VALID);
  const { headers, body } = far.received.at(-1)!;
  expect(headers.authorization).toBe("Bearer s3cret");
  expect(JSON.parse(body)).toEqual({ type: "de_vat", value: "136695976", country: "DE" });
});

test("without a verifier a live number waits, and its attempts with it", async () => {
  const { id } = await createTaxIdentifier(account.live);
  await using without = await createWorker(clientele, { clock: () => now });
  await without.run(job);
  expect(await clientele.db("tax_identifiers").where({ id }).first()).toMatchObject({ attempts: 0, state: "pending" });
  await pass(0);
  expect((await getTaxIdentifier(account.live, id)).state).toBe(VERIFIED);
});

test("a tax identifier that is deleted during its verification stays deleted", async () => {
  const { id } = await createTaxIdentifier(account.live);
  let answered = () => {};
  const asked = new Promise<void>((resolve) => {
    far.behave((...call) => {
      answered = () => json({ state: "VERIFIED" })(...call);
      resolve();
    });
  });
  const running = worker.run(job);
  await asked;
  await account.live.taxIdentifiers.deleteTaxIdentifier({ id });
  answered();
  await running;
  const events = await clientele.db("events").where({ resource_id: id }).orderBy("position").pluck("type");
  expect(events).toEqual(["tax_identifier.created", "tax_identifier.deleted"]);
});
