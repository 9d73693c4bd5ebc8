import { readFileSync } from "node:fs";

/** The types of events that the contract lists above the field `type` of Event. */
export const eventTypes: readonly string[] = typesOf(readFileSync("proto/clientele/v1/events.proto", "utf8"));

function typesOf(contract: string): string[] {
  const list = contract.slice(contract.indexOf("The types, to which"), contract.indexOf("A webhook also gets"));
  return [...list.matchAll(/`([a-z_]+[.][a-z]+)`/g)].map(([, type]) => type!);
}
