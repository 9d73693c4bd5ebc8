import { refused } from "../rpc/errors.js";

/** The vault's description of the card behind a token. */
export interface Card {
  /** In lower case, such as `visa`. */
  readonly brand: string;
  readonly last4: string;
  /** 1 to 12. */
  readonly expMonth: number;
  /** Four digits. */
  readonly expYear: number;
  /** The owner, if the vault knows one. */
  readonly billing?: CardOwner | undefined;
}

/** The owner of a card, with the address that its issuer bills. A part that the vault does not know is absent. */
export type CardOwner = Partial<Readonly<Record<(typeof ownerParts)[number], string>>>;

/** The parts of an owner. The country is an ISO 3166-1 alpha-2 code. */
export const ownerParts = [
  ...(["name", "firstName", "lastName", "organization", "line1", "line2"] as const),
  ...(["city", "state", "postalCode", "country"] as const),
] as const;

/** Where cards are kept, and what turns them into tokens. Card data itself never comes out of it. */
export interface CardVault {
  /**
   * The card behind a token; undefined if the vault does not know the token, `declined` if its issuer refuses the card.
   * `liveMode` says which half to ask. Throws UNAVAILABLE if the vault gives no answer, and FAILED_PRECONDITION, reason
   * CARD_VAULT_MISSING, if there is none to ask.
   */
  describe(
    token: string,
    options: { readonly liveMode: boolean; readonly signal: AbortSignal },
  ): Promise<Card | "declined" | undefined>;
}

/** Two vaults as one: tokens of the test half never leave the process, those of the live half are for a real vault. */
export function createCardVault(sandbox: CardVault, live: CardVault | undefined): CardVault {
  return {
    async describe(token, options) {
      const vault = options.liveMode ? live : sandbox;
      if (vault === undefined) throw refused("CARD_VAULT_MISSING", "No card vault is set up for live tokens.");
      return await vault.describe(token, options);
    },
  };
}
