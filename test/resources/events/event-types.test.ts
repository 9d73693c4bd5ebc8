import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { eventTypes } from "../../support/event-types.js";

const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
const code = sources.map((path) => readFileSync(`src/${path}`, "utf8").replace(/^\s*(\*|\/\/).*$/gm, "")).join("\n");

test("the contract lists the types of all events that the code writes, and no other", () => {
  const written = [...code.matchAll(/"([a-z_]+[.][a-z]+ed)"/g)].map(([, type]) => type!);
  const types = new Set(written.filter((type) => type !== "webhook_endpoint.pinged"));
  expect([...types].toSorted()).toEqual(eventTypes.toSorted());
});
