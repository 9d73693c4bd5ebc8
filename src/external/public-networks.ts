import { lookup as resolve } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { setTimeout } from "node:timers/promises";
import ipaddr from "ipaddr.js";
import { createRangeTest } from "../formats/client-address.js";

/** An address that belongs to a private network: whoever names it wants to look into ours. */
export class PrivateAddress extends Error {
  override readonly name = "PrivateAddress";
  readonly code = "PRIVATE_ADDRESS";
}

/** The addresses that the service connects to on behalf of others. */
export interface NetworkRules {
  /** Whether private networks and clear text are permitted: for tests, and for systems of the deployment itself. */
  readonly allowPrivate: boolean;
  /** Addresses and ranges that are never connected to. */
  readonly denied: readonly string[];
}

// Microsoft Azure answers here from inside of each machine, with secrets of the machine, at a public address.
const alwaysDenied = ["168.63.129.16"];

/** Makes the test of an address. */
export function createAddressTest({ allowPrivate, denied }: NetworkRules): (address: string) => boolean {
  const isDenied = createRangeTest([...alwaysDenied, ...denied]);
  return (address) => !isDenied(address) && (allowPrivate || isPublic(address));
}

/** The problem of a URL that is to be connected to later, as the text of a field violation; undefined if there is none. */
export async function problemOfUrl(target: URL, rules: NetworkRules, timeoutMs: number): Promise<string | undefined> {
  if (target.protocol !== "https:" && !rules.allowPrivate) return "must begin with https://";
  const literal = literalOf(target);
  const addresses = literal === undefined ? await addressesOf(target.hostname, timeoutMs) : [literal];
  return addresses.every(createAddressTest(rules)) ? undefined : "must not lead to a private network";
}

// Empty if the name cannot be resolved in time. Each connection resolves it again.
async function addressesOf(hostname: string, timeoutMs: number): Promise<string[]> {
  const addresses = resolve(hostname, { all: true }).then((all) => all.map(({ address }) => address));
  const late = setTimeout(timeoutMs, [], { ref: false });
  return await Promise.race([addresses.catch(() => []), late]);
}

// All of IPv6 that is given out for the internet (RFC 4291): what is outside may be an IPv4 address in disguise.
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");

/** Whether an IP address is one of the public internet. An IPv4 address inside of an IPv6 one counts as what it is. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== "unicast") return false;
  return !(parsed instanceof ipaddr.IPv6) || parsed.match(globalUnicast);
}

/** The address in a URL that names no host, without the brackets of IPv6; a connection to it looks nothing up. */
export function literalOf({ hostname }: URL): string | undefined {
  const address = hostname.replace(/^\[|\]$/g, "");
  return ipaddr.isValid(address) ? address : undefined;
}

/**
 * Looks names up for a connection and keeps what is allowed, so that the address that was looked at is the one that is
 * connected to. Fails with PrivateAddress if nothing is left.
 */
export function lookupAmong(isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }).then(
      (addresses) => {
        const allowed = addresses.filter(({ address }) => isAllowed(address));
        const [first] = allowed;
        if (first === undefined) callback(new PrivateAddress(), "", 0);
        else if (options.all) callback(null, allowed);
        else callback(null, first.address, first.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, "", 0),
    );
  };
}
