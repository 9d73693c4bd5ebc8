import ipaddr from "ipaddr.js";

/** Finds the IP address that a request comes from, by the address of the peer and the `x-forwarded-for` it sent. */
export type ClientAddress = (peer: string | undefined, forwardedFor: string | undefined) => string;

/**
 * Trusts what these proxies, addresses or ranges such as `10.0.0.0/8`, say of whom they call for; of a chain of them, the
 * last address that is none of theirs counts. Without any it is the peer: anybody can write a header field.
 */
export function createClientAddress(trustedProxies: readonly string[] = []): ClientAddress {
  const isTrusted = createRangeTest(trustedProxies);
  return (peer = "", forwardedFor = "") => {
    if (!isTrusted(peer)) return peer;
    let client = peer;
    for (const hop of forwardedFor.split(",").reverse()) {
      const address = hop.trim();
      if (!ipaddr.isValid(address)) return client;
      client = address;
      if (!isTrusted(address)) return client;
    }
    return client;
  };
}

/** The network of one owner: an address of IPv4, and of IPv6 the first half, because the other one is the owner's to choose. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return "";
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(":") : parsed.toString();
}

/** Whether a text is an IP address or a range of them. */
export function isAddressRange(text: string): boolean {
  return rangeOf(text) !== undefined;
}

/** Makes a test whether an IP address is one of these, or in one of these ranges. */
export function createRangeTest(texts: readonly string[]): (address: string) => boolean {
  const ranges = texts.map(rangeOf).filter((range) => range !== undefined);
  return (address) => ranges.some((range) => isWithin(address, range));
}

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

function rangeOf(text: string): Range | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.process(text);
  return [address, address.kind() === "ipv4" ? 32 : 128];
}

// An IPv4 address may come as one of IPv6, `::ffff:10.0.0.1`.
function isWithin(address: string, [network, bits]: Range): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return parsed.kind() === network.kind() && parsed.match(network, bits);
}
