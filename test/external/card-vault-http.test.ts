import type { RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { withDeadline } from "../../src/db/deadline.js";
import { createHttpVault } from "../../src/external/card-vault-http.js";
import { failureOf } from "../support/errors.js";
import { type FarSystem, json, startFarSystem } from "../support/far-system.js";
import { generousMs } from "../support/time.js";

const card = { brand: "visa", last4: "4242", expMonth: 12, expYear: 2040 };
const token = "cct_live_xyz123";
const pauseMs = 1_500;

let far: FarSystem;
let log: string[];
beforeAll(async () => {
  far = await startFarSystem(json({}));
});
beforeEach(() => {
  far.received.length = 0;
  log = [];
});
afterAll(() => far[Symbol.asyncDispose]());

// One of its own for each test, since it remembers that the far system was down.
function open(options = {}) {
  const tell = (message: string) => void log.push(message);
  const vault = createHttpVault({
    url: `${far.url}/v1`,
    secret: "s3cret",
    timeoutMs: 700,
    pauseMs,
    log: tell,
    ...options,
  });
  return (signal = new AbortController().signal) => vault.describe(token, { liveMode: true, signal });
}

const answers = [
  { name: "a card", answer: { status: "OK", card }, want: card },
  { name: "more than it must", answer: { status: "OK", card: { ...card, number: "4242" }, id: 1 }, want: card },
  {
    name: "the owner, without what is blank or unknown",
    answer: {
      status: "OK",
      card,
      billing: { name: " Ada ", line1: "", country: "USA", city: 7, shoe: "41", state: "TX" },
    },
    want: { ...card, billing: { name: "Ada", country: "US", state: "TX" } },
  },
  {
    name: "an owner with the number of a card, which does not enter",
    answer: { status: "OK", card, billing: { name: "Ada", line1: "4242 4242 4242 4242" } },
    want: { ...card, billing: { name: "Ada" } },
  },
  { name: "that the card is declined", answer: { status: "DECLINED" }, want: "declined" },
  { name: "that it does not know the token", answer: { status: "UNKNOWN" }, want: undefined },
];

test.for(answers)("a vault is asked once, with the secret, and may answer $name", async ({ answer, want }) => {
  far.behave(json(answer));
  expect(await open({ timeoutMs: 20_000 })()).toEqual(want);
  expect(far.received).toMatchObject([
    { path: "/v1/cards/describe", headers: { authorization: "Bearer s3cret" }, body: JSON.stringify({ token }) },
  ]);
  expect(log).toEqual([]);
});

const passing: { name: string; answer: RequestListener }[] = [
  { name: "status 500", answer: json({ private: token }, 500) },
  { name: "status 503", answer: json({}, 503) },
  { name: "status 429", answer: json({}, 429) },
  { name: "a reset", answer: (req) => req.socket.resetAndDestroy() },
  { name: "nothing, and stalls", answer: () => {} },
  { name: "a slow body", answer: slow },
  {
    name: "half a body",
    answer: (_, res) => void res.writeHead(200, { "content-length": "99" }).write("{", () => res.destroy()),
  },
  { name: "no JSON", answer: (_, res) => res.end("<private>") },
];
const lasting: { name: string; answer: RequestListener }[] = [
  { name: "status 401", answer: json({}, 401) },
  { name: "status 404", answer: json({}, 404) },
  { name: "a redirect", answer: (_, res) => res.writeHead(307, { location: "/elsewhere" }).end() },
  { name: "too much", answer: json({ status: "UNKNOWN", more: "x".repeat(20_000) }) },
  { name: "another protocol", answer: json({ private: 1 }) },
  { name: "a card without a month", answer: json({ status: "OK", card: { ...card, expMonth: undefined } }) },
  { name: "a month that is none", answer: json({ status: "OK", card: { ...card, expMonth: 13 } }) },
  { name: "the whole number", answer: json({ status: "OK", card: { ...card, last4: "4242424242424242" } }) },
  { name: "a number as the brand", answer: json({ status: "OK", card: { ...card, brand: "4242424242424242" } }) },
  { name: "a year as text", answer: json({ status: "OK", card: { ...card, expYear: "2040" } }) },
];
const failures = [
  ...passing.map((failure) => ({ ...failure, times: 3 })),
  ...lasting.map((failure) => ({ ...failure, times: 1 })),
];

test.for(failures)("a vault that answers $name is UNAVAILABLE, after $times requests", async ({ answer, times }) => {
  far.behave(answer);
  expect(await failureOf(open()())).toMatchObject({ code: "Unavailable", reason: "UNAVAILABLE", retryable: true });
  expect(far.received.map(({ path }) => path)).toEqual(Array(times).fill("/v1/cards/describe"));
  expect(log).toHaveLength(1);
  expect(log.join()).not.toMatch(/s3cret|\b4242\b|private|cct_/);
});

test.for(passing)("a vault that answers $name once is asked again", async ({ answer }) => {
  far.behave((req, res) => {
    far.behave(json({ status: "OK", card }));
    answer(req, res);
  });
  expect(await open()()).toEqual(card);
  expect(far.received).toHaveLength(2);
});

test("attempts are apart by a while that is never the same", async () => {
  const times: number[] = [];
  far.behave((_, res) => {
    times.push(performance.now());
    res.writeHead(503).end();
  });
  const pauses: number[] = [];
  for (let turn = 0; turn < 4; turn++) {
    times.length = 0;
    await failureOf(open()());
    pauses.push(...times.slice(1).map((time, index) => Math.round(time - times[index]!)));
  }
  expect(pauses).toHaveLength(8);
  expect(new Set(pauses).size).toBeGreaterThan(3);
});

test("a vault that fails five times in a row is left alone, and asked again after a pause", async () => {
  const describe = open();
  far.behave(json({}, 500));
  await failureOf(describe());
  await failureOf(describe());
  expect(far.received).toHaveLength(5);
  expect(await failureOf(describe())).toMatchObject({ code: "Unavailable", retryable: true });
  expect(far.received).toHaveLength(5);
  await sleep(pauseMs);
  expect(await failureOf(describe())).toMatchObject({ code: "Unavailable" });
  expect(far.received).toHaveLength(6);
  await sleep(pauseMs);
  far.behave(json({ status: "OK", card }));
  expect(await Promise.all([describe(), describe(), describe()])).toEqual([card, card, card]);
});

test("a call ends at its deadline, which is no failure of the vault", async () => {
  const describe = open({ timeoutMs: 60_000 });
  far.behave(() => {});
  for (let turn = 0; turn < 6; turn++) {
    const start = performance.now();
    const call = withDeadline(Date.now() + 300, () => describe());
    await expect(call).rejects.toMatchObject({ code: Code.DeadlineExceeded });
    expect(performance.now() - start).toBeLessThan(300 + generousMs);
  }
  far.behave(json({ status: "OK", card }));
  expect(await describe()).toEqual(card);
});

test("a cancelled call releases the vault at once", async () => {
  const describe = open({ timeoutMs: 60_000 });
  const caller = new AbortController();
  const closed = new Promise<void>((resolve) => {
    far.behave((req) => {
      req.socket.once("close", () => resolve());
      caller.abort();
    });
  });
  await expect(describe(caller.signal)).rejects.toMatchObject({ code: Code.Canceled });
  await closed;
  expect([far.received.length, log]).toEqual([1, []]);
});

// A byte now and then, so that the connection is never silent.
function slow(...[, res]: Parameters<RequestListener>): void {
  res.writeHead(200, { "content-type": "application/json" });
  const timer = setInterval(() => res.write(" "), 20);
  res.once("close", () => clearInterval(timer));
}
