import { createHash } from "node:crypto";

/** What a vault says of a card behind a token. */
export interface Card {
  /** In lower case, such as `visa`. */
  readonly brand: string;
  readonly last4: string;
  /** 1 to 12. */
  readonly expMonth: number;
  /** Four digits. */
  readonly expYear: number;
}

/** Where cards are kept, and what turns them into tokens. Card data itself never comes out of it. */
export interface CardVault {
  /** The card behind a token; undefined if the vault does not know the token. `liveMode` says which half to ask. */
  describe(
    token: string,
    options: { readonly liveMode: boolean; readonly signal: AbortSignal },
  ): Promise<Card | undefined>;
}

const brands = ["visa", "mastercard", "amex", "discover"];

/**
 * A vault for tests that makes up a card for every token of the test half, always the same one for the same token. A
 * token with `expired` in it stands for a card that expired in January 2020, one with `unknown` in it for none.
 */
export function createSandboxVault(): CardVault {
  return {
    async describe(token, { liveMode }) {
      if (liveMode || token.includes("unknown")) return undefined;
      const digest = createHash("sha256").update(token).digest();
      const last4 = String(digest.readUInt32BE(0) % 10_000).padStart(4, "0");
      const brand = brands[digest.readUInt8(4) % brands.length] ?? "visa";
      if (token.includes("expired")) return { brand, last4, expMonth: 1, expYear: 2020 };
      return { brand, last4, expMonth: (digest.readUInt8(5) % 12) + 1, expYear: 2040 + (digest.readUInt8(6) % 10) };
    },
  };
}
