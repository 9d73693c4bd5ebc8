import { afterAll, beforeAll, expect, test } from "vitest";
import { Unreachable } from "../../src/external/http-json.js";
import { createTaxVerifier } from "../../src/external/tax-verifier.js";
import { type FarSystem, json, startFarSystem } from "../support/far-system.js";

let far: FarSystem;
beforeAll(async () => {
  far = await startFarSystem(json({}));
});
afterAll(() => far[Symbol.asyncDispose]());

const number = { type: "de_vat", value: "136695976", country: "DE" };
const live = { liveMode: true, attempt: 1 };
const open = () => createTaxVerifier({ url: far.url, secret: "s3cret" });

test("a live tax identifier is verified by type and value alone, without its customer", async () => {
  far.behave(json({ state: "VERIFIED" }));
  expect(await open().verify(number, live)).toBe(true);
  expect(far.received.at(-1)).toMatchObject({ path: "/verify", body: JSON.stringify(number) });
  far.behave(json({ state: "NOT_VALID", checked: "today" }));
  expect(await open().verify(number, live)).toBe(false);
});

test.for([{}, { state: "verified" }, { state: true }, [], null, "VERIFIED", 1])(
  "an answer such as %j is none",
  async (body) => {
    far.behave(json(body));
    await expect(open().verify(number, live)).rejects.toThrow(Unreachable);
  },
);

test("a tax identifier of the test tenant never leaves the service", async () => {
  far.behave((req) => req.socket.destroy());
  expect(await open().verify(number, { ...live, liveMode: false })).toBe(true);
});

test("without a verifier elsewhere only the test half is served", async () => {
  const verifier = createTaxVerifier(undefined);
  expect([verifier.serves(false), verifier.serves(true)]).toEqual([true, false]);
  await expect(verifier.verify(number, live)).rejects.toThrow(Unreachable);
});
