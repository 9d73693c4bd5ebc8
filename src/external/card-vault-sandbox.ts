import { createHash } from "node:crypto";
import type { CardVault } from "./card-vault.js";

const brands = ["visa", "mastercard", "amex", "discover"];

const billing = {
  name: "Ada Lovelace",
  line1: "12 Billing Street",
  city: "Houston",
  state: "TX",
  postalCode: "77002",
  country: "US",
};

/**
 * A vault for tests that makes up a card for every token, always the same one for the same token. A token with `expired`
 * in it stands for a card that expired in January 2020, one with `declined` in it for a card that its issuer refuses, one
 * with `unknown` in it for none. With `owned` in it, its owner is known.
 */
export function createSandboxVault(): CardVault {
  return {
    async describe(token) {
      const owner = token.includes("owned") ? { billing } : {};
      if (token.includes("unknown")) return undefined;
      if (token.includes("declined")) return "declined";
      const digest = createHash("sha256").update(token).digest();
      const last4 = String(digest.readUInt32BE(0) % 10_000).padStart(4, "0");
      const brand = brands[digest.readUInt8(4) % brands.length] ?? "visa";
      if (token.includes("expired")) return { brand, last4, expMonth: 1, expYear: 2020, ...owner };
      const [expMonth, expYear] = [(digest.readUInt8(5) % 12) + 1, 2040 + (digest.readUInt8(6) % 10)];
      return { brand, last4, expMonth, expYear, ...owner };
    },
  };
}
