import type { RequestListener } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHttpJson, Unreachable } from "../../src/external/http-json.js";
import { type FarSystem, json, startFarSystem } from "../support/far-system.js";

let far: FarSystem;
beforeAll(async () => {
  far = await startFarSystem(json({}));
});
afterAll(() => far[Symbol.asyncDispose]());

const never = new AbortController().signal;
const asked = { expected: [200, 404], signal: never };

// Longer than a busy machine takes between a failure and the next call.
const pauseMs = 1_500;

function open(options = {}) {
  return createHttpJson({ url: far.url, secret: "s3cret", pauseMs, ...options });
}

test("a request is JSON below the URL, with the secret as a Bearer token", async () => {
  far.behave(json({ known: true }));
  const post = open({ url: `${far.url}/v1/` });
  expect(await post("/verify", { value: "é" }, asked)).toEqual({ status: 200, body: { known: true } });
  const { path, headers, body } = far.received.at(-1)!;
  expect([path, headers.authorization, headers["content-type"], body]).toEqual([
    "/v1/verify",
    "Bearer s3cret",
    "application/json",
    '{"value":"é"}',
  ]);
});

test("an expected status is an answer, without a body unless it is 2xx", async () => {
  far.behave((_, res) => res.writeHead(404).end("<h1>who?</h1>"));
  expect(await open()("/verify", {}, asked)).toEqual({ status: 404, body: undefined });
});

const failures: { name: string; answer: RequestListener; says: string; options?: { timeoutMs: number } }[] = [
  { name: "another status", answer: json({}, 500), says: "it answered with status 500" },
  { name: "that it does not know the secret", answer: json({}, 401), says: "it answered with status 401" },
  {
    name: "a redirect",
    answer: (_, res) => res.writeHead(307, { location: "/elsewhere" }).end(),
    says: "it answered with status 307",
  },
  { name: "what is not JSON", answer: (_, res) => res.end("<html>"), says: "its answer is not JSON" },
  { name: "nothing", answer: (_, res) => res.end(), says: "its answer is not JSON" },
  { name: "half an answer", answer: halfOf('{"state":'), says: "the connection failed" },
  { name: "too much", answer: json("x".repeat(70_000)), says: "its answer is larger than 65536 bytes" },
  { name: "by resetting the connection", answer: (req) => req.socket.resetAndDestroy(), says: "the connection failed" },
  { name: "never", answer: () => {}, says: "it did not answer in time", options: { timeoutMs: 300 } },
  {
    name: "with a header, and stalls",
    answer: stalling,
    says: "it did not answer in time",
    options: { timeoutMs: 300 },
  },
];

test.for(failures)("a system that answers $name is unreachable", async ({ answer, says, options }) => {
  far.behave(answer);
  const failure = open(options)("/verify", { value: "private" }, asked);
  await expect(failure).rejects.toThrow(Unreachable);
  await expect(failure).rejects.toThrow(says);
});

test("where nobody listens it is unreachable", async () => {
  const gone = await startFarSystem(json({}));
  await gone[Symbol.asyncDispose]();
  await expect(open({ url: gone.url })("/verify", {}, asked)).rejects.toThrow("the connection failed");
});

test("a system that failed five times in a row is left alone for a while, and then asked once", async () => {
  const post = open();
  far.behave(json({}, 503));
  for (let turn = 0; turn < 5; turn++) await expect(post("/", {}, asked)).rejects.toThrow("status 503");
  const before = far.received.length;
  await expect(post("/", {}, asked)).rejects.toThrow("it failed several times and is left alone");
  expect(far.received).toHaveLength(before);
  far.behave(json({ well: true }));
  await sleep(pauseMs);
  expect(await post("/", {}, asked)).toEqual({ status: 200, body: { well: true } });
});

test("a system that refuses requests of one client is not left alone by all", async () => {
  const post = open();
  far.behave(json({}, 422));
  for (let turn = 0; turn < 6; turn++) await expect(post("/", {}, asked)).rejects.toThrow("status 422");
  far.behave(json({ well: true }));
  expect(await post("/", {}, asked)).toEqual({ status: 200, body: { well: true } });
});

test("a call that its own deadline ends fails with that reason, and is no failure of the system", async () => {
  const post = open();
  far.behave(() => {});
  for (let turn = 0; turn < 6; turn++) {
    const reason = new Error("the caller went away");
    const controller = new AbortController();
    const call = post("/", {}, { ...asked, signal: controller.signal });
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
  }
  far.behave(json({}));
  expect((await post("/", {}, asked)).status).toBe(200);
});

test("a call waits no longer than its own deadline for the trial call of another, and its end proves nothing", async () => {
  const post = open({ timeoutMs: 20_000 });
  far.behave(json({}, 503));
  for (let turn = 0; turn < 5; turn++) await expect(post("/", {}, asked)).rejects.toThrow("status 503");
  await sleep(pauseMs);
  far.behave(() => {});
  const [patient, impatient] = [new AbortController(), new AbortController()];
  const trial = post("/", {}, { ...asked, signal: patient.signal });
  const waiting = post("/", {}, { ...asked, signal: impatient.signal });
  impatient.abort(new Error("it takes too long"));
  await expect(waiting).rejects.toThrow("it takes too long");
  patient.abort(new Error("the caller went away"));
  await expect(trial).rejects.toThrow("the caller went away");
  far.behave(json({ well: true }));
  await expect(post("/", {}, asked)).rejects.toThrow("it failed several times and is left alone");
  await sleep(pauseMs);
  expect(await post("/", {}, asked)).toEqual({ status: 200, body: { well: true } });
});

function halfOf(text: string): RequestListener {
  return (_, res) => {
    res.writeHead(200, { "content-length": String(text.length * 2) });
    res.write(text, () => res.destroy());
  };
}

function stalling(...[, res]: Parameters<RequestListener>): void {
  res.writeHead(200, { "content-type": "application/json" });
  res.write("{");
}
