/** The signed-in customer. */
export interface Session {
  /** The customer token. */
  readonly secret: string;
  readonly tokenId: string;
  readonly customerId: string;
}

const place = "clientele-session";

/** The session of this tab: it ends with the tab, and no other site sees it. */
export const session = {
  read(): Session | undefined {
    const stored = sessionStorage.getItem(place);
    return stored === null ? undefined : (JSON.parse(stored) as Session);
  },
  write(signedIn: Session): void {
    sessionStorage.setItem(place, JSON.stringify(signedIn));
  },
  clear(): void {
    sessionStorage.removeItem(place);
  },
};
