import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { useClientele } from "../../support/clientele.js";
import { mutations, requestFor } from "../../support/scenario.js";
import { overFetch } from "../../support/ways.js";
import { populate } from "../../support/world.js";

const clientele = useClientele();

// The list above the field `type` of Event.
const contract = readFileSync("proto/clientele/v1/events.proto", "utf8");
const list = contract.slice(contract.indexOf("The types, to which"), contract.indexOf("A webhook also gets"));
const listed = [...list.matchAll(/`([a-z_]+[.][a-z]+)`/g)].map(([, type]) => type!);

const sources = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
const code = sources.map((path) => readFileSync(`src/${path}`, "utf8").replace(/^\s*(\*|\/\/).*$/gm, "")).join("\n");

test("the contract lists the types of all events that the code writes, and no other", () => {
  const written = [...code.matchAll(/"([a-z_]+[.][a-z]+ed)"/g)].map(([, type]) => type!);
  const types = new Set(written.filter((type) => type !== "webhook_endpoint.pinged"));
  expect([...types].toSorted()).toEqual(listed.toSorted());
});

test("every change leaves an event of a listed type", async () => {
  for (const method of mutations) {
    const { test: clients, testKey } = await clientele.createAccount();
    const world = await populate(clients);
    await overFetch(clientele.httpUrl, testKey)(method, requestFor(method, world));
  }
  const types = await clientele.db("events").distinct().pluck("type");
  expect(types.filter((type) => !listed.includes(type))).toEqual([]);
  expect(types.length).toBeGreaterThan(20);
}, 300_000);
