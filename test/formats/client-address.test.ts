import { expect, test } from "vitest";
import { createClientAddress } from "../../src/formats/client-address.js";

const cases = [
  { name: "is the peer's", trusted: [], forwardedFor: "203.0.113.9", want: "192.0.2.1" },
  {
    name: "is what a trusted proxy says",
    trusted: ["192.0.2.0/24"],
    forwardedFor: "203.0.113.9",
    want: "203.0.113.9",
  },
  {
    name: "is the last that no proxy has",
    trusted: ["192.0.2.1", "10.0.0.0/8"],
    forwardedFor: "1.1.1.1, 203.0.113.9, 10.1.2.3",
    want: "203.0.113.9",
  },
  { name: "is a proxy's that says nothing", trusted: ["192.0.2.1"], forwardedFor: undefined, want: "192.0.2.1" },
  {
    name: "is a proxy's that says nonsense",
    trusted: ["192.0.2.1"],
    forwardedFor: "203.0.113.9, localhost",
    want: "192.0.2.1",
  },
  { name: "is not what others say", trusted: ["192.0.2.2"], forwardedFor: "203.0.113.9", want: "192.0.2.1" },
];

test.for(cases)("the address of a caller $name", ({ trusted, forwardedFor, want }) => {
  expect(createClientAddress(trusted)("192.0.2.1", forwardedFor)).toBe(want);
  if (trusted.length > 0)
    expect(createClientAddress(trusted)("::ffff:192.0.2.1", forwardedFor).replace("::ffff:", "")).toBe(want);
});
